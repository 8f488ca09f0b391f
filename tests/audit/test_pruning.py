"""A beginning that was let go: said before it was done, and all the rest goes on proving itself."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update
from sqlmodel import col

from audit import expiry, log, pruning, published, retention, search, signer
from audit.checkpoints import NoteKey
from audit.events import LogPruned, PartsExpired
from audit.export import ExportRefused
from audit.head_checks import verify_heads
from audit.high_water import Mark
from audit.notes import Algorithm
from audit.pruning import NotOwnedUp
from audit.records import AuditEntry, AuditIndex, AuditPart, AuditState, AuditTile
from audit.retention import KEPT
from audit.signer import Frozen, head_of, next_mark, scrub
from audit.start_checks import LogDamaged, require_whole
from audit.tile_store import bundle_at, stored_tiles, tile_at
from audit.tree import leaf_hash, verify_consistency, verify_inclusion
from tests.audit.bundles import judged, note_of, range_of, record_of, said, source_of
from tests.audit.log_builders import (
    ANN,
    BEN,
    EPOCH_OF_NOON,
    Ring,
    a_log,
    add,
    deep,
    found,
    leaf_at,
    released,
)

OLD, STEP, GONE = 900, 256, 768
"""Entries that have had their time; of them whole steps go."""
LATER = KEPT + timedelta(days=1)
YOUNG = EPOCH_OF_NOON + KEPT // timedelta(microseconds=1)
KEY = NoteKey("broker.example/audit/tlog/s0e1", Algorithm.ED25519, bytes(range(32)))


@pytest.fixture
def keys() -> Ring:
    return Ring()


@pytest.fixture
def aged(connection: Connection, keys: Ring) -> Connection:
    """A log whose first entries are old, their parts gone, and whose head was published."""
    head = a_log(connection, keys, OLD)
    head_was_published(connection, at=1)
    stretches = expiry.stretches(connection, shard=0, due=retention.due(YOUNG + 2 * 86_400_000_000))
    n = expiry.expire(connection, shard=0, stretches=stretches)
    young = [released(client) for client in (ANN, BEN) * 100]
    gone = [PartsExpired(n=n, policy="p")]
    add(connection, keys, head, [*gone, *young], later=LATER)
    head_was_published(connection, at=2)
    return connection


@pytest.fixture
def pruned(aged: Connection, keys: Ring) -> Connection:
    """The same, after everything that was due has gone."""
    own_up(aged, keys)
    while pruning.sweep(aged, shard=0):
        pass
    return aged


def own_up(connection: Connection, keys: Ring, size: int = GONE, root: bytes = b"") -> log.Head:
    root = root or pruning.root_at(connection, shard=0, size=size)
    event = LogPruned(min=size, policy="p-2026", root=root.hex())
    return add(connection, keys, log.head(connection, shard=0), [event], later=LATER)


def head_was_published(connection: Connection, *, at: int) -> Mark:
    head = published.latest(connection, shard=0)
    origin = signer.origin_of(connection, 0)
    last = None if head is None else Mark(origin, head.size, head.root, at - 1, head.note)
    mark = next_mark(connection, shard=0, keys=[KEY], last=last, at=at)
    assert mark is not None
    published.publish(connection, head_of(mark), shard=0, at=at)
    published.keep_signer_keys(connection, [KEY.vkey.text], shard=0, from_size=mark.size)
    return mark


def due(connection: Connection, *, before: int = YOUNG, seen: int = 10_000) -> int:
    return pruning.due(connection, shard=0, before=before, seen=seen, step=STEP).size


def test_whole_steps_of_old_entries_that_everybody_has_seen_are_due(aged: Connection) -> None:
    assert due(aged) == GONE
    assert due(aged, seen=GONE - 1) == GONE - STEP
    assert due(aged, before=EPOCH_OF_NOON) == 0


def test_what_can_still_be_read_is_not_due(aged: Connection) -> None:
    where = (col(AuditPart.idx) == 300) & (col(AuditPart.label) == "y")
    aged.execute(update(AuditPart).where(where).values(state=0, ct=b"c", key_id=b"k" * 16))

    assert due(aged) == STEP


def test_an_index_that_lies_about_times_makes_nothing_due(aged: Connection, keys: Ring) -> None:
    aged.execute(update(AuditIndex).values(t=1))

    assert due(aged, before=EPOCH_OF_NOON) == 0


def test_the_slowest_witness_keeps_what_it_was_not_shown(aged: Connection) -> None:
    line = [published.Cosigned("slow", 1, "x"), published.Cosigned("gone", 1, "x")]
    published.keep_cosigned(aged, line, shard=0, size=OLD)
    size = log.head(aged, shard=0).size

    assert published.seen_by_all(aged, {"never", "quick"}, shard=0) == size
    assert published.seen_by_all(aged, {"slow", "quick"}, shard=0) == OLD


def test_rows_of_the_beginning_are_gone_and_the_upper_tiles_are_not(pruned: Connection) -> None:
    for table in (AuditEntry, AuditPart, AuditIndex):
        least = min(pruned.scalars(select(col(table.idx))))
        assert least == GONE
    tiles = pruned.execute(select(col(AuditTile.level), col(AuditTile.n)))
    assert {(level, n) for level, n in tiles} == {(0, 3), (1, 0)}
    assert tile_at(pruned, shard=0, size=OLD, level=0, n=2, width=256) is None
    assert bundle_at(pruned, shard=0, size=OLD, n=2, width=256) is None


def test_a_log_that_was_pruned_is_whole(pruned: Connection, keys: Ring) -> None:
    report = deep(pruned, keys)
    assert found(report) == {}
    assert [note[:22] for note in report.notes] == ["2 clients are complete"]
    require_whole(pruned, shard=0)
    assert verify_heads(pruned, shard=0, everything=True) == ()
    head = head_was_published(pruned, at=3)
    assert scrub(pruned, shard=0) == head.size
    for client in (ANN, BEN):
        timeline = search.timeline(pruned, shard=0, client=client, keys=keys)
        assert (timeline.complete, len(timeline.hits)) == (True, 100)
        assert timeline.expired > 0
        assert timeline.complete_from == timeline.expired + 1 > 1


def test_while_it_is_going_it_is_whole_too(aged: Connection, keys: Ring) -> None:
    own_up(aged, keys)
    assert found(deep(aged, keys)) == {}
    aged.execute(update(AuditState).values(min_index=GONE))
    aged.execute(delete(AuditEntry).where(col(AuditEntry.idx) < STEP))

    assert found(deep(aged, keys)) == {}
    require_whole(aged, shard=0)
    while pruning.sweep(aged, shard=0):
        pass
    assert min(aged.scalars(select(col(AuditEntry.idx)))) == GONE


def test_a_second_time_goes_on_from_the_first(pruned: Connection, keys: Ring) -> None:
    assert due(pruned) == GONE
    later = LATER + KEPT
    head = log.head(pruned, shard=0)
    head = add(pruned, keys, head, [released(ANN)] * 300, later=LATER)
    stretches = expiry.stretches(pruned, shard=0, due=retention.due(2**62))
    n = expiry.expire(pruned, shard=0, stretches=stretches)
    add(pruned, keys, head, [PartsExpired(n=n, policy="p"), released(ANN)], later=later)
    size = due(pruned, before=2**60)
    assert size > GONE
    own_up(pruned, keys, size)
    while pruning.sweep(pruned, shard=0):
        pass

    assert found(deep(pruned, keys)) == {}
    assert search.timeline(pruned, shard=0, client=ANN, keys=keys).complete


def test_everything_that_is_kept_can_be_proven(pruned: Connection) -> None:
    size = log.head(pruned, shard=0).size
    tiles = stored_tiles(pruned, shard=0, size=size)
    root = tiles.root()

    for index in range(GONE, size):
        digest = leaf_hash(leaf_at(pruned, index))
        assert verify_inclusion(index, size, digest, tiles.inclusion(index), root)
    for old in (GONE, GONE + 1, 1000, 1023, 1024, size - 1):
        before = stored_tiles(pruned, shard=0, size=old).root()
        assert verify_consistency(old, size, before, root, tiles.consistency(old))


def test_bundles_of_it_verify(pruned: Connection, keys: Ring, tmp_path: Path) -> None:
    seen = (YOUNG + 86_400_000_000) // 1_000_000
    source = source_of(pruned, keys, note=note_of(pruned, seen=seen))

    whole = judged(tmp_path, range_of(source, start=GONE))
    assert (said(whole), whole.exit_code) == ({}, 0)
    assert f"the log says of its first {GONE} entries that they were pruned" in whole.notes
    record = judged(tmp_path, record_of(source, keys, ANN))
    assert (said(record), record.exit_code) == ({}, 0)
    assert any("without a gap" in note for note in record.notes)
    first = search.timeline(pruned, shard=0, client=ANN, keys=keys).complete_from
    assert any(note.startswith(f"complete from number {first} on") for note in record.notes)
    with pytest.raises(ExportRefused, match=f"the entries {GONE} to"):
        range_of(source, start=GONE - 1)


def test_an_older_head_in_the_gone_part_is_not_called_a_contradiction(
    aged: Connection, keys: Ring, tmp_path: Path
) -> None:
    old, edge = (note_of(aged, size=size) for size in (300, 512))
    own_up(aged, keys)
    while pruning.sweep(aged, shard=0):
        pass
    seen = (YOUNG + 86_400_000_000) // 1_000_000
    bundle = range_of(source_of(aged, keys, note=note_of(aged, seen=seen)), start=GONE)

    assert judged(tmp_path, bundle, edge).exit_code == 0
    report = judged(tmp_path, bundle, old)
    assert (said(report), report.exit_code) == ({"consistency": None}, 2)


def move_the_place(connection: Connection, _: Ring) -> None:
    connection.execute(update(AuditState).values(min_index=GONE))


def take_the_rows_too(connection: Connection, keys: Ring) -> None:
    move_the_place(connection, keys)
    for table in (AuditEntry, AuditPart, AuditIndex):
        connection.execute(delete(table).where(col(table.idx) < GONE))
    below = (col(AuditTile.level) == 0) & (col(AuditTile.n) < GONE // STEP)
    connection.execute(delete(AuditTile).where(below))


def own_up_to_another_place(connection: Connection, keys: Ring) -> None:
    own_up(connection, keys, STEP)
    take_the_rows_too(connection, keys)


def own_up_with_another_root(connection: Connection, keys: Ring) -> None:
    own_up(connection, keys, root=b"r" * 32)
    take_the_rows_too(connection, keys)


@pytest.mark.case("AL02")
@pytest.mark.parametrize(
    "act",
    [move_the_place, take_the_rows_too, own_up_to_another_place, own_up_with_another_root],
    ids=lambda act: act.__name__,
)
def test_al02_a_beginning_that_nobody_owns_up_to_is_found_by_all(
    aged: Connection, keys: Ring, act: Callable[[Connection, Ring], None]
) -> None:
    act(aged, keys)

    assert found(deep(aged, keys))["pruned"] == 0
    with pytest.raises(LogDamaged, match="owns up") as damaged:
        require_whole(aged, shard=0)
    assert damaged.value.at == 0
    with pytest.raises(Frozen, match="owns up") as frozen:
        scrub(aged, shard=0)
    assert frozen.value.at == 0


@pytest.mark.case("AL02")
@pytest.mark.parametrize("at", [GONE, GONE + 5, 950])
def test_al02_what_goes_from_the_rest_is_named(pruned: Connection, keys: Ring, at: int) -> None:
    pruned.execute(delete(AuditEntry).where(col(AuditEntry.idx) == at))

    assert deep(pruned, keys).findings[0].at == at
    with pytest.raises(Frozen) as frozen:
        scrub(pruned, shard=0)
    assert frozen.value.at == at


@pytest.mark.case("AL02")
def test_al02_without_the_place_moved_the_first_gone_entry_is_named(
    aged: Connection, keys: Ring
) -> None:
    own_up(aged, keys)
    aged.execute(delete(AuditEntry).where(col(AuditEntry.idx) < GONE))

    assert found(deep(aged, keys))["missing"] == 0
    with pytest.raises(Frozen) as frozen:
        scrub(aged, shard=0)
    assert frozen.value.at == 0


@pytest.mark.case("AL03")
def test_al03_a_tile_above_what_is_gone_still_holds(pruned: Connection, keys: Ring) -> None:
    data = pruned.scalars(select(col(AuditTile.data)).where(col(AuditTile.level) == 1)).one()
    changed = bytes((data[0] ^ 1,)) + bytes(data[1:])
    pruned.execute(update(AuditTile).where(col(AuditTile.level) == 1).values(data=changed))

    assert found(deep(pruned, keys))["pruned"] == 0
    with pytest.raises(LogDamaged):
        require_whole(pruned, shard=0)


def test_with_another_root_nothing_goes(aged: Connection, keys: Ring) -> None:
    own_up(aged, keys, root=b"r" * 32)

    with pytest.raises(NotOwnedUp, match="not those that are said"):
        pruning.sweep(aged, shard=0)

    assert leaf_at(aged, 0)


def test_of_what_nobody_said_nothing_goes(aged: Connection) -> None:
    assert pruning.sweep(aged, shard=0) == 0
    assert leaf_at(aged, 0)


def test_a_bundle_that_says_another_root_was_pruned_is_a_contradiction(
    aged: Connection, keys: Ring, tmp_path: Path
) -> None:
    own_up(aged, keys, root=b"r" * 32)
    seen = (YOUNG + 86_400_000_000) // 1_000_000
    bundle = range_of(source_of(aged, keys, note=note_of(aged, seen=seen)))

    report = judged(tmp_path, bundle)

    assert (said(report), report.exit_code) == ({"pruned": 0}, 1)
