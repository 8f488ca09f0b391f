"""Those who sign what the log says of itself: asked beside the requests, never within one."""

import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import httpx2
from sqlalchemy import Connection

from audit import published
from audit.checkpoints import Checkpoint
from audit.policy import NO_WITNESSES, Named, Policy
from audit.published import Cosigned
from audit.witnessing import (
    MAX_BODY,
    MOST_APART,
    Answer,
    Call,
    Disputed,
    Prove,
    Refused,
    Unreachable,
    head_known_to,
    submit,
)
from exchange.observability import log

SECONDS = 5.0
"""How long a witness may take to answer."""
LONGEST_PAUSE = 60.0
"""Seconds until one that did not answer is asked again, at most."""
HEADS = 1000
"""How many cosigned heads are looked at to find the last that had a quorum."""
_SECOND = 1_000_000
_APART = MOST_APART * _SECOND
_ASKING = threading.BoundedSemaphore(32)
"""Requests that may be under way at once, with those that were left behind."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The lines that hold, and whether a witness says that it knows another log of ours.

    What one says takes nothing from the lines of the others.
    """

    lines: list[Cosigned]
    disputed: bool


@dataclass(slots=True)
class _Standing:
    """What became of a witness's last requests."""

    size: int = 0
    failures: int = 0
    asked_from: float = 0.0


class Witnesses:
    """The witnesses of a policy. Used by one thread at a time."""

    def __init__(
        self,
        policy: Policy = NO_WITNESSES,
        call: Call | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy, self._call, self._monotonic = policy, call or over_http, monotonic
        self._standing = {name: _Standing() for name in policy.witnesses}

    def gather(self, checkpoint: Checkpoint, note: str, prove: Prove, *, at: float) -> Gathered:
        """The lines of all who sign now. Who did not answer of late is asked less often.

        `at` is our time in seconds: a line that is far from it counts as no answer.
        """
        now = self._monotonic()
        due = [name for name, each in self._standing.items() if each.asked_from <= now]
        if not due:
            return Gathered([], disputed=False)
        with ThreadPoolExecutor(len(due), thread_name_prefix="witness") as threads:
            asked = [threads.submit(self._one, name, checkpoint, note, prove, at) for name in due]
        found = [each.result() for each in asked]
        lines = [each for each in found if isinstance(each, Cosigned)]
        return Gathered(lines, disputed=any(each is Disputed for each in found))

    def known_heads(self, origin: str, vkeys: Sequence[str]) -> list[Checkpoint]:
        """Heads of this log that witnesses show and our own keys signed."""
        found = []
        for witness in self.policy.witnesses.values():
            try:
                head = head_known_to(witness, origin, vkeys, call=self._call)
            except Unreachable:
                continue
            found += [] if head is None else [head]
        return found

    def _one(
        self, name: str, checkpoint: Checkpoint, note: str, prove: Prove, at: float
    ) -> Cosigned | type[Disputed] | None:
        witness: Named = self.policy.witnesses[name]
        standing = self._standing[name]
        try:
            signature = submit(
                witness, checkpoint, note, old=standing.size, prove=prove, call=self._call, at=at
            )
        except Disputed:
            return Disputed
        except (Unreachable, Refused) as error:
            standing.failures += 1
            pause = min(2.0 ** min(standing.failures - 1, 10), LONGEST_PAUSE)
            standing.asked_from = self._monotonic() + pause
            log.warning("witness.silent", failure=type(error).__name__, count=standing.failures)
            return None
        standing.size, standing.failures = checkpoint.size, 0
        return Cosigned(name, signature.seconds, signature.line.text)


def last_quorum(connection: Connection, policy: Policy, *, shard: int, now: int) -> int | None:
    """When enough witnesses last signed one head, in µs; else when the first was published.

    Nothing when no head was ever published. `now` in µs: a time that lies far after it is not
    believed, and none counts as later than now.
    """
    for size in published.cosigned_sizes(connection, shard=shard, most=HEADS):
        lines = published.cosigned(connection, shard=shard, size=size)
        since = _met_since(policy, [each for each in lines if each.at * _SECOND <= now + _APART])
        if since is not None:
            return min(since * _SECOND, now)
    return published.first_published_at(connection, shard=shard)


def _met_since(policy: Policy, lines: Iterable[Cosigned]) -> int | None:
    """The latest second after which enough of these have signed: no single one can move it."""
    names: set[str] = set()
    for each in sorted(lines, key=lambda line: line.at, reverse=True):
        names.add(each.witness)
        if policy.met_by(names):
            return each.at
    return None


def is_quorum(policy: Policy, lines: Iterable[Cosigned]) -> bool:
    """Whether those whose lines these are make the quorum."""
    names: Collection[str] = {each.witness for each in lines}
    return policy.met_by(names)


def over_http(url: str, body: bytes | None, *, seconds: float = SECONDS) -> Answer:
    """One request, bounded in time and in what is read; redirects are not followed.

    Who sends a little now and then keeps every single wait short: so the request has a thread of
    its own, whose connection is cut when the time is over.
    """
    request = _Request(url, body, time.monotonic() + seconds)
    if not _ASKING.acquire(timeout=seconds):
        raise Unreachable
    threading.Thread(target=request.run, name="witness-call", daemon=True).start()
    return request.answer()


class _Request:
    """A request in a thread, and the hand that cuts it off."""

    def __init__(self, url: str, body: bytes | None, until: float) -> None:
        self._url, self._body, self._until = url, body, until
        self._answered: SimpleQueue[Answer | None] = SimpleQueue()
        self._socket: socket.socket | None = None

    def run(self) -> None:
        try:
            self._answered.put(self._asked())
        except Exception:  # noqa: BLE001 - whatever it is, whoever waits is told
            self._answered.put(None)
        finally:
            _ASKING.release()

    def answer(self) -> Answer:
        """The answer within the time. Raises `Unreachable`."""
        try:
            answer = self._answered.get(timeout=max(self._until - time.monotonic(), 0))
        except Empty:
            answer = None
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        if answer is None:
            raise Unreachable
        return answer

    def _asked(self) -> Answer:
        method = "GET" if self._body is None else "POST"
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        options: Any = {"timeout": SECONDS, "trust_env": False, "follow_redirects": False}
        more: Any = {"headers": headers, "extensions": {"trace": self._seen}}
        with (
            httpx2.Client(**options) as client,
            client.stream(method, self._url, content=self._body, **more) as answer,
        ):
            read = b""
            for piece in answer.iter_raw():
                read += piece
                if len(read) > MAX_BODY or time.monotonic() > self._until:
                    raise Unreachable
            return Answer(answer.status_code, answer.headers.get("content-type", ""), read)

    def _seen(self, event: str, info: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")
            if time.monotonic() > self._until:
                raise Unreachable
