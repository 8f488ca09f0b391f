"""The tables of the log, and the statements on them.

Rows are added, never changed, but for the state, the subject counters, the right-most tiles,
and what an erasure takes away.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    bindparam,
    cast,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlmodel import Field, SQLModel, col

# A strict SQLite table knows no BIGINT and no VARCHAR, and its INTEGER has 64 bits.
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
CHUNK = 2048
"""Rows read at a time, so that memory stays flat however long the log."""
OWNING_UP = "kind IN ('key.rotated', 'log.pruned', 'parts.expired', 'parts.lost', 'subject.erased')"
"""Entries that say what is gone and which keys changed; few, and part of every export."""
LIVE, SHREDDED, EXPIRED, LOST = range(4)
"""What became of a part: the states 1 to 3 are tombstones without key and ciphertext."""


class AuditState(SQLModel, table=True):
    """Where one shard's log stands. `compact` holds 32 bytes for each bit set in `size`."""

    __tablename__ = "audit_state"
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    origin: str = Field(sa_type=Text)
    epoch: int
    size: int = Field(sa_type=_BIG)
    compact: bytes
    last_t: int = Field(sa_type=_BIG)
    min_index: int = Field(sa_type=_BIG)


class AuditEntry(SQLModel, table=True):
    """The bytes of one leaf, as they were hashed. `idx` is dense from 0."""

    __tablename__ = "audit_entry"
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True)
    idx: int = Field(primary_key=True, sa_type=_BIG)
    leaf: bytes


class AuditTile(SQLModel, table=True):
    """Up to 256 hashes of one tree level. Level 0 is written once, when full."""

    __tablename__ = "audit_tile"
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True)
    level: int = Field(primary_key=True)
    n: int = Field(primary_key=True, sa_type=_BIG)
    data: bytes


class AuditPart(SQLModel, table=True):
    """What is sealed beside a leaf, or the tombstone of it."""

    __tablename__ = "audit_part"
    __table_args__ = (Index("ix_audit_part_key_id", "shard", "key_id"), _STRICT)

    shard: int = Field(primary_key=True)
    idx: int = Field(primary_key=True, sa_type=_BIG)
    label: str = Field(primary_key=True, sa_type=Text)
    key_id: bytes | None
    ct: bytes | None
    state: int


class AuditSubject(SQLModel, table=True):
    """How many entries a client has: `n` shown, `n_delayed` kept back for a time."""

    __tablename__ = "audit_subject"
    __table_args__ = (
        UniqueConstraint("shard", "blind", name="uq_audit_subject_blind"),
        _STRICT,
    )

    shard: int = Field(primary_key=True)
    key_id: bytes = Field(primary_key=True)
    blind: bytes
    n: int = Field(sa_type=_BIG)
    n_delayed: int = Field(sa_type=_BIG)


class AuditIndex(SQLModel, table=True):
    """What entries are searched by: derived from leaf and parts, and erasable."""

    __tablename__ = "audit_index"
    __table_args__ = (
        UniqueConstraint("shard", "event_id", name="uq_audit_index_event_id"),
        Index("ix_audit_index_subject_blind", "shard", "subject_blind"),
        Index(
            "ix_audit_index_owning_up",
            "shard",
            "idx",
            sqlite_where=text(OWNING_UP),
            postgresql_where=text(OWNING_UP),
        ),
        _STRICT,
    )

    shard: int = Field(primary_key=True)
    idx: int = Field(primary_key=True, sa_type=_BIG)
    t: int = Field(sa_type=_BIG)
    kind: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    provider: str | None = Field(sa_type=Text)
    consumer: str | None = Field(sa_type=Text)
    purpose: str | None = Field(sa_type=Text)
    application: str | None = Field(sa_type=Text)
    request: bytes | None
    subject_blind: bytes | None
    actor_blind: bytes | None
    consent_blind: bytes | None
    event_id: bytes


class StateRow(NamedTuple):
    origin: str
    epoch: int
    size: int
    compact: bytes
    last_t: int


class PartRow(NamedTuple):
    idx: int
    label: str
    key_id: bytes | None
    ct: bytes | None
    state: int


class IndexRow(NamedTuple):
    idx: int
    t: int
    kind: str
    outcome: str
    provider: str | None
    consumer: str | None
    purpose: str | None
    application: str | None
    request: bytes | None
    subject_blind: bytes | None
    actor_blind: bytes | None
    consent_blind: bytes | None
    event_id: bytes


