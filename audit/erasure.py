"""Take a person's parts out of the log; leaves, tree and every proof stay as they were."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, select, update
from sqlmodel import col

from audit.leaf import UNDISCLOSED, WITHHOLD_PROVIDER
from audit.records import SHREDDED, AuditIndex, AuditPart, AuditState, AuditSubject, of_shard

_key_id: Any = bindparam("of_key")
_some: Any = bindparam("some", expanding=True)
_AT_ONCE = 500
STRETCH = 65_536
"""Entries whose parts are read in one transaction at most, when the index finds too few."""

_blind = select(col(AuditSubject.blind)).where(
    of_shard(AuditSubject), col(AuditSubject.key_id) == _key_id
)
_COUNTED = select(col(AuditSubject.n) + col(AuditSubject.n_delayed)).where(
    of_shard(AuditSubject), col(AuditSubject.key_id) == _key_id
)
# An index on the key of each part would be paid for by every entry: a tenth of a fetch.
_BY_INDEX = select(col(AuditIndex.idx)).where(
    of_shard(AuditIndex), col(AuditIndex.subject_blind) == _blind.scalar_subquery()
)
_BY_READING = select(col(AuditPart.idx)).where(
    of_shard(AuditPart),
    col(AuditPart.idx) >= bindparam("start"),
    col(AuditPart.idx) < bindparam("stop"),
    col(AuditPart.key_id) == _key_id,
    col(AuditPart.label) == "s",
)
_BOUNDS = select(col(AuditState.min_index), col(AuditState.size)).where(of_shard(AuditState))
_withheld = col(AuditIndex.kind).in_(sorted(WITHHOLD_PROVIDER))
_FORGET = (
    update(AuditIndex)
    .where(of_shard(AuditIndex), col(AuditIndex.idx).in_(_some))
    .values(
        subject_blind=None,
        consent_blind=None,
        provider=case((_withheld, UNDISCLOSED), else_=col(AuditIndex.provider)),
    )
)
_BURY = (
    update(AuditPart)
    .where(of_shard(AuditPart), col(AuditPart.idx).in_(_some), col(AuditPart.key_id) == _key_id)
    .values(ct=None, key_id=None, state=SHREDDED)
)
_FORGET_COUNTER = delete(AuditSubject).where(
    of_shard(AuditSubject), col(AuditSubject.key_id) == _key_id
)


def unfound(
    reading: Callable[[], AbstractContextManager[Connection]], *, shard: int, key_id: bytes
) -> list[int]:
    """The entries about this person to hand to `shred`, where the index alone finds too few.

    The index is derived: what it does not find must go all the same. But the counter never falls,
    so one entry that expired is enough to have all parts read: outside the writer, therefore, and
    each stretch in a transaction of its own that `reading` opens.
    """
    key = {"at_shard": shard, "of_key": key_id}
    with reading() as connection:
        counted = connection.scalar(_COUNTED, key) or 0
        if len(connection.scalars(_BY_INDEX, key).all()) == counted:
            return []
        low, size = connection.execute(_BOUNDS, {"at_shard": shard}).one()
    found: list[int] = []
    for start in range(low, size, STRETCH):
        with reading() as connection:
            between = {"start": start, "stop": min(size, start + STRETCH)}
            found += connection.scalars(_BY_READING, key | between)
    return found


def shred(connection: Connection, *, shard: int, key_id: bytes, besides: Iterable[int] = ()) -> int:
    """Leave tombstones of everything sealed under this key; gives back how many.

    `besides` what the index finds, these entries too, from `unfound`. Inside the caller's
    transaction, which must also append `SubjectErased` with this number and see to it that the
    key itself is destroyed. A person who returns counts from 1 again.
    """
    key = {"at_shard": shard, "of_key": key_id}
    entries = sorted({*connection.scalars(_BY_INDEX, key), *besides})
    buried = 0
    for start in range(0, len(entries), _AT_ONCE):
        some = key | {"some": entries[start : start + _AT_ONCE]}
        connection.execute(_FORGET, some)
        buried += connection.execute(_BURY, some).rowcount
    connection.execute(_FORGET_COUNTER, key)
    return buried
