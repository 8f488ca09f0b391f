"""A load generator: connections that send the next request when the last answer is whole."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from statistics import quantiles
from typing import Any

import uvloop

WARM_UP = 0.5
"""Seconds whose answers are not counted."""

_LENGTH = b"content-length: "
_END = b"\r\n\r\n"


class WrongAnswer(Exception):
    """An answer had another status than the row is about; the figure would mean nothing."""


@dataclass
class _Run:
    expected: bytes
    until: float
    counted_from: float
    times: list[float] = field(default_factory=list)
    wrong: bytes = b""


class _Connection(asyncio.Protocol):
    """One keep-alive connection, one request on its way at a time."""

    def __init__(self, run: _Run, requests: Any, done: asyncio.Future[None]) -> None:
        self._run, self._requests, self._done = run, requests, done
        self._held, self._sent = b"", 0.0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        head = self._held.find(_END)
        if head < 0:
            return
        at = self._held.find(_LENGTH) + len(_LENGTH)
        length = int(self._held[at : self._held.find(b"\r", at)])
        if len(self._held) < head + 4 + length:
            return
        now = time.perf_counter()
        if not self._held.startswith(self._run.expected):
            self._run.wrong = self._held[:400]
        elif now >= self._run.counted_from:
            self._run.times.append(now - self._sent)
        self._held = b""
        if now >= self._run.until or self._run.wrong:
            self._end()
        else:
            self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._end()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._transport is not None:
            self._transport.write(next(self._requests))

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        if self._transport is not None:
            self._transport.close()


def load(
    ports: Sequence[int],
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    status: int = 200,
) -> dict[str, float]:
    """Answers a second and the distribution of their times in ms, after a warm-up.

    The connections are spread over the ports. Raises `WrongAnswer`.
    """
    return uvloop.run(_load(ports, requests, connections, seconds, status))


async def _load(
    ports: Sequence[int], requests: Sequence[bytes], connections: int, seconds: float, status: int
) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    run = _Run(f"HTTP/1.1 {status} ".encode(), start + WARM_UP + seconds, start + WARM_UP)
    following = cycle(requests)
    ends = []
    for number in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        ends.append(done)
        port = ports[number % len(ports)]
        await loop.create_connection(partial(_Connection, run, following, done), "127.0.0.1", port)
    # A server that stops answering must not stop the measuring.
    await asyncio.wait_for(asyncio.gather(*ends), WARM_UP + seconds + 30)
    if run.wrong:
        raise WrongAnswer(run.wrong.decode("utf-8", "replace"))
    return distribution(run.times, seconds)


def distribution(times: Sequence[float], seconds: float) -> dict[str, float]:
    """A second, and p50, p95, p99 and the longest in ms."""
    cuts = quantiles(times, n=100)
    in_ms = {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "max_ms": max(times)}
    return {"per_second": round(len(times) / seconds, 1)} | {
        name: round(value * 1000, 3) for name, value in in_ms.items()
    }


def post(path: str, token: str, body: bytes, proof: str = "") -> bytes:
    """The bytes of one POST of JSON; with a proof, by a token that is bound to its key."""
    scheme, proven = ("DPoP", f"DPoP: {proof}\r\n") if proof else ("Bearer", "")
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {scheme} {token}\r\n{proven}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