Rows = Sequence[Mapping[str, Any]]
Tuples = list[tuple[Any, ...]]
at_shard: Any = bindparam("at_shard")


def of_shard(table: Any) -> Any:
    """The condition that every statement begins with."""
    return col(table.shard) == at_shard


_STATE = select(
    *(col(getattr(AuditState, name)) for name in StateRow._fields)  # in the order of StateRow
).where(of_shard(AuditState))
_ADD_STATE, _ADD_TILES = insert(AuditState), insert(AuditTile)


def _adding(table: str, columns: Iterable[str], mark: str) -> str:
    names = ("shard", *columns)
    marks = ", ".join([mark] * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # our names


_KNOWN = "SELECT key_id, n, blind FROM audit_subject WHERE shard = "

# Six rows for every event, under the lock: the driver takes them in half the time Core does,
# and PostgreSQL in half of that again when they are copied.
_MARKS = {"qmark": "?", "pyformat": "%s"}
_BATCH = (
    ("audit_entry", ("idx", "leaf")),
    ("audit_part", PartRow._fields),
    ("audit_index", IndexRow._fields),
)
_ADD_BATCH = tuple(_adding(table, names, "?") for table, names in _BATCH)
_PIPE_BATCH = tuple(_adding(table, names, "%s") for table, names in _BATCH)
_WORTH_COPYING = 48
_COPY_BATCH = tuple(
    f"COPY {table} (shard, {', '.join(names)}) FROM STDIN" for table, names in _BATCH
)
_COUNT_SUBJECTS = {
    style: _adding("audit_subject", ("key_id", "blind", "n", "n_delayed"), mark)
    + " ON CONFLICT (shard, key_id) DO UPDATE SET n = excluded.n"
    for style, mark in _MARKS.items()
}
# A few widths only, so that SQLite's driver can keep what it has prepared.
_MOST_KEYS = 256
_SUBJECTS = {
    1 << power: f"{_KNOWN}? AND key_id IN ({', '.join('?' * (1 << power))})"
    for power in range(_MOST_KEYS.bit_length())
}
_SUBJECTS_IN_ARRAY = f"{_KNOWN}%s AND key_id = ANY(%s)"
_MOVE_STATE = (
    update(AuditState)
    .where(
        of_shard(AuditState),
        col(AuditState.size) == bindparam("old_size"),
        col(AuditState.epoch) == bindparam("old_epoch"),
    )
    .values(size=bindparam("new_size"), compact=bindparam("new_compact"), last_t=bindparam("new_t"))
)
# SQLite makes text of two joined blobs, and only a strict table would refuse it.
_GROW_TILE = (
    update(AuditTile)
    .where(
        of_shard(AuditTile),
        col(AuditTile.level) == bindparam("at_level"),
        col(AuditTile.n) == bindparam("at_n"),
    )
    .values(
        data=cast(col(AuditTile.data).concat(bindparam("more", type_=LargeBinary)), LargeBinary)
    )
)


def state_of(connection: Connection, *, shard: int) -> StateRow | None:
    """Where the log stands, or nothing when it was never opened."""
    row = connection.execute(_STATE, {"at_shard": shard}).first()
    return StateRow(*row) if row else None


def add_state(connection: Connection, row: Mapping[str, Any]) -> None:
    """The one row of a new log."""
    connection.execute(_ADD_STATE, row)


def move_state(
    connection: Connection, *, shard: int, epoch: int, size: int, to: Mapping[str, Any]
) -> bool:
    """Compare and swap: whether the log still stood at this epoch and size."""
    key = {"at_shard": shard, "old_epoch": epoch, "old_size": size}
    return connection.execute(_MOVE_STATE, {**key, **to}).rowcount == 1


def add_batch(connection: Connection, *, entries: Tuples, parts: Tuples, index: Tuples) -> None:
    """The rows of a batch that are only ever added, each with the shard before its columns.

    Entries are index and leaf; parts and index rows are as `PartRow` and `IndexRow`.
    """
    tables = (entries, parts, index)
    if connection.dialect.name != "postgresql":
        for statement, rows in zip(_ADD_BATCH, tables, strict=True):
            if rows:
                connection.exec_driver_sql(statement, rows)
    elif len(index) < _WORTH_COPYING:
        _pipeline(connection, tables)
    else:
        for statement, rows in zip(_COPY_BATCH, tables, strict=True):
            _copy(connection, statement, rows)


def _pipeline(connection: Connection, tables: Sequence[Tuples]) -> None:
    """All rows of a small batch in one round trip to PostgreSQL."""
    driver: Any = connection.connection.driver_connection
    with _told_as_sqlalchemy(connection, "INSERT"), driver.pipeline(), driver.cursor() as cursor:
        for statement, rows in zip(_PIPE_BATCH, tables, strict=True):
            cursor.executemany(statement, rows)


def _copy(connection: Connection, statement: str, rows: Tuples) -> None:
    """Let PostgreSQL's driver copy rows in; its errors are told as SQLAlchemy tells them."""
    driver: Any = connection.connection.driver_connection
    with (
        _told_as_sqlalchemy(connection, statement),
        driver.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row(row)


@contextmanager
def _told_as_sqlalchemy(connection: Connection, statement: str) -> Iterator[None]:
    """The driver's own errors as SQLAlchemy tells them, a lost connection marked as such."""
    dialect = connection.dialect
    failure: Any = dialect.loaded_dbapi.Error
    try:
        yield
    except failure as error:
        lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            failure,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        ) from error


def subjects_of(
    connection: Connection, *, shard: int, key_ids: Iterable[bytes]
) -> dict[bytes, tuple[int, bytes]]:
    """Count and blind of every person among these who has a counter already."""
    wanted, found = list(key_ids), list[Any]()
    if connection.dialect.name == "postgresql":
        found += connection.exec_driver_sql(_SUBJECTS_IN_ARRAY, (shard, wanted))
        return {key_id: (n, blind) for key_id, n, blind in found}
    for at in range(0, len(wanted), _MOST_KEYS):
        keys = wanted[at : at + _MOST_KEYS]
        width = 1 << (len(keys) - 1).bit_length()
        keys += keys[-1:] * (width - len(keys))
        found += connection.exec_driver_sql(_SUBJECTS[width], (shard, *keys))
    return {key_id: (n, blind) for key_id, n, blind in found}


def count_subjects(connection: Connection, rows: Tuples) -> None:
    """Write the counters of a batch: shard, key id, blind, the new number, 0 for delayed."""
    if rows:
        connection.exec_driver_sql(_COUNT_SUBJECTS[connection.dialect.paramstyle], rows)


def add_tiles(connection: Connection, *, new: Rows, grown: Rows) -> None:
    """Write tiles that begin in this batch, then append to those that had begun before."""
    if new:
        connection.execute(_ADD_TILES, new)
    for row in grown:
        connection.execute(_GROW_TILE, row)


_ENTRIES = (
    select(col(AuditEntry.idx), col(AuditEntry.leaf))
    .where(
        of_shard(AuditEntry),
        col(AuditEntry.idx) >= bindparam("start"),
        col(AuditEntry.idx) < bindparam("stop"),
    )
    .order_by(col(AuditEntry.idx))
    .limit(CHUNK)
)
_PARTS, _INDEX = (
    select(*(col(getattr(table, name)) for name in row._fields))
    .where(
        of_shard(table),
        col(table.idx) >= bindparam("start"),
        col(table.idx) < bindparam("stop"),
    )
    .order_by(*order)
    for table, row, order in (
        (AuditPart, PartRow, (col(AuditPart.idx), col(AuditPart.label))),
        (AuditIndex, IndexRow, (col(AuditIndex.idx),)),
    )
)


def entries_between(
    connection: Connection, *, shard: int, start: int, stop: int
) -> Iterator[tuple[int, bytes]]:
    """Index and leaf of the entries in `[start, stop)`, in order, a chunk in memory at a time."""
    while start < stop:
        key = {"at_shard": shard, "start": start, "stop": stop}
        rows = connection.execute(_ENTRIES, key).fetchall()
        yield from ((idx, bytes(leaf)) for idx, leaf in rows)
        if len(rows) < CHUNK:
            return
        start = rows[-1][0] + 1


def parts_between(connection: Connection, *, shard: int, start: int, stop: int) -> list[PartRow]:
    """The parts of the entries in `[start, stop)`, in order of index and label."""
    key = {"at_shard": shard, "start": start, "stop": stop}
    return [PartRow(*row) for row in connection.execute(_PARTS, key)]


def index_between(connection: Connection, *, shard: int, start: int, stop: int) -> list[IndexRow]:
    """The index rows of the entries in `[start, stop)`, in order."""
    key = {"at_shard": shard, "start": start, "stop": stop}
    return [IndexRow(*row) for row in connection.execute(_INDEX, key)]
