"""Commands that do one thing, and ways to have several of them run in one batch."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from math import inf
from typing import Any, TypeAlias

import pytest
from sqlalchemy import insert

from audit.events import AdminChanged
from exchange import records
from exchange.batch import BatchRunner
from exchange.database import Database
from exchange.ruling import policy_version
from exchange.services import SHARD, Services
from exchange.transaction import AnyCommand, Outcome, Transaction
from exchange.writer import Waiting, Writer
from policies.decision import Refused
from policies.vocabulary import Reason
from tests.builders import logged

DAY = 86_400_000_000
PATIENCE = 20
"""Seconds after which a test that waits for something gives up."""
POLICY = policy_version("rules for tests")

Commit: TypeAlias = Callable[[], None]


def noted(text: str) -> AdminChanged:
    return AdminChanged(what="note", act="made", id=text)


def note(_tx: Transaction, text: str) -> Outcome[str]:
    return Outcome(text, (noted(text),))


def keep(tx: Transaction, text: str) -> Outcome[str]:
    """Write a row and log it."""
    _write(tx, text)
    return Outcome(text, (noted(text),))


def refuse(_tx: Transaction, text: str) -> Outcome[str]:
    return Outcome(Refused(Reason.CONTENT_REFUSED), (noted(text),))


def write_and_refuse(tx: Transaction, text: str) -> Outcome[str]:
    _write(tx, text)
    return Outcome(Refused(Reason.CONTENT_REFUSED), (noted(text),))


def write_and_fail(tx: Transaction, text: str) -> Outcome[str]:
    _write(tx, text)
    raise KeyError(text)


def kept(services: Services, text: str) -> bool:
    """Whether the row of `keep` stands in the database."""
    with services.database.reading() as connection:
        return records.used_before(connection, shard=SHARD, token=text.encode())


def notes(services: Services) -> list[str]:
    """What was noted in the log, oldest first."""
    admin = [each for each in logged(services) if each["k"] == "admin.changed"]
    return [each["e"]["id"] for each in admin if each["e"]["what"] == "note"]


def runner_for(services: Services) -> BatchRunner:
    """A runner on the same database; the services' own writer must have nothing to do."""
    database, keys, vault = services.database, services.keys, services.vault
    return BatchRunner(database, keys, vault, services.clock, POLICY, shard=SHARD)


def waiting(command: AnyCommand) -> Waiting:
    return Waiting(command, command, Future(), None, inf)


def run_batch(runner: BatchRunner, *commands: AnyCommand) -> list[Waiting]:
    """What became of these commands, run as one batch."""
    left = deque(map(waiting, commands))
    return runner.run(lambda: left.popleft() if left else None)


def values(settled: list[Waiting]) -> list[Any]:
    """The value of each, or its failure."""
    return [each.failure or (each.result and each.result.value) for each in settled]


class Hold:
    """A command that keeps the writer busy, so that what follows waits in the queue."""

    def __init__(self, writer: Writer) -> None:
        self._started, self._released = threading.Event(), threading.Event()
        self.future = writer.submit(self)
        assert self._started.wait(PATIENCE)

    def __call__(self, _tx: Transaction) -> Outcome[None]:
        self._started.set()
        assert self._released.wait(PATIENCE)
        return Outcome(None)

    def release(self) -> None:
        self._released.set()


def at_commit(
    monkeypatch: pytest.MonkeyPatch, database: Database, hook: Callable[[Any, Commit], None]
) -> None:
    """Let `hook` make every COMMIT of the writer: it gets the driver's connection and the deed."""
    dialect = database.writing_engine.dialect
    real = dialect.do_commit
    monkeypatch.setattr(
        dialect, "do_commit", lambda given: hook(given.dbapi_connection, lambda: real(given))
    )


def _write(tx: Transaction, text: str) -> None:
    row = {"shard": tx.shard, "token": text.encode(), "until": tx.now + DAY}
    tx.connection.execute(insert(records.Replay), row)
