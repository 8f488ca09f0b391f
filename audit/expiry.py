"""Let parts expire whose time has passed (audit-log.md, section 16): leaves and tree stay.

What is due is looked for outside the writer, since that may take long; that it goes is one
short transaction a stretch.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, select, update
from sqlmodel import col

from audit.leaf import UNDISCLOSED, WITHHOLD_PROVIDER
from audit.records import (
    EXPIRED,
    LIVE,
    AuditIndex,
    AuditPart,
    AuditState,
    first_since,
    of_shard,
)
from audit.retention import Due

STRETCH = 8192
"""Entries that one transaction lets go at most: the writer waits for nothing longer."""


class Stretch(NamedTuple):
    """Entries in `[start, stop)`; of those of these kinds, the parts with these labels."""

    start: int
    stop: int
    kinds: tuple[str, ...]
    labels: tuple[str, ...]


_kinds: Any = bindparam("kinds", expanding=True)
_labels: Any = bindparam("labels", expanding=True)
_start: Any = bindparam("start")
_stop: Any = bindparam("stop")
_BOUNDS = select(col(AuditState.min_index), col(AuditState.size)).where(of_shard(AuditState))
_FIRST = (
    select(col(AuditPart.idx))
    .join(
        AuditIndex,
        (col(AuditIndex.shard) == col(AuditPart.shard))
        & (col(AuditIndex.idx) == col(AuditPart.idx)),
    )
    .where(
        of_shard(AuditPart),
        col(AuditPart.idx) >= _start,
        col(AuditPart.idx) < _stop,
        col(AuditPart.state) == LIVE,
        col(AuditPart.label).in_(_labels),
        col(AuditIndex.kind).in_(_kinds),
    )
    .order_by(col(AuditPart.idx))
    .limit(1)
)
_of_kinds = (
    of_shard(AuditIndex),
    col(AuditIndex.idx) >= _start,
    col(AuditIndex.idx) < _stop,
    col(AuditIndex.kind).in_(_kinds),
)
_BURY = (
    update(AuditPart)
    .where(
        of_shard(AuditPart),
        col(AuditPart.idx).in_(select(col(AuditIndex.idx)).where(*_of_kinds)),
        col(AuditPart.label).in_(_labels),
        col(AuditPart.state) == LIVE,
    )
    .values(ct=None, key_id=None, state=EXPIRED)
)
_withheld = col(AuditIndex.kind).in_(sorted(WITHHOLD_PROVIDER))
_THIN = {
    "s": update(AuditIndex).where(*_of_kinds).values(subject_blind=None),
    "a": update(AuditIndex).where(*_of_kinds).values(actor_blind=None),
    "y": update(AuditIndex)
    .where(*_of_kinds)
    .values(
        consent_blind=None,
        provider=case((_withheld, UNDISCLOSED), else_=col(AuditIndex.provider)),
    ),
}


def stretches(connection: Connection, *, shard: int, due: Iterable[Due]) -> list[Stretch]:
    """The next stretch of each group that has anything left to go, in no more than one run."""
    found = []
    low, size = connection.execute(_BOUNDS, {"at_shard": shard}).one()
    for each in due:
        stop = first_since(connection, each.before, shard=shard, low=low, high=size)
        key = {"at_shard": shard, "start": low, "stop": stop}
        asked = key | {"kinds": each.kinds, "labels": each.labels}
        first = connection.scalar(_FIRST, asked)
        if first is not None:
            found.append(Stretch(first, min(stop, first + STRETCH), each.kinds, each.labels))
    return found


def expire(connection: Connection, *, shard: int, stretches: Iterable[Stretch]) -> int:
    """Leave tombstones of these parts and thin their index rows; gives back how many.

    Inside the caller's transaction, which must also append `PartsExpired` with this number.
    A part that is gone already is not counted again.
    """
    buried = 0
    for each in stretches:
        key = {"at_shard": shard} | each._asdict()
        for label in each.labels:
            connection.execute(_THIN[label], key)
        buried += connection.execute(_BURY, key).rowcount
    return buried
