"""Where the wrapped keys stand, apart from the log: what is taken from there is erased.

On SQLite they lie in a file of their own with `secure_delete`, so that no backup of the log
holds them; on PostgreSQL in a schema of their own, left out of dumps of the log.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    delete,
    select,
    update,
)
from sqlalchemy import insert as insert_into
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlmodel import Field, SQLModel, col

from audit.prepared import Asked, Prepared
from exchange.database import Database, Unsafe, sqlite_driver, sqlite_path

SCHEMA = "overdracht_keys"
KEYS = Table(
    "audit_key_store",
    MetaData(schema=SCHEMA),
    Column("shard", BigInteger, primary_key=True),
    Column("key_id", LargeBinary, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)


class PendingShred(SQLModel, table=True):
    """A key whose end is committed, and whose row stands in a file of its own until it is gone."""

    __tablename__ = "pending_shred"

    shard: int = Field(primary_key=True)
    key_id: bytes = Field(primary_key=True)


class Shelf(Protocol):
    """Where wrapped keys stand. `put` is durable before the batch that uses them commits.

    `drop` destroys keys with the batch's transaction, or marks them so that `finish` does it
    right after. `after` are keys in the order of their ids, some at a time.
    """

    def asking(self, key_id: bytes) -> list[Asked]: ...
    def get(self, key_id: bytes) -> bytes | None: ...
    def standing(self, key_ids: Sequence[bytes]) -> set[bytes]: ...
    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None: ...
    def drop(self, connection: Connection, key_ids: Iterable[bytes]) -> None: ...
    def finish(self, connection: Connection) -> list[bytes]: ...
    def after(
        self, connection: Connection, key_id: bytes, limit: int
    ) -> list[tuple[bytes, bytes]]: ...
    def replace(
        self, connection: Connection, rows: Mapping[bytes, tuple[bytes, bytes]]
    ) -> None: ...
    def close(self) -> None: ...


class FileShelf:
    """A SQLite file beside the database's, written by the one writer, read by any thread."""

    def __init__(self, database: Database, *, shard: int) -> None:
        path = Path(f"{sqlite_path(database.options.url)}.keys")
        path.touch(mode=0o600)
        if path.stat().st_mode & 0o077:
            raise Unsafe(f"{path.name} can be read by others; run: chmod 600 on it")
        self._shard, self._turn = shard, threading.Lock()
        driver: Any = sqlite_driver("delete")
        self._failure: type[Exception] = driver.Error
        self._file = driver.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "secure_delete=ON"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS audit_key_store (shard INTEGER NOT NULL, key_id BLOB"
            " NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (shard, key_id)) STRICT, WITHOUT ROWID"
        )

    def asking(self, key_id: bytes) -> list[Asked]:  # noqa: ARG002 - a file of its own
        return []

    def get(self, key_id: bytes) -> bytes | None:
        with self._turn:
            row = self._file.execute(
                "SELECT wrapped FROM audit_key_store WHERE shard = ? AND key_id = ?",
                (self._shard, key_id),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def standing(self, key_ids: Sequence[bytes]) -> set[bytes]:
        """Those that were not destroyed."""
        return {each for each in key_ids if self.get(each) is not None}

    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 - a file of its own
        values = [(self._shard, key_id, wrapped) for key_id, wrapped in rows.items()]
        self._change("INSERT OR IGNORE INTO audit_key_store VALUES (?, ?, ?)", values)

    def drop(self, connection: Connection, key_ids: Iterable[bytes]) -> None:
        rows = [{"shard": self._shard, "key_id": each} for each in key_ids]
        connection.execute(insert_into(PendingShred), rows)

    def finish(self, connection: Connection) -> list[bytes]:
        """Destroy what is marked, then the marks; done twice it has the effect of once."""
        mine = col(PendingShred.shard) == self._shard
        marked = [
            bytes(each) for each in connection.scalars(select(col(PendingShred.key_id)).where(mine))
        ]
        if marked:
            statement = "DELETE FROM audit_key_store WHERE shard = ? AND key_id = ?"
            self._change(statement, [(self._shard, each) for each in marked])
            connection.execute(delete(PendingShred).where(mine))
        return marked

    def after(self, connection: Connection, key_id: bytes, limit: int) -> list[tuple[bytes, bytes]]:  # noqa: ARG002 - a file of its own
        with self._turn:
            rows = self._file.execute(
                "SELECT key_id, wrapped FROM audit_key_store"
                " WHERE shard = ? AND key_id > ? ORDER BY key_id LIMIT ?",
                (self._shard, key_id, limit),
            ).fetchall()
        return [(bytes(key_id), bytes(wrapped)) for key_id, wrapped in rows]

    def replace(self, connection: Connection, rows: Mapping[bytes, tuple[bytes, bytes]]) -> None:  # noqa: ARG002 - a file of its own
        self._change(
            "UPDATE audit_key_store SET wrapped = ? WHERE shard = ? AND key_id = ? AND wrapped = ?",
            [(new, self._shard, key_id, old) for key_id, (old, new) in rows.items()],
        )

    def _change(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        with self._turn:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                self._file.executemany(statement, rows)
                self._file.execute("COMMIT")
            except BaseException as error:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                if isinstance(error, self._failure):
                    # Told as SQLAlchemy tells it: a full disk here is a full disk anywhere.
                    raise OperationalError("COMMIT", None, error) from error
                raise

    def close(self) -> None:
        self._file.close()


_WRAPPED = Prepared(f"SELECT wrapped FROM {SCHEMA}.audit_key_store WHERE shard = ? AND key_id = ?")  # noqa: S608  # our names


class SchemaShelf:
    """A table in a schema of its own, written in the batch's own transaction.

    It is read outside any transaction: one look, one round trip.
    """

    def __init__(self, database: Database, *, shard: int) -> None:
        self._database, self._shard = database, shard

    def asking(self, key_id: bytes) -> list[Asked]:
        return [(_WRAPPED, [(self._shard, key_id)])]

    def get(self, key_id: bytes) -> bytes | None:
        with self._database.looking_engine.connect() as connection:
            rows = _WRAPPED.rows(connection, (self._shard, key_id))
        return rows[0][0] if rows else None

    def standing(self, key_ids: Sequence[bytes]) -> set[bytes]:
        """Those that no process has destroyed."""
        mine = (KEYS.c.shard == self._shard) & KEYS.c.key_id.in_(key_ids)
        with self._database.reading() as connection:
            return {bytes(each) for each in connection.scalars(select(KEYS.c.key_id).where(mine))}

    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None:
        values = [
            {"shard": self._shard, "key_id": key_id, "wrapped": wrapped}
            for key_id, wrapped in rows.items()
        ]
        connection.execute(insert(KEYS).on_conflict_do_nothing(), values)

    def drop(self, connection: Connection, key_ids: Iterable[bytes]) -> None:
        for each in key_ids:
            connection.execute(delete(KEYS).where(_mine(self._shard, each)))

    def finish(self, connection: Connection) -> list[bytes]:  # noqa: ARG002 - the key died with its batch
        return []

    def after(self, connection: Connection, key_id: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        mine = (KEYS.c.shard == self._shard) & (KEYS.c.key_id > key_id)
        found = select(KEYS.c.key_id, KEYS.c.wrapped).where(mine).order_by(KEYS.c.key_id)
        rows = connection.execute(found.limit(limit))
        return [(bytes(key_id), bytes(wrapped)) for key_id, wrapped in rows]

    def replace(self, connection: Connection, rows: Mapping[bytes, tuple[bytes, bytes]]) -> None:
        for key_id, (old, new) in rows.items():
            stands = _mine(self._shard, key_id) & (KEYS.c.wrapped == old)
            connection.execute(update(KEYS).where(stands).values(wrapped=new))

    def close(self) -> None:
        """The database is closed by who opened it."""


def _mine(shard: int, key_id: bytes) -> Any:
    return (KEYS.c.shard == shard) & (KEYS.c.key_id == key_id)
