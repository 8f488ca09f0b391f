"""Take a person's parts out of the log; leaves, tree and every proof stay as they were."""

from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, select, update
from sqlmodel import col

from audit.leaf import UNDISCLOSED, WITHHOLD_PROVIDER
from audit.records import SHREDDED, AuditIndex, AuditPart, AuditSubject, of_shard

_key_id: Any = bindparam("of_key")
_some: Any = bindparam("some", expanding=True)
_AT_ONCE = 500

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
_BY_READING_ALL = select(col(AuditPart.idx)).where(
    of_shard(AuditPart), col(AuditPart.key_id) == _key_id, col(AuditPart.label) == "s"
)
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


def shred(connection: Connection, *, shard: int, key_id: bytes) -> int:
    """Leave tombstones of everything sealed under this key; gives back how many.

    Inside the caller's transaction, which must also append `SubjectErased` with this number
    and see to it that the key itself is destroyed. A person who returns counts from 1 again.
    """
    key = {"at_shard": shard, "of_key": key_id}
    # The search index is derived: what it does not find must go all the same.
    entries = connection.scalars(_BY_INDEX, key).all()
    if len(entries) != connection.scalar(_COUNTED, key):
        entries = connection.scalars(_BY_READING_ALL, key).all()
    buried = 0
    for start in range(0, len(entries), _AT_ONCE):
        some = key | {"some": entries[start : start + _AT_ONCE]}
        connection.execute(_FORGET, some)
        buried += connection.execute(_BURY, some).rowcount
    connection.execute(_FORGET_COUNTER, key)
    return buried
