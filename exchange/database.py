"""The engines, and the two ways to use them: the writer's batch, or just looking."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool
from sqlmodel import SQLModel

from audit.prepared import Prepared, together
from exchange.tenancy import EVERYBODY, NOBODY, TENANT

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# Every constraint has a name from the first migration on: SQLite can not alter a nameless one.
SQLModel.metadata.naming_convention = CONVENTION

LOCK_CLASS = 1331053650
"""`OVDR`, the first half of every advisory lock of ours."""

STATEMENTS = 1024
"""What SQLite keeps prepared. The driver's own 128 are fewer than ours, and those used least so
far push one another out: then each is parsed again whenever it runs."""

WRITES = "overdracht_writes_shard"
PRAGMAS = {
    "foreign_keys": 1,
    "trusted_schema": 0,
    "busy_timeout": 5000,
    "synchronous": 2,
    "secure_delete": 1,
    "cache_size": -65_536,
}
"""Read back after they are set: a pragma that is not understood is ignored in silence."""


class Unsafe(Exception):
    """The database may lose what was acknowledged, or is in use. Names the mend."""


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """`journal` is `wal` or `delete` (SQLite); `readers` is the size of the reader's pool."""

    url: str
    journal: str = "wal"
    readers: int = 8


class Database:
    """One database. The writer has a connection of its own; readers can not write."""

    def __init__(self, options: DatabaseOptions) -> None:
        self.is_sqlite = options.url.startswith("sqlite")
        self.options = options
        self.writing_engine = self._engine(pool_size=1, read_only=False)
        self.reading_engine = self._engine(pool_size=options.readers, read_only=True)
        # No transaction: for one statement that is a round trip instead of three.
        self.looking_engine = self.reading_engine.execution_options(isolation_level="AUTOCOMMIT")
        self._lock: int | None = None

    def _engine(self, *, pool_size: int, read_only: bool) -> Engine:
        if self.is_sqlite:
            driver = sqlite_driver(self.options.journal)
            engine = create_engine(
                self.options.url,
                module=driver,
                hide_parameters=True,
                poolclass=QueuePool,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=0.5,
                connect_args={"check_same_thread": False, "cached_statements": STATEMENTS},
            )
            event.listen(
                engine, "connect", _preparing_sqlite(self.options.journal, read_only=read_only)
            )
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = create_engine(
                self.options.url,
                isolation_level="READ COMMITTED",
                hide_parameters=True,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=0.5,
                pool_pre_ping=True,
                connect_args={"connect_timeout": 5},
            )
            event.listen(engine, "connect", _prepare_postgresql)
            event.listen(engine, "begin", _begin_postgresql)
        return engine

    def close(self) -> None:
        self.writing_engine.dispose()
        self.reading_engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def claim(self) -> None:
        """On SQLite: be the one process that writes, for life. Raises `Unsafe` when another is."""
        if not self.is_sqlite or self._lock is not None:
            return
        path = Path(f"{sqlite_path(self.options.url)}.writer")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            message = "another overdracht process writes to this SQLite database; stop it, or use"
            raise Unsafe(f"{message} PostgreSQL for more than one process") from None
        self._lock = lock

    def empty_journal(self) -> bool:
        """On SQLite: bring the write-ahead log into the file and leave nothing of it behind.

        For after an erasure. False when a reader held it too long; the next one does it.
        """
        if not self.is_sqlite:
            return True
        connection = self.reading_engine.raw_connection()
        try:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        return not busy

    @contextmanager
    def writing(self, *, shard: int) -> Iterator[Connection]:
        """Alone in the shard. Committed when the block ends, rolled back when it raises."""
        with self.writing_engine.connect() as opened:
            connection = opened.execution_options(**{WRITES: shard})
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self, *, tenant: str = EVERYBODY) -> Iterator[Connection]:
        """Look, without a lock, at one state from the first statement to the last.

        The database itself refuses to write here, and on PostgreSQL shows of clients what is
        the tenant's alone.
        """
        with self.reading_engine.connect() as opened:
            connection = opened.execution_options(**{TENANT: tenant})
            with connection.begin():
                yield connection


