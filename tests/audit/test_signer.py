"""Nothing is signed that the signer has not hashed itself and proven to extend what it signed."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update
from sqlmodel import col

from audit import log, published, signer
from audit.checkpoints import NoteKey, checkpoint_in, new_note_key, open_note
from audit.high_water import HighWater, HighWaterUnreadable, Mark
from audit.notes import Algorithm, read_note
from audit.published import AnotherRoot, Cosigned, Head
from audit.records import AuditEntry, AuditIndex, AuditPart, AuditState, AuditTile
from audit.signer import ClockBehind, Frozen, last_signed, next_mark, require_prefix
from audit.tree import root_of
from tests.audit.log_builders import Ring, a_log, add, leaf_at, released

ORIGIN = "broker.example/audit/tlog/s0e1"
KEY = NoteKey(ORIGIN, Algorithm.ED25519, bytes(range(32)))
AT = 1_790_000_000_000_000


def signed(connection: Connection, last: Mark | None = None, at: int = AT) -> Mark | None:
    return next_mark(connection, shard=0, keys=[KEY], last=last, at=at)


def first(connection: Connection) -> Mark:
    mark = signed(connection)
    assert mark is not None
    return mark


def grown(connection: Connection, head: log.Head, keys: Ring, more: int) -> log.Head:
    return add(connection, keys, head, [released()] * more, later=timedelta(hours=1))


def test_a_head_is_signed_with_its_size_and_root(connection: Connection) -> None:
    head = a_log(connection, Ring(), 40)

    mark = first(connection)

    note = open_note(mark.note, [KEY.vkey])
    checkpoint = checkpoint_in(note)
    assert checkpoint is not None
    assert checkpoint == (ORIGIN, 40, root_of(head.compact))
    assert (mark.size, mark.root, mark.signed_at) == (40, checkpoint.root, AT)


def test_every_note_carries_a_line_of_a_key_that_nobody_knows(connection: Connection) -> None:
    a_log(connection, Ring(), 4)

    parts = read_note(first(connection).note)

    assert parts is not None
    assert [each.name.partition("/")[0] for each in parts.lines[1:]] == ["grease.invalid"]


def test_ml_dsa_is_added_and_never_instead(connection: Connection) -> None:
    a_log(connection, Ring(), 4)
    keys = [KEY, new_note_key(ORIGIN, Algorithm.ML_DSA_44)]

    mark = next_mark(connection, shard=0, keys=keys, last=None, at=AT)

    assert mark is not None
    for key in keys:
        assert open_note(mark.note, [key.vkey]) is not None


@pytest.mark.parametrize("more", [1, 215, 216, 217, 500])
def test_a_head_that_follows_another_is_signed_over_the_tile_edges(
    connection: Connection, more: int
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 40)
    last = first(connection)
    head = grown(connection, head, keys, more)

    mark = signed(connection, last)

    assert mark is not None
    assert (mark.size, mark.root) == (40 + more, root_of(head.compact))


def test_a_log_that_has_not_grown_is_not_signed_again(connection: Connection) -> None:
    a_log(connection, Ring(), 40)

    assert signed(connection, first(connection)) is None


@pytest.mark.case("AL24")
def test_a_clock_that_jumped_back_makes_the_signer_wait(connection: Connection) -> None:
    keys = Ring()
    head = a_log(connection, keys, 40)
    last = first(connection)
    grown(connection, head, keys, 1)

    with pytest.raises(ClockBehind):
        signed(connection, last, AT - 1)
    assert signed(connection, last, AT) is not None


def flip(connection: Connection) -> None:
    leaf = bytearray(leaf_at(connection, 300))
    leaf[7] ^= 1
    where = col(AuditEntry.idx) == 300
    connection.execute(update(AuditEntry).where(where).values(leaf=bytes(leaf)))


def take_out(connection: Connection) -> None:
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == 300))


def take_out_at_the_edge(connection: Connection) -> None:
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == 590))


def swap(connection: Connection) -> None:
    one, other = leaf_at(connection, 300), leaf_at(connection, 301)
    for idx, leaf in ((300, other), (301, one)):
        connection.execute(update(AuditEntry).where(col(AuditEntry.idx) == idx).values(leaf=leaf))


def spoil_tile(connection: Connection) -> None:
    where = (col(AuditTile.level) == 0) & (col(AuditTile.n) == 1)
    connection.execute(update(AuditTile).where(where).values(data=bytes(8192)))


def spoil_upper_tile(connection: Connection) -> None:
    where = col(AuditTile.level) == 1
    connection.execute(update(AuditTile).where(where).values(data=bytes(64)))


def spoil_head(connection: Connection) -> None:
    connection.execute(update(AuditState).values(compact=bytes(32) * (600).bit_count()))


ATTACKS: list[tuple[Callable[[Connection], None], int | None]] = [
    (flip, 300),
    (take_out, 300),
    (take_out_at_the_edge, 590),
    (swap, 300),
    (spoil_tile, 256),
    (spoil_upper_tile, 0),
    (spoil_head, None),
]


@pytest.mark.case("AL01")
@pytest.mark.case("AL02")
@pytest.mark.case("AL03")
@pytest.mark.parametrize(("attack", "at"), ATTACKS, ids=lambda each: getattr(each, "__name__", ""))
@pytest.mark.parametrize("signed_before", [False, True])
def test_nothing_is_signed_over_bytes_that_were_changed(
    connection: Connection,
    attack: Callable[[Connection], None],
    at: int | None,
    signed_before: bool,  # noqa: FBT001 - given by pytest
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 40)
    last = first(connection) if signed_before else None
    grown(connection, head, keys, 560)
    attack(connection)

    with pytest.raises(Frozen) as frozen:
        signed(connection, last)

    assert frozen.value.at == at


def rewind(connection: Connection, head: log.Head) -> None:
    """Cut the tail off, consistently: the database alone can not tell."""
    tables: tuple[Any, ...] = (AuditEntry, AuditPart, AuditIndex)
    for table in tables:
        connection.execute(delete(table).where(table.idx >= head.size))
    compact = b"".join(head.compact)
    connection.execute(
        update(AuditState).values(size=head.size, compact=compact, last_t=head.last_t)
    )


@pytest.mark.case("AL04")
def test_a_tail_that_was_cut_off_is_told_by_the_high_water_mark(connection: Connection) -> None:
    keys = Ring()
    short = a_log(connection, keys, 40)
    grown(connection, short, keys, 10)
    last = first(connection)

    rewind(connection, short)

    with pytest.raises(Frozen, match="40 entries, and 50 were signed") as frozen:
        last_signed(connection, shard=0, mark=last)
    assert frozen.value.at == 40
    with pytest.raises(Frozen):
        signed(connection, last)


@pytest.mark.case("AL04")
def test_a_tail_that_was_replaced_is_told_too(connection: Connection) -> None:
    keys = Ring()
    short = a_log(connection, keys, 40)
    grown(connection, short, keys, 10)
    last = first(connection)
    rewind(connection, short)
    grown(connection, log.head(connection, shard=0), keys, 20)

    with pytest.raises(Frozen, match="first 50 entries are not those"):
        last_signed(connection, shard=0, mark=last)
    with pytest.raises(Frozen, match="first 50 entries are not those"):
        signed(connection, last)


def test_the_head_that_was_published_counts_where_the_file_is_older(
    connection: Connection,
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 40)
    older = first(connection)
    grown(connection, head, keys, 10)
    newer = signed(connection, older)
    assert newer is not None
    published.publish(connection, signer.head_of(newer), shard=0, at=AT)

    assert last_signed(connection, shard=0, mark=older) == newer
    assert last_signed(connection, shard=0, mark=newer) == newer
    with pytest.raises(Frozen, match="high-water file is gone"):
        last_signed(connection, shard=0, mark=None)
    with pytest.raises(Frozen, match="of another log"):
        last_signed(connection, shard=0, mark=newer._replace(origin="other"))
    require_prefix(connection, shard=0, size=older.size, root=older.root)


@pytest.mark.case("AL07")
def test_a_size_has_one_root_for_ever(connection: Connection) -> None:
    head = Head(40, b"r" * 32, "note", AT)

    assert published.publish(connection, head, shard=0, at=AT)
    assert not published.publish(connection, head._replace(note="other"), shard=0, at=AT + 1)
    with pytest.raises(AnotherRoot):
        published.publish(connection, head._replace(root=b"s" * 32), shard=0, at=AT)
    assert list(published.heads(connection, shard=0)) == [head]


def test_of_two_lines_by_one_witness_the_later_one_is_kept(connection: Connection) -> None:
    keep = {"shard": 0, "size": 40}
    lines = [Cosigned("w1", 5, "a"), Cosigned("w2", 5, "b")]

    published.keep_cosigned(connection, lines, **keep)
    published.keep_cosigned(connection, [Cosigned("w1", 7, "c"), Cosigned("w2", 4, "d")], **keep)

    assert published.cosigned(connection, **keep) == [
        Cosigned("w1", 7, "c"),
        Cosigned("w2", 5, "b"),
    ]
    assert published.cosigned_sizes(connection, shard=0, most=9) == [40]


def test_keys_are_remembered_for_ever(connection: Connection) -> None:
    published.keep_signer_keys(connection, ["one", "two"], shard=0, from_size=3)
    published.keep_signer_keys(connection, ["two", "three"], shard=0, from_size=9)
    published.end_signer_key(connection, "one", shard=0, to_size=9)

    assert sorted(published.signer_keys(connection, shard=0)) == ["one", "three", "two"]
    assert published.signer_keys(connection, shard=0, use="receipt") == []


def test_the_high_water_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    mark = Mark(ORIGIN, 40, b"\x00\xff" * 16, AT, "note\n")
    file = HighWater(tmp_path / "deep" / "mark.json")

    assert file.claim()
    assert file.read() is None
    file.write(mark)
    file.write(mark._replace(size=41))

    assert file.read() == mark._replace(size=41)
    assert file.path.stat().st_mode & 0o077 == 0
    assert {each.name for each in file.path.parent.iterdir()} == {"mark.json", "mark.json.lock"}


def test_one_signer_at_a_time_has_the_file(tmp_path: Path) -> None:
    one, other = HighWater(tmp_path / "mark.json"), HighWater(tmp_path / "mark.json")

    assert one.claim()
    assert one.claim()
    assert not other.claim()
    one.close()
    assert other.claim()
    other.close()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format": 2}', '{"format": 1}', "\udcff"]
)
def test_a_file_that_is_not_ours_is_no_mark(tmp_path: Path, text: str) -> None:
    (tmp_path / "mark.json").write_text(text, "utf-8", "surrogateescape")

    with pytest.raises(HighWaterUnreadable):
        HighWater(tmp_path / "mark.json").read()


def test_a_mark_is_ours_when_our_key_signed_that_very_head(connection: Connection) -> None:
    a_log(connection, Ring(), 40)
    mark = first(connection)
    changes: list[dict[str, Any]] = [{"size": 41}, {"root": bytes(32)}, {"origin": "x"}]

    assert signer.is_ours(mark, [KEY.vkey.text])
    assert not signer.is_ours(mark, [new_note_key(ORIGIN).vkey.text])
    for each in changes:
        assert not signer.is_ours(mark._replace(**each), [KEY.vkey.text])
