"""Across the edges of tiles the log is reloaded after every single append, and is whole."""

import pytest
from sqlalchemy import Connection

from audit import log, tallies, tree
from audit.events import AdminStarted
from audit.live import verify_log
from audit.tile_store import stored_tiles
from tests.audit.log_builders import Ring, add, begin, released

EDGES = ((255, 256, 257), (511, 512, 513), (65_535, 65_536, 65_537))


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: str(edge[1]))
def test_reloaded_after_every_append_across_an_edge(
    connection: Connection, edge: tuple[int, ...]
) -> None:
    keys = Ring()
    head = begin(connection, keys)
    head = add(connection, keys, head, [AdminStarted(ver="1", cfg="c")] * (edge[0] - 2))
    hashes = [tree.leaf_hash(leaf) for _, leaf in log.entries(connection, shard=0)]
    earlier = (head.size, tree.root_of(head.compact))

    for size in edge:
        appended = add(connection, keys, log.head(connection, shard=0), [released()])
        head = log.head(connection, shard=0)
        ((_, leaf),) = log.entries(connection, shard=0, start=size - 1)
        hashes.append(tree.leaf_hash(leaf))

        assert head == appended
        assert head.size == size == len(hashes)
        root = tree.root_of(head.compact)
        tiles = stored_tiles(connection, shard=0, size=size)
        assert tiles.root() == root == tree.root(hashes)
        proof = tiles.consistency(earlier[0])
        assert tree.verify_consistency(earlier[0], size, earlier[1], root, proof)
        for index in (0, size - 2, size - 1):
            path = tiles.inclusion(index)
            assert tree.verify_inclusion(index, size, hashes[index], path, root)
        assert verify_log(connection, shard=0).findings == ()
        earlier = size, root

    levels = dict(tallies.tiles_per_level(connection, shard=0))
    assert levels == {0: edge[1] // 256, 1: -(-(edge[1] // 256) // 256)} | (
        {2: 1} if edge[1] == 65_536 else {}
    )
