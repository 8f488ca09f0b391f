"""Let go of the log's beginning once nobody has to keep it (audit-log.md, section 16).

Said before it is done: an entry names the place, the root up to there and the written policy.
Only with that entry do the guards let the place move, and rows below it go. Tiles above the
leaves and every signed head stay, so all that is proven of later entries still is.
"""

import json
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, text, update
from sqlmodel import col

from audit import records, tallies
from audit.records import LIVE, AuditEntry, AuditIndex, AuditPart, AuditState, AuditTile, of_shard
from audit.tile_store import stored_tiles
from audit.tree import TILE_WIDTH

STEP = 65_536
"""The log is cut at multiples of this, under which whole tiles of two levels lie (C2SP)."""
STRETCH = 16 * TILE_WIDTH
"""Entries that one transaction takes away at most: the writer waits for nothing longer."""

_start: Any = bindparam("start")
_stop: Any = bindparam("stop")
_SAID = (
    select(col(AuditEntry.leaf))
    .join(
        AuditIndex,
        (col(AuditIndex.shard) == col(AuditEntry.shard))
        & (col(AuditIndex.idx) == col(AuditEntry.idx)),
    )
    .where(of_shard(AuditIndex), text(records.OWNING_UP), text("audit_index.kind = 'log.pruned'"))
)
_ALIVE = (
    select(col(AuditPart.idx))
    .where(
        of_shard(AuditPart),
        col(AuditPart.idx) >= _start,
        col(AuditPart.idx) < _stop,
        col(AuditPart.state) == LIVE,
    )
    .limit(1)
)
_FIRST = select(func.min(col(AuditEntry.idx))).where(of_shard(AuditEntry))
_MOVE = (
    update(AuditState)
    .where(of_shard(AuditState), col(AuditState.min_index) < bindparam("to"))
    .values(min_index=bindparam("to"))
)
_TAKE = tuple(
    delete(table).where(of_shard(table), col(table.idx) >= _start, col(table.idx) < _stop)
    for table in (AuditIndex, AuditPart, AuditEntry)
)
_TAKE_TILES = delete(AuditTile).where(
    of_shard(AuditTile),
    col(AuditTile.level) == 0,
    col(AuditTile.n) >= bindparam("first"),
    col(AuditTile.n) < bindparam("last"),
)


class Prefix(NamedTuple):
    """The first `size` entries, and the root over them."""

    size: int
    root: bytes


class NotOwnedUp(Exception):
    """Entries are gone, or are to go, and no entry of the log says so with the right root."""


def kept_from(connection: Connection, *, shard: int) -> int:
    """The first entry that is still kept; 0 for a log that was never pruned.

    Raises `NotOwnedUp` unless the log itself says that the ones before were pruned.
    """
    least = tallies.min_index(connection, shard=shard)
    if least and Prefix(least, root_at(connection, shard=shard, size=least)) not in said(
        connection, shard=shard
    ):
        raise NotOwnedUp(f"the entries before {least} are gone, and no entry owns up to it")
    return least


def said(connection: Connection, *, shard: int) -> list[Prefix]:
    """The prefixes that entries of the log say were pruned, as far as those are kept."""
    leaves = connection.scalars(_SAID, {"at_shard": shard})
    extras = [json.loads(bytes(leaf))["e"] for leaf in leaves]
    return [Prefix(each["min"], bytes.fromhex(each["root"])) for each in extras]


def due(connection: Connection, *, shard: int, before: int, seen: int, step: int = STEP) -> Prefix:
    """What may go: whole steps of entries from before `before` (µs), at most the first `seen`.

    Of none of them is anything left to be read. Looks at much, so outside the writer: what is
    due stays due. Gives back what is gone already when nothing more may go.
    """
    place = max(
        [
            tallies.min_index(connection, shard=shard),
            *(e.size for e in said(connection, shard=shard)),
        ]
    )
    while place + step <= seen and _is_due(connection, shard, place, place + step, before):
        place += step
    return Prefix(place, root_at(connection, shard=shard, size=place))


def sweep(connection: Connection, *, shard: int) -> int:
    """Take away the next stretch of what the log says is pruned; gives back how many entries.

    Inside the caller's transaction. Raises `NotOwnedUp` when the root that was said is not
    that of the log: then nothing goes.
    """
    last = max(said(connection, shard=shard), default=Prefix(0, b""))
    if not last.size:
        return 0
    if last.root != root_at(connection, shard=shard, size=last.size):
        raise NotOwnedUp(f"the first {last.size} entries are not those that are said to be pruned")
    key = {"at_shard": shard}
    connection.execute(_MOVE, key | {"to": last.size})
    start = connection.scalar(_FIRST, key)
    if start is None or start >= last.size:
        return 0
    stop = min(last.size, start // TILE_WIDTH * TILE_WIDTH + STRETCH)
    for statement in _TAKE:
        connection.execute(statement, key | {"start": start, "stop": stop})
    tiles = {"first": start // TILE_WIDTH, "last": stop // TILE_WIDTH}
    connection.execute(_TAKE_TILES, key | tiles)
    return int(stop - start)


def root_at(connection: Connection, *, shard: int, size: int) -> bytes:
    """The root over the first entries, whether they are kept or not."""
    return stored_tiles(connection, shard=shard, size=size).root()


def _is_due(connection: Connection, shard: int, start: int, stop: int, before: int) -> bool:
    """The index could be rewritten unseen; what a leaf says of its time could not."""
    last = dict(records.entries_between(connection, shard=shard, start=stop - 1, stop=stop))
    alive = connection.scalar(_ALIVE, {"at_shard": shard, "start": start, "stop": stop})
    return alive is None and bool(last) and json.loads(last[stop - 1])["t"] < before
