"""The whole server in a process of its own, and clients that talk to it until it is killed."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

import httpx2

from exchange.settings import Settings

PATIENCE = 30.0
"""Seconds that a server may take to start."""


@contextmanager
def served(settings: Settings) -> Iterator["Server"]:
    """`overdracht serve` on a free port; killed with SIGKILL when the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "exchange.cli", "serve", "--port", str(port)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OVERDRACHT_DATA_DIR": str(settings.data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process, f"http://127.0.0.1:{port}")
    try:
        server.await_ready()
        yield server
    finally:
        process.kill()
        server.output += process.communicate()[0]


@dataclass
class Server:
    process: "subprocess.Popen[str]"
    address: str
    output: str = ""

    def await_ready(self) -> None:
        for _ in range(round(PATIENCE / 0.05)):
            try:
                if httpx2.get(f"{self.address}/readyz").status_code == 200:
                    return
            except httpx2.TransportError:
                Event().wait(0.05)
        raise AssertionError("the server does not start")


@dataclass
class Crowd:
    """Clients that repeat one kind of call, each with a key of its own, until nobody answers."""

    address: str
    headers: Mapping[str, str]
    path: str
    body: Mapping[str, Any]
    name: str
    answered: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def run(self, clients: int, answers: int, server: Server) -> None:
        """Ask until that many answers have come, then kill the server in the midst of it."""
        enough = Event()
        with ThreadPoolExecutor(clients) as threads:
            for number in range(clients):
                threads.submit(self._ask_on, number, answers, enough)
            assert enough.wait(PATIENCE)
            server.process.kill()

    def _ask_on(self, number: int, answers: int, enough: Event) -> None:
        with httpx2.Client(base_url=self.address, headers=dict(self.headers)) as http:
            turn = 0
            while True:
                turn += 1
                key = f"{self.name}-{number}-{turn:04d}"
                self.asked.add(key)
                try:
                    answer = http.post(
                        self.path, json=dict(self.body), headers={"Idempotency-Key": key}
                    )
                except httpx2.TransportError:
                    return
                with self._lock:
                    if answer.status_code == 201:
                        self.answered[key] = answer.json()["handover"]
                    if len(self.answered) >= answers:
                        enough.set()
