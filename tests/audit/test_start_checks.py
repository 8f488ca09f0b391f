"""A log that contradicts itself is not gone on with, and the first bad entry is named."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from audit import published, signer
from audit.checkpoints import NoteKey
from audit.head_checks import verify_heads
from audit.notes import Algorithm
from audit.published import AuditCheckpoint, Cosigned
from audit.records import AuditEntry, AuditPart, AuditState, AuditTile
from audit.signer import Frozen, next_mark, scrub
from audit.start_checks import LogDamaged, require_whole
from audit.tree import fold, leaf_hash
from tests.audit.log_builders import Ring, a_log, add, leaf_at, released

SIZE = 600
KEY = NoteKey("broker.example/audit/tlog/s0e1", Algorithm.ED25519, bytes(range(32)))


@pytest.fixture
def whole(connection: Connection) -> Connection:
    """A log of two full tiles and a bit, whose head was published."""
    a_log(connection, Ring(), SIZE)
    mark = next_mark(connection, shard=0, keys=[KEY], last=None, at=1)
    assert mark is not None
    published.publish(connection, signer.head_of(mark), shard=0, at=1)
    published.keep_signer_keys(connection, [KEY.vkey.text], shard=0, from_size=SIZE)
    return connection


def change(connection: Connection, idx: int, by: Callable[[bytes], bytes]) -> None:
    leaf = by(leaf_at(connection, idx))
    connection.execute(update(AuditEntry).where(col(AuditEntry.idx) == idx).values(leaf=leaf))


def flipped(leaf: bytes) -> bytes:
    return leaf[:-3] + bytes((leaf[-3] ^ 1,)) + leaf[-2:]


def flip_in_a_tile(connection: Connection) -> None:
    change(connection, 300, flipped)


def flip_at_the_edge(connection: Connection) -> None:
    change(connection, SIZE - 1, flipped)


def newer_format_at_the_edge(connection: Connection) -> None:
    change(connection, SIZE - 1, lambda leaf: leaf.replace(b'"v":1', b'"v":2'))


def take_out(connection: Connection) -> None:
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == 300))


def cut_the_last(connection: Connection) -> None:
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == SIZE - 1))


def add_one_more(connection: Connection) -> None:
    row = {"shard": 0, "idx": SIZE, "leaf": leaf_at(connection, 3)}
    connection.execute(insert(AuditEntry), row)


def move_a_part_beyond(connection: Connection) -> None:
    connection.execute(update(AuditPart).where(col(AuditPart.idx) == 5).values(idx=SIZE + 5))


def spoil_a_tile(connection: Connection) -> None:
    where = (col(AuditTile.level) == 0) & (col(AuditTile.n) == 1)
    data = bytearray(connection.scalars(select(col(AuditTile.data)).where(where)).one())
    data[44 * 32] ^= 1
    connection.execute(update(AuditTile).where(where).values(data=bytes(data)))


def take_a_tile(connection: Connection) -> None:
    connection.execute(delete(AuditTile).where(col(AuditTile.level) == 1))


def spoil_the_head(connection: Connection) -> None:
    compact = bytes(32) * SIZE.bit_count()
    connection.execute(update(AuditState).values(compact=compact))


def spoil_the_published_root(connection: Connection) -> None:
    connection.execute(update(AuditCheckpoint).values(root=bytes(32)))


def spoil_the_published_note(connection: Connection) -> None:
    connection.execute(update(AuditCheckpoint).values(note="not a note"))


DAMAGE: dict[Callable[[Connection], None], int | None] = {
    flip_in_a_tile: 300,
    flip_at_the_edge: None,
    newer_format_at_the_edge: None,
    take_out: 300,
    cut_the_last: SIZE - 1,
    add_one_more: SIZE,
    move_a_part_beyond: SIZE + 5,
    spoil_a_tile: 300,
    take_a_tile: 0,
    spoil_the_head: None,
    spoil_the_published_root: None,
    spoil_the_published_note: None,
}


def test_a_whole_log_is_gone_on_with(whole: Connection) -> None:
    require_whole(whole, shard=0)
    assert scrub(whole, shard=0) == SIZE
    assert verify_heads(whole, shard=0) == ()


@pytest.mark.case("AL01")
@pytest.mark.case("AL02")
@pytest.mark.case("AL03")
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_log_is_not(whole: Connection, damage: Callable[[Connection], None]) -> None:
    damage(whole)

    with pytest.raises(LogDamaged) as found:
        require_whole(whole, shard=0)

    if DAMAGE[damage] is not None:
        assert found.value.at == DAMAGE[damage]


@pytest.mark.case("AL01")
@pytest.mark.case("AL02")
@pytest.mark.parametrize(
    ("damage", "at"),
    [(flip_in_a_tile, 300), (take_out, 300), (cut_the_last, SIZE - 1), (spoil_a_tile, 300)],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_the_scrubber_names_the_first_bad_entry(
    whole: Connection, damage: Callable[[Connection], None], at: int
) -> None:
    damage(whole)

    with pytest.raises(Frozen) as found:
        scrub(whole, shard=0)

    assert found.value.at in {at, 512}  # the last tile is known by its first entry


@pytest.mark.case("AL01")
def test_the_scrubber_finds_what_no_tile_could_tell(whole: Connection) -> None:
    flip_at_the_edge(whole)

    with pytest.raises(Frozen, match="those that were signed"):
        scrub(whole, shard=0)


@pytest.mark.case("T88")
@pytest.mark.case("AL06")
def test_a_head_that_does_not_hold_is_a_finding(whole: Connection) -> None:
    for damage, code in (
        (flip_at_the_edge, "head"),
        (spoil_the_published_root, "head"),
        (spoil_the_published_note, "head"),
    ):
        with whole.begin_nested() as attempt:
            damage(whole)
            found = verify_heads(whole, shard=0, everything=True)
            attempt.rollback()
        assert [each.code for each in found] == [code]
    published.keep_cosigned(whole, [Cosigned("w", 1, "no line")], shard=0, size=SIZE)
    assert [each.code for each in verify_heads(whole, shard=0)] == ["witness"]


@pytest.mark.case("T107")
def test_an_entry_of_a_format_that_we_can_not_read_is_not_gone_on_with(
    connection: Connection,
) -> None:
    head = a_log(connection, Ring(), 20)
    change(connection, 19, lambda leaf: leaf.replace(b'"v":1', b'"v":2'))
    leaves = [leaf_hash(leaf_at(connection, idx)) for idx in range(head.size)]
    compact = b"".join(fold((), 0, leaves)[0])
    connection.execute(update(AuditState).values(compact=compact))

    with pytest.raises(LogDamaged, match="no leaf of version 1") as found:
        require_whole(connection, shard=0)

    assert found.value.at == 19


def test_before_anything_was_published_there_is_nothing_to_scrub(connection: Connection) -> None:
    head = a_log(connection, Ring(), 5)

    assert scrub(connection, shard=0) == 0
    require_whole(connection, shard=0)
    add(connection, Ring(), head, [released()])
    assert verify_heads(connection, shard=0) == ()
    assert verify_heads(connection, shard=7) == ()
