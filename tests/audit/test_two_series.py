"""What is kept from a client for a time has numbers of its own, and neither series has a gap."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, update
from sqlmodel import col

from audit import log, search, subjects
from audit.live import verify_log
from audit.parts import NOBODY
from audit.records import AuditIndex, AuditSubject
from audit.regaining import People, regain
from audit.setting_aside import begin_anew
from tests.audit.bundles import SEEN, judged, note_of, record_of, source_of
from tests.audit.log_builders import (
    ANN,
    BEN,
    EPOCH_OF_NOON,
    Ring,
    add,
    begin,
    deep,
    given,
    refused,
    released,
)

HOUR = 3_600_000_000
WHO: dict[str, Any] = {"shard": 0, "key_id": UUID(ANN).bytes}


@pytest.fixture
def keys() -> Ring:
    return Ring()


@pytest.fixture
def kept(connection: Connection, keys: Ring) -> log.Head:
    """Two are shown, three kept back for an hour, two made after it; another client beside."""
    head = begin(connection, keys)
    head = add(connection, keys, head, [given(ANN), given(BEN), released(ANN)])
    until = EPOCH_OF_NOON + HOUR
    assert subjects.delay(connection, **WHO, at=EPOCH_OF_NOON, until=until)
    head = add(connection, keys, head, [released(ANN), refused(ANN), released(BEN), refused("")])
    last = timedelta(hours=1) - timedelta(microseconds=1)
    head = add(connection, keys, head, [released(ANN)], later=last)
    later = timedelta(hours=1)
    return add(connection, keys, head, [released(ANN), refused(BEN), refused(ANN)], later=later)


def counts(connection: Connection, shard: int = 0) -> dict[bytes, tuple[int, int]]:
    """Both counters of each person; what is counted of nobody says nothing."""
    found = subjects.counts(connection, shard=shard)
    return {key_id: each for key_id, each in found.items() if key_id != NOBODY}


def numbers(connection: Connection, keys: Ring, **at: Any) -> list[tuple[str, int]]:
    found = search.timeline(connection, shard=0, client=ANN, keys=keys, **at)
    assert found.complete
    told = search.opened(connection, shard=0, hits=found.hits, labels=("s",), keys=keys)
    parts = [told[hit.index]["s"] for hit in found.hits]
    return [(each.get("ser", ""), each["sn"]) for each in parts]


def test_each_series_is_numbered_without_a_gap(
    connection: Connection, keys: Ring, kept: log.Head
) -> None:
    series = [("", 1), ("", 2), ("d", 1), ("d", 2), ("d", 3), ("", 3), ("", 4)]

    assert numbers(connection, keys) == series
    assert numbers(connection, keys, shown_at=EPOCH_OF_NOON + HOUR) == series
    during = [each for each in series if not each[0]]
    assert numbers(connection, keys, shown_at=EPOCH_OF_NOON + HOUR - 1) == during
    assert counts(connection) == {UUID(ANN).bytes: (4, 3), UUID(BEN).bytes: (3, 0)}
    assert deep(connection, keys).findings == ()


def test_what_was_shown_once_stays_shown_in_a_later_delay(
    connection: Connection, keys: Ring, kept: log.Head
) -> None:
    now = EPOCH_OF_NOON + 2 * HOUR
    before = numbers(connection, keys)
    assert subjects.delay(connection, **WHO, at=now, until=now + HOUR)
    head = add(connection, keys, kept, [released(ANN)], later=timedelta(hours=2))
    assert subjects.delay(connection, **WHO, at=now + 1, until=now + 2 * HOUR)
    add(connection, keys, head, [released(ANN)], later=timedelta(hours=3))

    # Prolonged: what was kept back under the first order is not shown meanwhile.
    for at in (now, now + HOUR, now + 2 * HOUR - 1):
        assert numbers(connection, keys, shown_at=at) == before
    after = [*before, ("d", 4), ("d", 5)]
    assert numbers(connection, keys, shown_at=now + 2 * HOUR) == after
    assert subjects.end_delay(connection, **WHO, at=now + HOUR)
    assert not subjects.end_delay(connection, **WHO, at=now + HOUR)
    assert numbers(connection, keys, shown_at=now + HOUR) == after


@pytest.mark.parametrize(("gone", "missing"), [(3, ((2,), ())), (5, ((), (2,))), (8, ((), (3,)))])
def test_what_is_hidden_leaves_its_number_in_either_series(
    connection: Connection, keys: Ring, kept: log.Head, gone: int, missing: tuple[Any, Any]
) -> None:
    connection.execute(delete(AuditIndex).where(col(AuditIndex.idx) == gone))

    found = search.timeline(connection, shard=0, client=ANN, keys=keys)

    assert (found.missing, found.delayed_missing) == missing
    assert not found.complete
    during = EPOCH_OF_NOON + HOUR - 1
    shown = search.timeline(connection, shard=0, client=ANN, keys=keys, shown_at=during)
    assert (shown.missing, shown.delayed_missing) == (missing[0], ())


def test_a_counter_of_the_second_series_that_is_set_back_is_found(
    connection: Connection, keys: Ring, kept: log.Head
) -> None:
    connection.execute(update(AuditSubject).values(n_delayed=0))

    found = {each.code for each in verify_log(connection, shard=0).findings}

    assert found == {"counter"}


def test_a_record_of_both_series_verifies_offline_as_one_persons(
    connection: Connection, keys: Ring, kept: log.Head, tmp_path: Any
) -> None:
    source = source_of(connection, keys, note=note_of(connection, seen=SEEN + 7200))

    report = judged(tmp_path, record_of(source, keys, ANN))

    assert (report.findings, report.exit_code) == ((), 0)
    assert "numbered without a gap: 4, 3 entries of 1 person(s)" in report.notes


def test_both_series_are_recognised_in_a_log_that_is_made_again(
    connection: Connection, keys: Ring, kept: log.Head
) -> None:
    leaves = [leaf for _, leaf in log.entries(connection, shard=0)]
    empty = log.open_log(connection, shard=1, origin="broker.example/audit/tlog/s0e1")
    people = People(keys, {UUID(each).bytes: keys.of_client(each) for each in (ANN, BEN)}, {})

    made = regain(connection, leaves, after=empty, people=people, erased=0)

    assert made.lost["s"] == 0
    assert counts(connection, shard=1) == counts(connection)


def test_a_delay_holds_in_the_log_that_takes_the_place_of_a_lost_one(
    connection: Connection, keys: Ring
) -> None:
    head = add(connection, keys, begin(connection, keys), [given(ANN), given(BEN)])
    assert subjects.delay(connection, **WHO, at=EPOCH_OF_NOON, until=EPOCH_OF_NOON + HOUR)
    add(connection, keys, head, [released(ANN)])

    add(connection, keys, begin_anew(connection, shard=0), [released(ANN), released(BEN)])

    assert numbers(connection, keys) == [("d", 1)]
    assert numbers(connection, keys, shown_at=EPOCH_OF_NOON) == []
    counted = subjects.counts(connection, shard=0)
    assert (counted[UUID(ANN).bytes], counted[UUID(BEN).bytes]) == ((0, 1), (1, 0))


def test_nobody_is_delayed_who_is_no_client(connection: Connection, keys: Ring) -> None:
    begin(connection, keys)

    assert not subjects.delay(connection, **WHO, at=EPOCH_OF_NOON, until=EPOCH_OF_NOON + HOUR)
