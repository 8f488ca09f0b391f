from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, event, insert, select, update
from sqlmodel import col

from audit import erasure, log, records
from audit.erasure import shred, unfound
from audit.events import SubjectErased
from audit.live import verify_log
from audit.records import AuditIndex, AuditPart, AuditSubject
from tests.audit.log_builders import (
    ANN,
    BEN,
    Ring,
    a_log,
    add,
    change,
    deep,
    found,
    given,
    released,
)


@pytest.mark.case("AL08")
def test_al08_an_entry_hidden_from_the_index_is_found(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 40)

    connection.execute(delete(AuditIndex).where(col(AuditIndex.idx) == 13))

    report = deep(connection, keys)
    assert (report.exit_code, found(report)) == (1, {"index": 13})


INDEXED: dict[str, Any] = {
    "t": 5,
    "kind": "consent.given",
    "outcome": "ok",
    "provider": "org:x",
    "consumer": None,
    "purpose": "P9",
    "application": "app:x",
    "request": bytes(16),
    "subject_blind": None,
    "actor_blind": bytes(16),
    "consent_blind": bytes(16),
    "event_id": bytes(16),
}


def test_every_column_of_the_index_is_compared() -> None:
    assert list(INDEXED) == list(records.IndexRow._fields[1:])


@pytest.mark.case("AL08")
@pytest.mark.parametrize("column", INDEXED)
def test_al08_a_changed_index_row_is_found(connection: Connection, column: str) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    change(connection, AuditIndex, 7, **{column: INDEXED[column]})

    report = deep(connection, keys)
    assert (report.exit_code, found(report)) == (1, {"index": 7})


@pytest.mark.case("AL10")
@pytest.mark.parametrize("label", ["a", "s", "y"])
def test_al10_a_changed_or_borrowed_part_is_not_the_one_committed_to(
    connection: Connection, label: str
) -> None:
    keys = Ring()
    a_log(connection, keys, 20)
    borrowed = connection.execute(
        select(col(AuditPart.ct), col(AuditPart.key_id)).where(
            col(AuditPart.idx) == 9, col(AuditPart.label) == label
        )
    ).one()

    for idx, values in ((6, {"ct": bytes(40)}), (5, borrowed._asdict())):
        here = (col(AuditPart.idx) == idx) & (col(AuditPart.label) == label)
        connection.execute(update(AuditPart).where(here).values(values))
        report = deep(connection, keys)
        assert report.exit_code == 1
        assert found(report)["part"] == idx


