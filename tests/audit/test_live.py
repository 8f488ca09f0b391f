from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from audit import leaf, tree
from audit.live import verify_log
from audit.records import AuditEntry, AuditIndex, AuditState, AuditSubject, AuditTile
from audit.verify import Findings, LeafCheck
from tests.audit.log_builders import (
    ANN,
    Ring,
    a_log,
    add,
    change,
    deep,
    found,
    given,
    leaf_at,
)


@pytest.mark.parametrize("size", [4, 40, 256, 257, 600])
def test_a_log_that_nobody_touched_holds_in_all_its_parts(
    connection: Connection, size: int
) -> None:
    keys = Ring()
    head = a_log(connection, keys, size)

    report = deep(connection, keys)

    assert report.findings == ()
    assert report.exit_code == 0
    assert (report.origin, report.size) == ("broker.example/audit/tlog/s0e1", size)
    assert report.root == tree.root_of(head.compact)


def test_a_shard_without_a_log_cannot_be_verified(connection: Connection) -> None:
    report = verify_log(connection, shard=0)

    assert (report.exit_code, found(report)) == (2, {"state": None})


@pytest.mark.case("AL01")
@pytest.mark.parametrize("idx", [0, 7, 255, 256, 299])
def test_al01_a_changed_byte_is_named_by_its_entry(connection: Connection, idx: int) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    raw = leaf_at(connection, idx)

    change(connection, AuditEntry, idx, leaf=raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:])

    report = verify_log(connection, shard=0)
    assert report.exit_code == 1
    assert min(each.at for each in report.findings if each.at is not None) == idx


@pytest.mark.case("AL01")
def test_al01_an_entry_forged_in_good_form_is_named_too(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    body = leaf.read(leaf_at(connection, 17))

    change(connection, AuditEntry, 17, leaf=leaf.canon(body | {"c": "org:somebody-else"}))

    assert found(verify_log(connection, shard=0)) == {"tile": 17}
    assert found(deep(connection, keys)) == {"tile": 17, "index": 17}


def test_a_forgery_in_the_last_tile_is_narrowed_down_by_the_compact_range(
    connection: Connection,
) -> None:
    keys = Ring()
    a_log(connection, keys, 7)
    body = leaf.read(leaf_at(connection, 5))

    change(connection, AuditEntry, 5, leaf=leaf.canon(body | {"c": "org:somebody-else"}))

    report = verify_log(connection, shard=0)
    assert found(report) == {"compact": 4}
    assert "to 5" in report.findings[0].text


@pytest.mark.case("AL02")
@pytest.mark.parametrize("idx", [1, 9, 270, 299])
def test_al02_a_deleted_entry_is_missed(connection: Connection, idx: int) -> None:
    keys = Ring()
    a_log(connection, keys, 300)

    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == idx))

    report = verify_log(connection, shard=0)
    assert report.exit_code == 1
    assert found(report)["missing"] == idx
    assert "leaf" not in found(report)


