"""The wrapped keys of clients and actors, kept apart from the log: destroying a row erases.

On SQLite they lie in a file of their own with `secure_delete`, so that no backup of the log
holds them; on PostgreSQL in a schema of their own, left out of dumps of the log.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from audit.parts import Mac, blind
from audit.prepared import Prepared
from exchange.database import Database, Unsafe, sqlite_driver, sqlite_path
from exchange.security.keys import KEY_BYTES, KeyDestroyed, KeyRing

CACHED = 10_000
"""Unwrapped keys held in memory at most; erasing one drops it at once."""

SCHEMA = "overdracht_keys"
KEYS = Table(
    "audit_key_store",
    MetaData(schema=SCHEMA),
    Column("shard", BigInteger, primary_key=True),
    Column("key_id", LargeBinary, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)


class Shelf(Protocol):
    """Where wrapped keys stand. `put` is durable before the batch that uses them commits."""

    def get(self, key_id: bytes) -> bytes | None: ...
    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None: ...
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

    def get(self, key_id: bytes) -> bytes | None:
        with self._turn:
            row = self._file.execute(
                "SELECT wrapped FROM audit_key_store WHERE shard = ? AND key_id = ?",
                (self._shard, key_id),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None:  # noqa: ARG002 - a file of its own
        with self._turn:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                self._file.executemany(
                    "INSERT OR IGNORE INTO audit_key_store VALUES (?, ?, ?)",
                    [(self._shard, key_id, wrapped) for key_id, wrapped in rows.items()],
                )
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

    def get(self, key_id: bytes) -> bytes | None:
        with self._database.looking_engine.connect() as connection:
            rows = _WRAPPED.rows(connection, (self._shard, key_id))
        return rows[0][0] if rows else None

    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None:
        values = [
            {"shard": self._shard, "key_id": key_id, "wrapped": wrapped}
            for key_id, wrapped in rows.items()
        ]
        connection.execute(insert(KEYS).on_conflict_do_nothing(), values)

    def close(self) -> None:
        """The database is closed by who opened it."""


class KeyStore:
    """The keys in use. `audit.log` seals with them through the same object (its `Keys`)."""

    def __init__(self, ring: KeyRing, shelf: Shelf) -> None:
        self._ring, self._shelf = ring, shelf
        self._cached: dict[bytes, bytes] = {}
        self._new: dict[bytes, bytes] = {}
        self.nobody = ring.derived("audit-nobody")
        self._blinding, self._naming = (
            Mac(ring.derived("audit-index")),
            Mac(ring.derived("actor-id")),
        )

    def key(self, key_id: bytes) -> bytes:
        """The 32 bytes of a client or actor. Raises `KeyDestroyed` when there are none."""
        found = self._cached.get(key_id)
        if found is None:
            wrapped = self._new.get(key_id) or self._shelf.get(key_id)
            if wrapped is None:
                raise KeyDestroyed
            found = self._remember(key_id, self._ring.unwrap(key_id, wrapped))
        return found

    def by_id(self, key_id: bytes) -> bytes | None:
        """As `key`, with nothing for one that was destroyed."""
        try:
            return self.key(key_id)
        except KeyDestroyed:
            return None

    def propose(self, key_id: bytes) -> bytes:
        """A new key, wrapped: nothing stands on a shelf until a command keeps it."""
        return self._ring.wrap(key_id, self._remember(key_id, os.urandom(KEY_BYTES)))

    def keep(self, key_id: bytes, wrapped: bytes) -> None:
        """Have the proposed key stored with this batch (writer's thread only)."""
        self._new[key_id] = wrapped

    def flush(self, connection: Connection) -> None:
        """Make the batch's new keys durable; to be called before its COMMIT, never after."""
        if self._new:
            self._shelf.put(connection, self._new)

    def settle(self, *, stored: bool) -> None:
        """The batch has ended. Keys that were not stored are forgotten: none may be used again."""
        if not stored:
            for key_id in self._new:
                self._cached.pop(key_id, None)
        self._new.clear()

    def close(self) -> None:
        self._shelf.close()

    def of_client(self, client: str) -> bytes:
        return self.key(bytes.fromhex(client.replace("-", "")))

    def of_actor(self, actor: str) -> tuple[bytes, bytes]:
        """Key id and key of a natural person who acts; made on first use."""
        key_id = self._naming.digest(actor.encode())[:16]
        try:
            return key_id, self.key(key_id)
        except KeyDestroyed:
            self.keep(key_id, self.propose(key_id))
            return key_id, self._cached[key_id]

    def blind(self, use: str, identifier: str) -> bytes:
        """16 bytes that find a person in the index, and nobody without the ring's key."""
        return blind(self._blinding, use, identifier)

    def _remember(self, key_id: bytes, key: bytes) -> bytes:
        if len(self._cached) >= CACHED:
            self._cached.pop(next(iter(self._cached)), None)
        self._cached[key_id] = key
        return key


def open_key_store(database: Database, ring: KeyRing, *, shard: int) -> KeyStore:
    kind = FileShelf if database.is_sqlite else SchemaShelf
    return KeyStore(ring, kind(database, shard=shard))