@pytest.mark.case("AL10")
def test_al10_a_part_that_is_gone_without_a_tombstone_is_missed(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    connection.execute(delete(AuditPart).where(col(AuditPart.idx) == 6))

    assert found(deep(connection, keys))["part"] == 6


def test_rows_that_belong_to_no_entry_are_seen(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    connection.execute(
        insert(AuditPart).values(shard=0, idx=77, label="y", key_id=bytes(16), ct=b"", state=0)
    )

    assert found(verify_log(connection, shard=0)) == {"state": 77}


@pytest.mark.parametrize("n", [0, 99])
def test_a_counter_that_does_not_fit_the_entries_is_seen(connection: Connection, n: int) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    connection.execute(
        update(AuditSubject).where(col(AuditSubject.key_id) == UUID(ANN).bytes).values(n=n)
    )

    report = verify_log(connection, shard=0)
    assert (report.exit_code, found(report)) == (1, {"counter": 1})


def test_a_client_without_a_counter_or_without_entries_is_seen(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    connection.execute(
        update(AuditSubject)
        .where(col(AuditSubject.key_id) == UUID(ANN).bytes)
        .values(key_id=bytes(15) + b"x")
    )

    report = verify_log(connection, shard=0)
    assert [(each.code, each.times) for each in report.findings] == [("counter", 2)]


def test_a_gap_in_a_client_s_numbers_is_named_by_the_entry_after_it(
    connection: Connection,
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 20)
    connection.execute(update(AuditSubject).values(n=50))

    add(connection, keys, head, [released(ANN)], later=timedelta(minutes=2))

    assert found(deep(connection, keys)) == {"counter": 1, "number": 20}


def erased(connection: Connection, keys: Ring, head: log.Head, n: int) -> None:
    event = SubjectErased(kf="A" * 43, n=n, lb="gdpr:17-1-b", rq="r-1")
    add(connection, keys, head, [event], later=timedelta(minutes=2))


@pytest.mark.case("AL26")
def test_an_erased_client_is_gone_and_everything_still_holds(connection: Connection) -> None:
    keys = Ring()
    head = a_log(connection, keys, 300)
    blind = keys.blind("sub", ANN)

    buried = shred(connection, shard=0, key_id=UUID(ANN).bytes)
    keys.forget(ANN)
    erased(connection, keys, head, buried)

    assert buried > 100
    assert deep(connection, keys).findings == ()
    rows = records.index_between(connection, shard=0, start=0, stop=301)
    assert blind not in {row.subject_blind for row in rows}
    parts = records.parts_between(connection, shard=0, start=0, stop=301)
    assert UUID(ANN).bytes not in {part.key_id for part in parts}
    assert sum(part.ct is None for part in parts) == buried


def test_what_the_index_hides_is_erased_all_the_same(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 40)
    hers = UUID(ANN).bytes
    sealed = sum(
        part.key_id == hers for part in records.parts_between(connection, shard=0, start=0, stop=41)
    )
    about_her = col(AuditIndex.subject_blind) == keys.blind("sub", ANN)
    first = connection.scalars(select(col(AuditIndex.idx)).where(about_her).limit(1)).one()
    hidden = update(AuditIndex).where(col(AuditIndex.idx) == first)
    connection.execute(hidden.values(subject_blind=None))

    besides = unfound(lambda: nullcontext(connection), shard=0, key_id=hers)
    buried = shred(connection, shard=0, key_id=hers, besides=besides)

    parts = records.parts_between(connection, shard=0, start=0, stop=41)
    assert buried == sealed > 20
    assert hers not in {part.key_id for part in parts}


def test_an_erasure_reads_no_more_parts_when_one_entry_has_had_its_time(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Ring()
    a_log(connection, keys, 40)
    hers = UUID(ANN).bytes
    first, *_ = (
        p for p in records.parts_between(connection, shard=0, start=0, stop=41) if p.key_id == hers
    )
    at = (col(AuditPart.idx) == first.idx, col(AuditPart.key_id) == hers)
    gone = {"ct": None, "key_id": None, "state": records.EXPIRED}
    connection.execute(update(AuditPart).where(*at).values(gone))
    thinned = update(AuditIndex).where(col(AuditIndex.idx) == first.idx)
    connection.execute(thinned.values(subject_blind=None))
    monkeypatch.setattr(erasure, "STRETCH", 16)

    opened: list[list[str]] = []

    @contextmanager
    def reading() -> Iterator[Connection]:
        with statements(connection) as seen:
            opened.append(seen)
            yield connection

    besides = unfound(reading, shard=0, key_id=hers)
    with statements(connection) as within:
        shred(connection, shard=0, key_id=hers, besides=besides)

    reads = [[each for each in seen if "FROM audit_part" in each] for seen in opened]
    assert [len(each) for each in reads] == [0, 1, 1, 1]
    assert [each for each in within if "FROM audit_part" in each] == []


@contextmanager
def statements(connection: Connection) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)


def test_a_client_who_returns_after_erasure_counts_from_one(connection: Connection) -> None:
    keys = Ring()
    head = a_log(connection, keys, 20)
    buried = shred(connection, shard=0, key_id=UUID(ANN).bytes)
    erased(connection, keys, head, buried)

    add(connection, keys, log.head(connection, shard=0), [given(ANN)], later=timedelta(hours=1))

    assert deep(connection, keys).findings == ()


@pytest.mark.case("AL13")
@pytest.mark.parametrize("owned_up_to", [None, 1])
def test_al13_an_erasure_that_was_not_owned_up_to_is_seen(
    connection: Connection, owned_up_to: int | None
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 20)

    shred(connection, shard=0, key_id=UUID(ANN).bytes)
    if owned_up_to:
        erased(connection, keys, head, owned_up_to)

    report = verify_log(connection, shard=0)
    assert (report.exit_code, found(report)) == (1, {"balance": None})


def test_a_tombstone_holds_nothing_and_leaves_nothing_in_the_index(
    connection: Connection,
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 20)

    change(connection, AuditPart, 2, state=records.SHREDDED)
    erased(connection, keys, head, 3)

    report = deep(connection, keys)
    assert {"part": 2, "index": 2}.items() <= found(report).items()


def test_a_key_that_is_not_at_hand_is_said_and_is_no_contradiction(
    connection: Connection,
) -> None:
    keys = Ring()
    a_log(connection, keys, 20)
    keys.forget(BEN)

    report = deep(connection, keys)

    assert (report.exit_code, found(report)) == (2, {"key": 2})


def test_without_any_keys_parts_and_index_are_not_verified(connection: Connection) -> None:
    a_log(connection, Ring(), 20)

    report = verify_log(connection, shard=0, deep=True)

    assert (report.exit_code, found(report)) == (2, {"key": None})


def test_a_person_s_part_under_another_key_is_seen(connection: Connection) -> None:
    keys = Ring()
    keys.of_client(BEN)
    # One key for two people: only the key id beside the part still tells them apart.
    keys._by_id[UUID(ANN).bytes] = keys._by_id[UUID(BEN).bytes]  # noqa: SLF001
    a_log(connection, keys, 20)
    here = (col(AuditPart.idx) == 1) & (col(AuditPart.label) == "s")

    connection.execute(update(AuditPart).where(here).values(key_id=UUID(BEN).bytes))

    assert found(deep(connection, keys))["part"] == 1
