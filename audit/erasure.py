"""Take a person's parts out of the log; leaves, tree and every proof stay as they were."""

from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, select, update
from sqlmodel import col

from audit.leaf import UNDISCLOSED, WITHHOLD_PROVIDER
from audit.records import SHREDDED, AuditIndex, AuditPart, AuditSubject, of_shard

_key_id: Any = bindparam("of_key")


# Entries are looked up apart: given shard and key id together, SQLite would rather read every
# part of the shard than use the index.
_entries = select(col(AuditPart.idx)).where(of_shard(AuditPart), col(AuditPart.key_id) == _key_id)


def _entries_with(label: str) -> Any:
    return _entries.where(col(AuditPart.label) == label)


_withheld = col(AuditIndex.kind).in_(sorted(WITHHOLD_PROVIDER))
_FORGET = (
    update(AuditIndex)
    .where(of_shard(AuditIndex), col(AuditIndex.idx).in_(_entries_with("s")))
    .values(
        subject_blind=None,
        consent_blind=None,
        provider=case((_withheld, UNDISCLOSED), else_=col(AuditIndex.provider)),
    ),
    update(AuditIndex)
    .where(of_shard(AuditIndex), col(AuditIndex.idx).in_(_entries_with("a")))
    .values(actor_blind=None),
)
_BURY = (
    update(AuditPart)
    .where(
        of_shard(AuditPart),
        col(AuditPart.idx).in_(_entries),
        col(AuditPart.key_id) == _key_id,
    )
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
    for statement in _FORGET:
        connection.execute(statement, key)
    buried = connection.execute(_BURY, key).rowcount
    connection.execute(_FORGET_COUNTER, key)
    return buried
