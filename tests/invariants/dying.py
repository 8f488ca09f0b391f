"""A writer that is killed in the middle of its work, and what it had acknowledged by then.

`work` runs in a process of its own: some clients register people and push handovers, as fast
as they can, and say over a pipe what was acknowledged to them, until SIGKILL ends it all.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import event

from exchange.clients import Registered
from exchange.flows.push_handover import HandoverOrder, Offered, push_handover
from exchange.flows.register_client import register_client
from exchange.security.tokens import Caller
from exchange.services import Services, build_services
from exchange.settings import Settings
from exchange.transaction import Committed
from policies.decision import Refused
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Clock

RECIPIENT, PURPOSE = "vdab-gent", "P2"
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.invariants.warm"])
Ack = tuple[str, str, int, bytes]
"""Idempotency key (or reference), what was answered, and index and hash of its entry."""


@dataclass(frozen=True)
class Task:
    """Who pushes whom, with how many clients at once, and where the process dies by itself.

    `dies`: `before` or `after` the COMMIT of batch number `at_batch`; else it is killed from
    outside. `name` makes its keys its own.
    """

    settings: Settings
    holder: Caller
    handle: Handle
    name: str
    clients: int = 3
    dies: str = ""
    at_batch: int = 0


@dataclass
class Witnessed:
    """What was asked, and what was acknowledged, all rounds together."""

    asked: set[str] = field(default_factory=set)
    acknowledged: dict[str, Ack] = field(default_factory=dict)

    def hear(self, said: Any) -> None:
        if isinstance(said, str):
            self.asked.add(said)
        else:
            self.acknowledged[said[0]] = said


def order(handle: Handle, key: str) -> HandoverOrder:
    """The push that this key stands for, the same whenever it is sent again."""
    return HandoverOrder(
        client=handle,
        recipient=OrganisationId(RECIPIENT),
        purpose=PURPOSE,
        reason_code="other",
        urgency="normal",
        key=sha256(key.encode()).digest(),
        fingerprint=sha256(handle.encode()).digest(),
    )


def push(
    services: Services, holder: Caller, handle: Handle, key: str
) -> Future[Committed[Offered]]:
    return services.writer.submit(push_handover, holder, order(handle, key), services.rulebook)


def register(services: Services, holder: Caller, reference: str) -> Future[Committed[Registered]]:
    organisation = OrganisationId(holder.organisation)
    registration = services.committer.registration(
        organisation, identity={}, insz=None, reference=reference
    )
    return services.writer.submit(register_client, holder, registration)


def is_push(key: str) -> bool:
    """Every other key of a client stands for a push; the rest are references to register."""
    return int(key.rpartition("-")[2]) % 2 == 1


def work(task: Task, pipe: Connection) -> None:
    """Write until killed."""
    services = build_services(task.settings, clock=Clock())
    untold = Untold()
    if task.dies:
        _die_at_commit(services, task, untold)
    lock = threading.Lock()

    def tell(said: str | Ack) -> None:
        with lock:
            pipe.send(said)

    def client(number: int) -> None:
        turn = 0
        while True:
            turn += 1
            key = f"{task.name}-{number}-{turn}"
            tell(key)
            waiting = ask(services, task.holder, task.handle, key)
            waiting.add_done_callback(lambda _: untold.add(1))
            done = waiting.result()
            assert not isinstance(done.value, Refused)
            tell((key, told(done.value), done.entries[0].index, done.entries[0].leaf_hash))
            untold.add(-1)

    for number in range(task.clients):
        threading.Thread(target=client, args=(number,), daemon=True).start()
    threading.Event().wait()


class Untold:
    """How many answers were given and have not been passed on yet."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Condition(), 0

    def add(self, number: int) -> None:
        with self._lock:
            self._count += number
            self._lock.notify_all()

    def wait_for_none(self) -> None:
        with self._lock:
            self._lock.wait_for(lambda: self._count == 0)


def ask(
    services: Services, holder: Caller, handle: Handle, key: str
) -> Future[Committed[Offered]] | Future[Committed[Registered]]:
    if is_push(key):
        return push(services, holder, handle, key)
    return register(services, holder, key)


def told(value: Offered | Registered) -> str:
    """What the caller is told: the handover, or the client's handle."""
    return value.handover if isinstance(value, Offered) else value.handle


def _die_at_commit(services: Services, task: Task, untold: Untold) -> None:
    batches = 0

    def die(connection: Any) -> None:
        nonlocal batches
        batches += 1
        if batches < task.at_batch:
            return
        # What earlier batches answered is to be heard: only this one's answers are lost.
        untold.wait_for_none()
        if task.dies == "after":
            driver = connection.connection.driver_connection
            driver.execute("COMMIT") if connection.dialect.name == "sqlite" else driver.commit()
        os.kill(os.getpid(), signal.SIGKILL)

    event.listen(services.database.writing_engine, "commit", die)


@contextmanager
def working(task: Task, heard: Witnessed) -> Iterator["Worker"]:
    """The process at work; when the block ends it is dead, and all it said is heard."""
    worker = Worker(task, heard)
    try:
        yield worker
    finally:
        worker.kill()


class Worker:
    def __init__(self, task: Task, heard: Witnessed) -> None:
        self._ear, mouth = CONTEXT.Pipe(duplex=False)
        self._heard = heard
        self._process = CONTEXT.Process(target=work, args=(task, mouth), daemon=True)
        self._process.start()
        mouth.close()

    def hear(self, messages: int) -> None:
        """Listen until it has said that much, or has died."""
        try:
            for _ in range(messages):
                self._heard.hear(self._ear.recv())
        except EOFError:
            pass

    def kill(self) -> None:
        """SIGKILL, and hear what it had said before."""
        self._process.kill()
        try:
            while True:
                self._heard.hear(self._ear.recv())
        except (EOFError, OSError):
            pass
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL
        self._ear.close()
