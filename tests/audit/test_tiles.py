"""Proofs from tiles are those of the RFC, whatever the size and however few tiles are read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete
from sqlmodel import col

from audit import tile_store, tree
from audit.records import AuditEntry, AuditTile
from audit.tile_store import bundle_at, stored_tiles, tile_at
from audit.tiles import TileMissing, Tiles, place_of, read_place, width_of
from tests.audit.log_builders import VECTORS, Ring, a_log
from tests.audit.test_tree import EDGES, counted, oracle_path, oracle_root, oracle_subproof

GOLDEN = json.loads((VECTORS / "overdracht-audit-v1.json").read_text())
C2SP = json.loads((VECTORS / "c2sp" / "examples.json").read_text())


class Kept:
    """Every tile of a tree, kept as they come; counts what is asked for."""

    def __init__(self, leaves: list[bytes]) -> None:
        _, completed = tree.fold((), 0, leaves)
        self._levels = {0: leaves}
        for level, _, root in completed:
            self._levels.setdefault(level, []).append(root)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, level: int, n: int, width: int) -> bytes:
        self.asked.append((level, n))
        return b"".join(self._levels[level][n * 256 : n * 256 + width])


@given(EDGES | st.integers(1, 700), st.data())
@settings(deadline=None, max_examples=60)
def test_proofs_from_tiles_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    leaves = counted(size + data.draw(st.integers(0, 300)))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    shelf = Kept(leaves)

    assert Tiles(shelf, size).inclusion(index) == oracle_path(index, leaves[:size])
    assert Tiles(shelf, size).consistency(old) == oracle_subproof(old, leaves[:size], whole=True)
    assert Tiles(shelf, size).root() == oracle_root(leaves[:size])
    assert Tiles(shelf, size).compact() == tree.fold((), 0, leaves[:size])[0]


def test_round_the_edges_of_tiles_the_golden_proofs_come_out_of_tiles() -> None:
    known, shelf = GOLDEN["counting_tree"], Kept(counted(70_000))

    for each in known["inclusion"]:
        proof = Tiles(shelf, each["size"]).inclusion(each["index"])
        assert [part.hex() for part in proof] == each["proof_hex"]
    for each in known["consistency"]:
        proof = Tiles(shelf, each["size2"]).consistency(each["size1"])
        assert [part.hex() for part in proof] == each["proof_hex"]
    for size, root in known["roots_hex"].items():
        assert Tiles(shelf, int(size)).root().hex() == root


def test_at_a_million_entries_a_proof_takes_at_most_eight_tiles() -> None:
    size = 1_000_000
    spread = (number * 7_919 % size for number in range(500))

    for index in (0, 255, 256, 65_535, 65_536, 999_935, 999_936, size - 1,
                  *spread):  # fmt: skip
        asked: list[tuple[int, int]] = []

        def shelf(level: int, n: int, width: int, asked: Any = asked) -> bytes:
            asked.append((level, n))
            return bytes(32 * width)

        tiles = Tiles(shelf, size)
        tiles.inclusion(index)
        assert tiles.reads == len(asked) == len(set(asked)) <= 8
        other = Tiles(shelf, size)
        other.consistency(index or 1)
        assert other.reads <= 8


def test_a_tile_that_is_too_short_is_missing() -> None:
    shelf = Kept(counted(300))

    with pytest.raises(TileMissing, match="0/1"):
        Tiles(shelf, 301).inclusion(299)


@pytest.mark.parametrize("size", [4, 255, 256, 257, 513])
def test_the_tables_hold_the_tiles_of_every_size_up_to_theirs(
    connection: Connection, size: int
) -> None:
    head = a_log(connection, Ring(), size)
    leaves = stored_hashes(connection, size)

    for smaller in {1, size // 2 or 1, size - 1 or 1, size}:
        tiles = stored_tiles(connection, shard=0, size=smaller)
        assert tiles.root() == oracle_root(leaves[:smaller])
        assert tiles.inclusion(0) == oracle_path(0, leaves[:smaller])
    assert stored_tiles(connection, shard=0, size=size).compact() == head.compact


def stored_hashes(connection: Connection, size: int) -> list[bytes]:
    return [tree.leaf_hash(leaf) for leaf in tile_store._leaves(connection, 0, 0, size)]  # noqa: SLF001 - dense, in order


def test_a_tile_is_served_as_far_as_the_published_size_and_no_further(
    connection: Connection,
) -> None:
    a_log(connection, Ring(), 600)
    leaves = stored_hashes(connection, 600)
    at = {"shard": 0, "size": 520}

    assert tile_at(connection, **at, level=0, n=1, width=256) == b"".join(leaves[256:512])
    assert tile_at(connection, **at, level=0, n=2, width=8) == b"".join(leaves[512:520])
    assert tile_at(connection, **at, level=0, n=2, width=5) == b"".join(leaves[512:517])
    roots = [oracle_root(leaves[:256]), oracle_root(leaves[256:512])]
    assert tile_at(connection, **at, level=1, n=0, width=2) == b"".join(roots)
    for level, n, width in ((0, 2, 9), (0, 2, 256), (0, 3, 1), (1, 0, 3), (2, 0, 1), (0, 0, 0)):
        assert tile_at(connection, **at, level=level, n=n, width=width) is None
        if level == 0:
            assert bundle_at(connection, **at, n=n, width=width) is None


def test_an_entry_bundle_holds_the_leaves_as_they_are_stored(connection: Connection) -> None:
    a_log(connection, Ring(), 300)

    bundle = bundle_at(connection, shard=0, size=300, n=1, width=44)

    assert bundle is not None
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2])
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    assert [tree.leaf_hash(leaf) for leaf in found] == stored_hashes(connection, 300)[256:]


def test_the_golden_bundle_is_framed_in_the_same_way(golden: dict[str, Any]) -> None:
    leaves = [bytes.fromhex(each["leaf_hex"]) for each in golden["items"]]

    framed = b"".join(len(leaf).to_bytes(2) + leaf for leaf in leaves)

    assert framed.hex() in json.dumps(golden["tree"])


def test_what_was_taken_away_is_missed(connection: Connection) -> None:
    a_log(connection, Ring(), 300)

    connection.execute(delete(AuditTile).where(col(AuditTile.level) == 1))
    with pytest.raises(TileMissing, match="1/0"):
        stored_tiles(connection, shard=0, size=300).root()
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == 299))
    with pytest.raises(TileMissing, match="0/1"):
        stored_tiles(connection, shard=0, size=300).inclusion(298)


@pytest.mark.parametrize("size", [256, 70_000])
def test_shapes_are_those_of_the_specification(size: int) -> None:
    for shape in C2SP["tiles"]["shape"][str(size)]:
        level, full, partial = shape["level"], shape["full"], shape["partial_width"]
        assert all(width_of(level, n, size) == 256 for n in range(full))
        assert width_of(level, full, size) == partial
        assert width_of(level, full + 1, size) == 0


def test_a_place_has_one_form() -> None:
    for number, place in C2SP["tiles"]["index_path"].items():
        assert place_of(int(number)) == place
    for n in (0, 5, 999, 1000, 1_000_000, 123_456_789):
        assert read_place(place_of(n)) == (n, None)
        assert read_place(f"{place_of(n)}.p/17") == (n, 17)


NO_PLACES = ("", "0", "5", "67", "0067", "x001", "x000/001", "001/002", "x1/002", "001.p", "001.p/",
             "001.p/0", "001.p/00", "001.p/256", "001.p/-1", "001.p/1/", "/001", "001/",
             "-01", "001\n", "x001/067x", "\u0660\u0660\u0661", None, 7)  # fmt: skip


@pytest.mark.parametrize("text", NO_PLACES, ids=repr)
def test_any_other_form_is_no_place(text: Any) -> None:
    assert read_place(text) is None
