"""Tiles and entry bundles out of the tables; the last level-0 tile is made from its leaves."""

from collections.abc import Iterable

from sqlalchemy import Connection

from audit import records, tallies
from audit.tiles import Shelf, TileMissing, Tiles, width_of
from audit.tree import HASH_BYTES, TILE_WIDTH, leaf_hash

_LENGTH_BYTES = 2


def stored_tiles(connection: Connection, *, shard: int, size: int) -> Tiles:
    """The tree of the first `size` entries, from the tables."""
    return Tiles(_shelf(connection, shard), size)


def tile_at(
    connection: Connection, *, shard: int, size: int, level: int, n: int, width: int
) -> bytes | None:
    """The first hashes of a tile of a tree of `size`; nothing when it has fewer, or no longer."""
    if not 0 < width <= width_of(level, n, size):
        return None
    if level == 0 and _is_pruned(connection, shard, n):
        return None
    return _shelf(connection, shard)(level, n, width)


def bundle_at(connection: Connection, *, shard: int, size: int, n: int, width: int) -> bytes | None:
    """The leaves under a level-0 tile, each after its length in 16 bits (C2SP tlog-tiles)."""
    if not 0 < width <= width_of(0, n, size) or _is_pruned(connection, shard, n):
        return None
    leaves = _leaves(connection, shard, n * TILE_WIDTH, n * TILE_WIDTH + width)
    return b"".join(len(leaf).to_bytes(_LENGTH_BYTES) + leaf for leaf in leaves)


def _shelf(connection: Connection, shard: int) -> Shelf:
    def hashes(level: int, n: int, width: int) -> bytes:
        tile = tallies.tile(connection, shard, level, n)
        if tile is None and level == 0:
            start = n * TILE_WIDTH
            tile = b"".join(map(leaf_hash, _leaves(connection, shard, start, start + width)))
        if tile is None or len(tile) < width * HASH_BYTES:
            raise TileMissing(level, n)
        return tile[: width * HASH_BYTES]

    return hashes


def _is_pruned(connection: Connection, shard: int, n: int) -> bool:
    return (n + 1) * TILE_WIDTH <= tallies.min_index(connection, shard=shard)


def _leaves(connection: Connection, shard: int, start: int, stop: int) -> Iterable[bytes]:
    found = dict(records.entries_between(connection, shard=shard, start=start, stop=stop))
    if len(found) != stop - start:
        raise TileMissing(0, start // TILE_WIDTH)
    return found.values()