@pytest.mark.case("AL02")
def test_al02_two_swapped_entries_are_named(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    one, other = leaf_at(connection, 20), leaf_at(connection, 30)

    change(connection, AuditEntry, 20, leaf=other)
    change(connection, AuditEntry, 30, leaf=one)

    report = deep(connection, keys)
    assert report.exit_code == 1
    assert found(report) == {"tile": 20, "part": 20, "index": 20}


@pytest.mark.case("AL02")
def test_al02_an_entry_after_the_last_is_seen(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 40)
    raw = leaf_at(connection, 39)

    connection.execute(insert(AuditEntry).values(shard=0, idx=40, leaf=raw))

    assert found(verify_log(connection, shard=0)) == {"state": 40}


def test_an_event_id_that_comes_twice_is_named_where_it_comes_again(
    connection: Connection,
) -> None:
    keys = Ring()
    a_log(connection, keys, 40)

    change(connection, AuditEntry, 30, leaf=leaf_at(connection, 12))

    assert found(verify_log(connection, shard=0))["id"] == 30


@pytest.mark.case("AL03")
@pytest.mark.parametrize(("level", "n", "piece"), [(0, 0, 3), (0, 1, 255), (1, 0, 1)])
def test_al03_a_changed_tile_is_named_by_the_entries_it_hides(
    connection: Connection, level: int, n: int, piece: int
) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    at = (col(AuditTile.level) == level) & (col(AuditTile.n) == n)
    data = bytes(connection.scalars(select(col(AuditTile.data)).where(at)).one())
    data = data[: 32 * piece] + bytes(32) + data[32 * piece + 32 :]

    connection.execute(update(AuditTile).where(at).values(data=data))

    report = verify_log(connection, shard=0)
    assert report.exit_code == 1
    assert found(report) == {"tile": (n * 256 + piece) * 256**level}


@pytest.mark.case("AL03")
def test_al03_tiles_that_are_missing_or_too_many_are_counted(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 300)

    connection.execute(insert(AuditTile).values(shard=0, level=0, n=1, data=bytes(32)))
    more = verify_log(connection, shard=0)
    connection.execute(delete(AuditTile))
    none = verify_log(connection, shard=0)

    assert (more.exit_code, found(more)) == (1, {"tile": None})
    assert (none.exit_code, found(none)) == (1, {"tile": 0})


@pytest.mark.case("AL03")
@pytest.mark.parametrize("compact", [b"", bytes(64), bytes(32) * 3])
def test_al03_a_changed_compact_range_is_refused(connection: Connection, compact: bytes) -> None:
    keys = Ring()
    a_log(connection, keys, 40)

    connection.execute(update(AuditState).values(compact=compact))

    report = verify_log(connection, shard=0)
    assert (report.exit_code, set(found(report))) == (1, {"compact"})


def test_a_state_rewound_alone_is_seen(connection: Connection) -> None:
    keys = Ring()
    before = a_log(connection, keys, 39)
    add(connection, keys, before, [given(ANN)], later=timedelta(minutes=2))
    rewound = {"size": 39, "compact": b"".join(before.compact), "last_t": before.last_t}

    connection.execute(update(AuditState).values(rewound))

    report = verify_log(connection, shard=0)
    assert report.exit_code == 1
    assert found(report)["state"] == 39


def test_the_last_time_of_the_state_is_that_of_the_last_entry(connection: Connection) -> None:
    a_log(connection, Ring(), 40)

    connection.execute(update(AuditState).values(last_t=0))

    assert found(verify_log(connection, shard=0)) == {"state": 39}


def test_no_step_hides_what_another_finds(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 300)

    change(connection, AuditEntry, 9, leaf=b"{}")
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == 40))
    connection.execute(delete(AuditIndex).where(col(AuditIndex.idx) == 50))
    connection.execute(update(AuditSubject).values(n=1))

    report = deep(connection, keys)
    assert found(report) == {
        "leaf": 9, "tile": 9, "counter": 1, "missing": 40, "index": 50, "number": 43,
    }  # fmt: skip


def test_findings_keep_the_first_entry_and_count_the_rest() -> None:
    findings = Findings()
    for at in (9, 4, None, 7):
        findings.add("tile", at, f"at {at}")
    findings.add("key", 1, "elsewhere", contradicts=False)

    first, second = findings.all()

    assert (first.code, first.at, first.text, first.times) == ("tile", 4, "at 4", 4)
    assert (second.code, second.contradicts) == ("key", False)


def test_order_and_time_are_checked_leaf_by_leaf(golden: dict[str, Any]) -> None:
    raw = [bytes.fromhex(item["leaf_hex"]) for item in golden["items"]]
    findings = Findings()
    check = LeafCheck(findings)

    for index, each in enumerate([raw[1], raw[0], raw[2], raw[7]]):
        check.take(index, each)

    assert {each.code: (each.at, each.times) for each in findings.all()} == {
        "opening": (0, 2),
        "time": (1, 1),
    }
    assert check.tombstones == {"shredded": 10, "expired": 0, "lost": 0}
