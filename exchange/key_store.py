"""The wrapped keys of clients and actors, kept apart from the log: destroying a row erases.

On SQLite they lie in a file of their own with `secure_delete`, so that no backup of the log
holds them; on PostgreSQL in a schema of their own, left out of dumps of the log.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    func,
    select,
    update,
)
from sqlalchemy import insert as insert_into
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlmodel import Field, SQLModel, col

from audit.parts import Mac, blind, fingerprint
from audit.prepared import Answer, Asked, Prepared
from exchange.database import Database, Unsafe, sqlite_driver, sqlite_path
from exchange.security.keys import KEY_BYTES, KeyDestroyed, KeyRing, Use

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


class PendingShred(SQLModel, table=True):
    """A key whose end is committed, and whose row stands in a file of its own until it is gone."""

    __tablename__ = "pending_shred"

    shard: int = Field(primary_key=True)
    key_id: bytes = Field(primary_key=True)


class Shelf(Protocol):
    """Where wrapped keys stand. `put` is durable before the batch that uses them commits.

    `drop` destroys keys with the batch's transaction, or marks them so that `finish` does it
    right after. `outside` are keys wrapped under another epoch than this, some at a time.
    """

    def asking(self, key_id: bytes) -> list[Asked]: ...
    def get(self, key_id: bytes) -> bytes | None: ...
    def standing(self, key_ids: Sequence[bytes]) -> set[bytes]: ...
    def put(self, connection: Connection, rows: Mapping[bytes, bytes]) -> None: ...
    def drop(self, connection: Connection, key_ids: Iterable[bytes]) -> None: ...
    def finish(self, connection: Connection) -> list[bytes]: ...
    def outside(
        self, connection: Connection, epoch: int, limit: int
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

    def outside(self, connection: Connection, epoch: int, limit: int) -> list[tuple[bytes, bytes]]:  # noqa: ARG002 - a file of its own
        with self._turn:
            rows = self._file.execute(
                "SELECT key_id, wrapped FROM audit_key_store"
                " WHERE shard = ? AND substr(wrapped, 2, 4) <> ? LIMIT ?",
                (self._shard, epoch.to_bytes(4, "big"), limit),
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

    def outside(self, connection: Connection, epoch: int, limit: int) -> list[tuple[bytes, bytes]]:
        under = func.substr(KEYS.c.wrapped, 2, 4)
        older = select(KEYS.c.key_id, KEYS.c.wrapped).where(
            KEYS.c.shard == self._shard, under != epoch.to_bytes(4, "big")
        )
        rows = connection.execute(older.limit(limit))
        return [(bytes(key_id), bytes(wrapped)) for key_id, wrapped in rows]

    def replace(self, connection: Connection, rows: Mapping[bytes, tuple[bytes, bytes]]) -> None:
        for key_id, (old, new) in rows.items():
            stands = _mine(self._shard, key_id) & (KEYS.c.wrapped == old)
            connection.execute(update(KEYS).where(stands).values(wrapped=new))

    def close(self) -> None:
        """The database is closed by who opened it."""


def _mine(shard: int, key_id: bytes) -> Any:
    return (KEYS.c.shard == shard) & (KEYS.c.key_id == key_id)


def _key_id(client: str) -> bytes:
    return bytes.fromhex(client.replace("-", ""))


class KeyStore:
    """The keys in use. `audit.log` seals with them through the same object (its `Keys`).

    `reread` gives the ring as it stands in its file, for keys that another process wrapped
    under an epoch that began since.
    """

    def __init__(
        self, ring: KeyRing, shelf: Shelf, reread: Callable[[], KeyRing] | None = None
    ) -> None:
        self._ring, self._shelf, self._reread = ring, shelf, reread
        self._ending: set[bytes] = set()
        self._forgetting: Callable[[bytes], None] = lambda _: None
        self._cached: dict[bytes, bytes] = {}
        self._proposed: dict[bytes, bytes] = {}
        self._new: dict[bytes, bytes] = {}
        self.nobody = ring.derived(Use.AUDIT_NOBODY)
        self._blinding, self._naming = (
            Mac(ring.derived(Use.AUDIT_INDEX)),
            Mac(ring.derived(Use.ACTOR_ID)),
        )

    def key(self, key_id: bytes) -> bytes:
        """The 32 bytes of a client or actor. Raises `KeyDestroyed` when there are none."""
        found = self._cached.get(key_id) or self._proposed.get(key_id)
        if found is None:
            wrapped = self._new.get(key_id) or self._shelf.get(key_id)
            if wrapped is None:
                raise KeyDestroyed
            found = self._remember(key_id, self._unwrapped(key_id, wrapped))
        return found

    def asking(self, client: str) -> list[Asked]:
        """What to ask beside other things of a client, so that the key needs no look of its own.

        Nothing where keys lie in a file. The answer goes to `heard`.
        """
        return self._shelf.asking(_key_id(client))

    def heard(self, client: str, answers: Sequence[Answer]) -> None:
        """The answer: a key that need not be looked up, or one that somebody has destroyed."""
        key_id = _key_id(client)
        for answer in answers:
            if key_id in self._cached and not answer.rows:
                self._forget(key_id)
            elif answer.rows and key_id not in self._cached:
                self._remember(key_id, self._unwrapped(key_id, answer.rows[0][0]))

    def _unwrapped(self, key_id: bytes, wrapped: bytes) -> bytes:
        try:
            return self._ring.unwrap(key_id, wrapped)
        except KeyDestroyed:
            if self._reread is None:
                raise
            self._ring = self._reread()
            return self._ring.unwrap(key_id, wrapped)

    def by_id(self, key_id: bytes) -> bytes | None:
        """As `key`, with nothing for one that was destroyed."""
        try:
            return self.key(key_id)
        except KeyDestroyed:
            return None

    def propose(self, key_id: bytes) -> bytes:
        """A new key, wrapped: nothing stands on a shelf until a command keeps it."""
        key = os.urandom(KEY_BYTES)
        if len(self._proposed) >= CACHED:
            self._proposed.pop(next(iter(self._proposed)), None)
        self._proposed[key_id] = key
        return self._ring.wrap(key_id, key)

    def keep(self, key_id: bytes, wrapped: bytes) -> None:
        """Have the proposed key stored with this batch (writer's thread only)."""
        self._new[key_id] = wrapped

    def flush(self, connection: Connection) -> None:
        """Make the batch's new keys durable; to be called before its COMMIT, never after."""
        if self._new:
            self._shelf.put(connection, self._new)

    def destroy(self, connection: Connection, key_id: bytes) -> str:
        """End a key with this batch (writer's thread only); gives its fingerprint.

        Raises `KeyDestroyed` when there is none. On SQLite `finish` must follow the commit.
        """
        told = fingerprint(self.key(key_id))
        self._shelf.drop(connection, [key_id])
        self._ending.add(key_id)
        return told

    def finish(self, connection: Connection) -> int:
        """Destroy the keys whose end is committed; how many there were."""
        # Who opened what was released before the end may have looked the key up again.
        gone = self._shelf.finish(connection)
        for key_id in gone:
            self._forget(key_id)
        return len(gone)

    def on_forgetting(self, forget: Callable[[bytes], None]) -> None:
        """Who else holds something made from a key, and must let go of it when the key ends."""
        self._forgetting = forget

    def forget_destroyed(self) -> None:
        """Let go of keys that another process destroyed."""
        held = list(self._cached)
        for key_id in set(held) - self._shelf.standing(held):
            self._forget(key_id)

    def rewrap(self, connection: Connection, ring: KeyRing, limit: int) -> int:
        """Wrap some keys anew under the ring's epoch; how many were changed, 0 when all are."""
        self._ring = ring
        old = self._shelf.outside(connection, ring.epoch, limit)
        rows = {key_id: (was, ring.wrap(key_id, ring.unwrap(key_id, was))) for key_id, was in old}
        if rows:
            self._shelf.replace(connection, rows)
        return len(rows)

    def _forget(self, key_id: bytes) -> None:
        self._cached.pop(key_id, None)
        self._forgetting(key_id)

    def settle(self, *, stored: bool) -> None:
        """The batch has ended. Keys that were not stored are forgotten: none may be used again."""
        for key_id in self._new:
            key = self._proposed.pop(key_id, None)
            if stored and key is not None:
                self._remember(key_id, key)
            elif not stored:
                self._forget(key_id)
        for key_id in self._ending if stored else ():
            self._forget(key_id)
        self._new.clear()
        self._ending.clear()

    def close(self) -> None:
        self._shelf.close()

    def of_client(self, client: str) -> bytes:
        return self.key(_key_id(client))

    def of_actor(self, actor: str) -> tuple[bytes, bytes]:
        """Key id and key of a natural person who acts; made on first use."""
        key_id = self._naming.digest(actor.encode())[:16]
        try:
            return key_id, self.key(key_id)
        except KeyDestroyed:
            self.keep(key_id, self.propose(key_id))
            return key_id, self.key(key_id)

    def blind(self, use: str, identifier: str) -> bytes:
        """16 bytes that find a person in the index, and nobody without the ring's key."""
        return blind(self._blinding, use, identifier)

    def _remember(self, key_id: bytes, key: bytes) -> bytes:
        if len(self._cached) >= CACHED:
            self._cached.pop(next(iter(self._cached)), None)
        self._cached[key_id] = key
        return key


def open_key_store(
    database: Database,
    ring: KeyRing,
    *,
    shard: int,
    reread: Callable[[], KeyRing] | None = None,
) -> KeyStore:
    kind = FileShelf if database.is_sqlite else SchemaShelf
    return KeyStore(ring, kind(database, shard=shard), reread)
