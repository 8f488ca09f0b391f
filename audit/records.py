"""The tables of the log, and the statements on them.

Rows are added, never changed, but for the state, the subject counters, the right-most tiles,
and what an erasure takes away.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from sqlmodel import Field, SQLModel, col

from audit.prepared import Answer, Asked, Prepared, together
from audit.rows import Added, Tuples, add

# A strict SQLite table knows no BIGINT and no VARCHAR, and its INTEGER has 64 bits.
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}
CHUNK = 2048
"""Rows read at a time, so that memory stays flat however long the log."""
OWNING_UP = "kind IN ('key.rotated', 'log.pruned', 'parts.expired', 'parts.lost', 'subject.erased')"
"""Entries that say what is gone and which keys changed; few, and part of every export."""
LIVE, SHREDDED, EXPIRED, LOST = range(4)
"""What became of a part: the states 1 to 3 are tombstones without key and ciphertext."""


def _found_by(column: str, which: str = "") -> Index:
    """An index to walk one value's entries by, newest first; entries without one cost nothing."""
    held = text(which or f"{column} IS NOT NULL")
    name = f"ix_audit_index_{column}"
    return Index(name, "shard", column, "idx", sqlite_where=held, postgresql_where=held)


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
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True)
    idx: int = Field(primary_key=True, sa_type=_BIG)
    label: str = Field(primary_key=True, sa_type=Text)
    key_id: bytes | None
    ct: bytes | None
    state: int


class AuditSubject(SQLModel, table=True):
    """How many entries a client has: `n`, and `n_delayed` that are kept back for a time.

    Those after `delayed_after` are until `delayed_until` (µs since 1970); nothing: none are.
    """

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
    delayed_after: int | None = Field(default=None, sa_type=_BIG)
    delayed_until: int | None = Field(default=None, sa_type=_BIG)


class AuditIndex(SQLModel, table=True):
    """What entries are searched by: derived from leaf and parts, and erasable."""

    __tablename__ = "audit_index"
    __table_args__ = (
        UniqueConstraint("shard", "event_id", name="uq_audit_index_event_id"),
        *(_found_by(name) for name in ("provider", "consumer")),
        *(_found_by(f"{name}_blind") for name in ("subject", "actor")),
        Index("ix_audit_index_kind", "shard", "kind", "idx"),
        _found_by("consent_blind", "subject_blind IS NULL AND consent_blind IS NOT NULL"),
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
at_shard: Any = bindparam("at_shard")


def of_shard(table: Any) -> Any:
    """The condition that every statement begins with."""
    return col(table.shard) == at_shard


_STATE = Prepared(f"SELECT {', '.join(StateRow._fields)} FROM audit_state WHERE shard = ?")  # noqa: S608  # our names
_ADD_STATE, _ADD_TILES = insert(AuditState), insert(AuditTile)


def _adding(table: str, columns: Iterable[str]) -> str:
    names = ("shard", *columns)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # our names


_ADD_BATCH = (Added(AuditEntry), Added(AuditPart), Added(AuditIndex))
_COUNT_SUBJECTS = Prepared(
    _adding("audit_subject", ("key_id", "blind", "n", "n_delayed"))
    + " ON CONFLICT (shard, key_id) DO UPDATE SET n = excluded.n"
)
_COUNT_DELAYED = Prepared("UPDATE audit_subject SET n_delayed = ? WHERE shard = ? AND key_id = ?")
_MOVE_STATE = Prepared(
    "UPDATE audit_state SET size = ?, compact = ?, last_t = ?"
    " WHERE shard = ? AND size = ? AND epoch = ?"
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


def asking_state(shard: int) -> Asked:
    """What to ask for `state_in`, beside other things."""
    return _STATE, [(shard,)]


def state_in(answer: Answer) -> StateRow | None:
    """Where the log stands, or nothing when it was never opened."""
    return StateRow(*answer.rows[0]) if answer.rows else None


def state_of(connection: Connection, *, shard: int) -> StateRow | None:
    """As `state_in`, asked by itself."""
    (answer,) = together(connection, asking_state(shard))
    return state_in(answer)


def add_state(connection: Connection, row: Mapping[str, Any]) -> None:
    """The one row of a new log."""
    connection.execute(_ADD_STATE, row)


class Batch(NamedTuple):
    """The rows that a batch adds, each with the shard before its columns.

    Entries are index and leaf, parts as `PartRow`, `found_by` as `IndexRow`; counters are
    key id, blind, the new number, and 0 for delayed. `delayed` are the few who have entries that
    are kept back: the new number of these, shard, and key id.
    """

    entries: Tuples
    parts: Tuples
    found_by: Tuples
    counters: Tuples
    delayed: Tuples = ()


def add_batch(
    connection: Connection, batch: Batch, *, at: tuple[int, int, int], to: tuple[int, bytes, int]
) -> bool:
    """Add the rows and move the log on, if it still stood `at` shard, size and epoch.

    `to` is the new size, compact range and last time. When it stood elsewhere the answer is
    no, and the caller must roll back. One round trip.
    """
    tables = list(zip(_ADD_BATCH, batch, strict=False))
    counted = [(_COUNT_SUBJECTS, batch.counters)] if batch.counters else []
    if batch.delayed:
        counted.append((_COUNT_DELAYED, batch.delayed))
    *_, moved = add(connection, tables, *counted, (_MOVE_STATE, [(*to, *at)]))
    return moved.changed == 1


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


_PARTS_AT = (
    select(*(col(getattr(AuditPart, name)) for name in PartRow._fields))
    .where(of_shard(AuditPart), col(AuditPart.idx).in_(bindparam("indexes", expanding=True)))
    .order_by(col(AuditPart.idx), col(AuditPart.label))
)


_TIME = (
    select(col(AuditIndex.t))
    .where(of_shard(AuditIndex), col(AuditIndex.idx) <= bindparam("at_idx"))
    .order_by(col(AuditIndex.idx).desc())
    .limit(1)
)


def first_since(connection: Connection, t: int, *, shard: int, low: int, high: int) -> int:
    """The first entry in `[low, high)` that is not from before `t` (µs), or `high`.

    Times only grow with the index: so a few rows are read, however long the log. Where rows are
    missing from the search index, the nearest one before them speaks for them.
    """
    while low < high:
        middle = (low + high) // 2
        at = connection.scalar(_TIME, {"at_shard": shard, "at_idx": middle})
        if at is not None and at < t:
            low = middle + 1
        else:
            high = middle
    return low


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


def parts_at(
    connection: Connection, *, shard: int, indexes: Collection[int]
) -> dict[int, list[PartRow]]:
    """The parts of these entries, however many, with one statement; in order of label."""
    found: dict[int, list[PartRow]] = {index: [] for index in indexes}
    rows = connection.execute(_PARTS_AT, {"at_shard": shard, "indexes": list(found)})
    for row in rows:
        found[row.idx].append(PartRow(*row))
    return found


def index_between(connection: Connection, *, shard: int, start: int, stop: int) -> list[IndexRow]:
    """The index rows of the entries in `[start, stop)`, in order."""
    key = {"at_shard": shard, "start": start, "stop": stop}
    return [IndexRow(*row) for row in connection.execute(_INDEX, key)]