def take_all_the_time(connection: Connection) -> None:
    """On PostgreSQL: let this transaction run for as long as it must.

    For what an operator begins on a database of any size. The writer's batches stay bounded, so
    that none of them keeps the shard's lock.
    """
    if connection.dialect.name == "postgresql":
        for bound in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {bound} = 0")


def sqlite_path(url: str) -> str:
    return url.removeprefix("sqlite:///")


def free_of_wal_reset(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite can not lose committed writes when two connections checkpoint.

    Affected: 3.7.0 to 3.51.2; mended in 3.51.3 and, back-ported, in 3.50.7 and 3.44.6.
    """
    if version[:2] == (3, 50):
        return version >= (3, 50, 7)
    if version[:2] == (3, 44):
        return version >= (3, 44, 6)
    return version >= (3, 51, 3) or version < (3, 7, 0)


def sqlite_driver(journal: str) -> ModuleType:
    """The standard module where its library is good, else `pysqlite3`.

    Raises `Unsafe` when neither is, unless the journal is `delete`.
    """
    if free_of_wal_reset(sqlite3.sqlite_version_info[:3]):
        return sqlite3
    try:
        other: ModuleType = import_module("pysqlite3.dbapi2")
    except ImportError:
        other = sqlite3
    if free_of_wal_reset(other.sqlite_version_info[:3]) or journal == "delete":
        return other
    raise Unsafe(
        f"SQLite {other.sqlite_version} may lose committed writes in WAL mode;"
        " install pysqlite3 0.6.1 or set OVERDRACHT_SQLITE_JOURNAL=delete"
    )


def _preparing_sqlite(journal: str, *, read_only: bool) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:
        # We say BEGIN ourselves: the driver would say it too late, after the first read.
        connection.isolation_level = None
        (mode,) = connection.execute(f"PRAGMA journal_mode={journal}").fetchone()
        if mode != journal:
            raise Unsafe(f"SQLite keeps journal_mode={mode}; is the file on a network file system?")
        for pragma, value in (PRAGMAS | {"query_only": int(read_only)}).items():
            connection.execute(f"PRAGMA {pragma}={value}")
            # A pragma that it does not know has no row at all.
            if connection.execute(f"PRAGMA {pragma}").fetchall() != [(value,)]:
                raise Unsafe(f"SQLite does not take PRAGMA {pragma}={value}; upgrade SQLite")

    return prepare


_WRITE, _READ = Prepared("BEGIN IMMEDIATE"), Prepared("BEGIN")


def _begin_sqlite(connection: Connection) -> None:
    writes = WRITES in connection.get_execution_options()
    together(connection, (_WRITE if writes else _READ, [()]))


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    connection.autocommit = True
    for statement in (
        "SET TIME ZONE 'UTC'",
        "SET synchronous_commit = on",
        "SET lock_timeout = '5s'",
        "SET statement_timeout = '10s'",
        "SET idle_in_transaction_session_timeout = '10s'",
    ):
        connection.execute(statement)
    connection.autocommit = False


_LOOK = Prepared("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_LOCK = Prepared("SELECT pg_advisory_xact_lock(?, ?)")
_HURRY = Prepared("SET LOCAL statement_timeout = '2s'")
# Until the transaction ends, so that a pooled connection carries it to nobody else.
_FOR = Prepared(f"SELECT set_config('{TENANT}', ?, true)")


def _begin_postgresql(connection: Connection) -> None:
    options = connection.get_execution_options()
    shard, tenant = options.get(WRITES), options.get(TENANT, NOBODY)
    if shard is None:
        together(connection, (_LOOK, [()]), (_FOR, [(tenant,)]))
    else:
        # Other processes wait here, and then see all that we committed. One round trip.
        together(connection, (_LOCK, [(LOCK_CLASS, shard)]), (_HURRY, [()]), (_FOR, [(EVERYBODY,)]))
