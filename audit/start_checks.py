"""What must hold before a log is gone on with: looked at in a moment, however long it is."""

import random
from collections.abc import Sequence

from sqlalchemy import Connection, func, select
from sqlmodel import col

from audit import log, pruning, published, records, tallies
from audit.checkpoints import Checkpoint, checkpoint_in, open_note
from audit.leaf import VERSION, NotALeaf, read
from audit.records import AuditEntry, of_shard
from audit.tile_store import stored_tiles
from audit.tiles import TileMissing
from audit.tree import HASH_BYTES, TILE_WIDTH, leaf_hash

SAMPLES = 16
"""Full tiles, picked at random, whose leaves are hashed again."""

_PUT_BACK = "put it back with: overdracht restore from-mirror"
_LARGEST = select(func.max(col(AuditEntry.idx))).where(of_shard(AuditEntry))


class LogDamaged(Exception):
    """The stored log contradicts itself; `at` is the first entry where it shows, if known."""

    def __init__(self, why: str, at: int | None = None) -> None:
        super().__init__(why if at is None else f"{why} (entry {at})")
        self.why, self.at = why, at


def require_whole(connection: Connection, *, shard: int, vkeys: Sequence[str] = ()) -> None:
    """Raise `LogDamaged` unless head, right edge, a sample of tiles and the last head agree.

    Takes some milliseconds; what lies between is for the scrubber. `vkeys` are keys of today,
    beside those that the log remembers.
    """
    head = log.head(connection, shard=shard)
    if not head.size:
        raise LogDamaged(f"it was opened, and has no first entry; {_PUT_BACK}", 0)
    last = connection.scalar(_LARGEST, {"at_shard": shard})
    if (last is None and head.size) or (last is not None and last + 1 != head.size):
        raise LogDamaged(
            f"the log should have {head.size} entries", min(head.size, (last or 0) + 1)
        )
    for beyond in tallies.rows_beyond(connection, shard=shard, size=head.size):
        raise LogDamaged("a part or index row beyond the log's size", beyond)
    tiles = stored_tiles(connection, shard=shard, size=head.size)
    try:
        least = pruning.kept_from(connection, shard=shard)
        _check_edge(connection, shard, head.size)
        for n in _sampled(least // TILE_WIDTH, head.size // TILE_WIDTH):
            _check_tile(connection, shard, n)
        if tiles.compact() != head.compact:
            raise LogDamaged("the tiles are not those of the log's head")
        _check_last_head(connection, shard, vkeys)
    except pruning.NotOwnedUp as unsaid:
        raise LogDamaged(str(unsaid), 0) from None
    except TileMissing as missing:
        at = missing.n << 8 * missing.level << 8
        raise LogDamaged(str(missing), at) from None


def _sampled(first: int, full: int) -> list[int]:
    """Not a secret, only not the same ones at every start."""
    return sorted(random.sample(range(first, full), min(SAMPLES, full - first)))


def _check_tile(connection: Connection, shard: int, n: int) -> None:
    start, stop = n * TILE_WIDTH, (n + 1) * TILE_WIDTH
    tile = tallies.tile(connection, shard, 0, n)
    if tile is None:
        raise TileMissing(0, n)
    leaves = records.entries_between(connection, shard=shard, start=start, stop=stop)
    for expected, (index, leaf) in enumerate(leaves, start):
        at = (expected - start) * HASH_BYTES
        if index != expected or leaf_hash(leaf) != tile[at : at + HASH_BYTES]:
            raise LogDamaged("an entry is not what its tile says", expected)


def _check_edge(connection: Connection, shard: int, size: int) -> None:
    """The leaves after the last full tile are dense, and of a format that we can read."""
    start = size // TILE_WIDTH * TILE_WIDTH
    leaves = records.entries_between(connection, shard=shard, start=start, stop=size)
    for expected, (index, leaf) in enumerate(leaves, start):
        if index != expected:
            raise LogDamaged("an entry is missing", expected)
        try:
            read(leaf)
        except NotALeaf:
            raise LogDamaged(f"an entry that is no leaf of version {VERSION}", index) from None


def _check_last_head(connection: Connection, shard: int, vkeys: Sequence[str]) -> None:
    """The head that was published last opens, and its root comes out of the tiles again."""
    head, state = (
        published.latest(connection, shard=shard),
        records.state_of(connection, shard=shard),
    )
    if head is None or state is None:
        return
    history = published.key_history(connection, shard=shard)
    known = [*published.keys_for(history, head.size), *vkeys]
    said = checkpoint_in(open_note(head.note, known))
    if said != Checkpoint(state.origin, head.size, head.root):
        raise LogDamaged("the last published head is not one that the log signed")
    # A log that is shorter is another matter: it was put back, and is then only read.
    if head.size <= state.size:
        root = stored_tiles(connection, shard=shard, size=head.size).root()
        if root != head.root:
            raise LogDamaged(f"the first {head.size} entries are not those that were signed")
