"""Parts expire by their kind and age; what is kept goes on proving itself."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, update
from sqlmodel import col

from audit import expiry, export, log, records, retention, search
from audit.erasure import shred
from audit.events import PartsExpired, SubjectErased
from audit.leaf import KINDS
from audit.records import AuditIndex, AuditPart, AuditSubject
from audit.retention import KEPT, POLICY, RULES, Rule, rule_of
from tests.audit.bundles import (
    judged,
    members,
    note_of,
    range_of,
    record_of,
    repacked,
    said,
    source_of,
)
from tests.audit.log_builders import (
    ANN,
    BEN,
    EPOCH_OF_NOON,
    NOON,
    Ring,
    a_log,
    add,
    deep,
    found,
    given,
    refused,
    released,
)

MICROSECOND = timedelta(microseconds=1)
LATER = KEPT + timedelta(days=1)


def expired(
    connection: Connection,
    keys: Ring,
    *,
    later: timedelta,
    rule: Callable[[str], Rule] = rule_of,
    stated: int | None = None,
) -> int:
    """One run at a time; it owns up to what went, or to as much as is `stated`."""
    now = EPOCH_OF_NOON + later // MICROSECOND
    stretches = expiry.stretches(connection, shard=0, due=retention.due(now, rule))
    gone = expiry.expire(connection, shard=0, stretches=stretches)
    if gone:
        event = PartsExpired(n=gone if stated is None else stated, policy=POLICY)
        add(connection, keys, log.head(connection, shard=0), [event], later=later)
    return gone


def exported(connection: Connection, keys: Ring, **changes: Any) -> export.Source:
    """What may be exported after the run, under a head that was witnessed then."""
    seen = int((NOON + LATER).timestamp()) + 120
    return source_of(connection, keys, note=note_of(connection, seen=seen), **changes)


def old_and_young(connection: Connection, keys: Ring) -> log.Head:
    """Forty entries that have had their time, and two for each of two clients that have not."""
    head = a_log(connection, keys, 40)
    young = [released(ANN), refused(BEN), refused(ANN), released(BEN)]
    return add(connection, keys, head, young, later=timedelta(days=400))


def test_what_has_had_its_time_is_gone_and_everything_still_holds(connection: Connection) -> None:
    keys = Ring()
    old_and_young(connection, keys)

    gone = expired(connection, keys, later=LATER)

    parts = records.parts_between(connection, shard=0, start=0, stop=50)
    assert {part.idx for part in parts if part.state == records.EXPIRED} == {
        part.idx for part in parts if part.idx < 40
    }
    assert gone == sum(part.idx < 40 for part in parts) > 100
    assert all(part.ct is None and part.key_id is None for part in parts if part.idx < 40)
    rows = records.index_between(connection, shard=0, start=0, stop=40)
    assert {(row.subject_blind, row.actor_blind, row.consent_blind) for row in rows} == {
        (None,) * 3
    }
    refusals = {row.provider for row in rows if row.kind == "summary.refused"}
    assert refusals == {"org:undisclosed"}
    assert deep(connection, keys).findings == ()


def test_to_the_microsecond(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 4)

    assert expired(connection, keys, later=KEPT) == 0
    assert expired(connection, keys, later=KEPT + MICROSECOND) == 6


def test_a_second_run_changes_nothing(connection: Connection) -> None:
    keys = Ring()
    old_and_young(connection, keys)
    expired(connection, keys, later=LATER)
    before = log.head(connection, shard=0)

    assert expired(connection, keys, later=LATER) == 0

    assert log.head(connection, shard=0) == before


def test_a_long_run_is_cut_into_stretches_and_ends(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Ring()
    old_and_young(connection, keys)
    monkeypatch.setattr(expiry, "STRETCH", 16)

    runs = [expired(connection, keys, later=LATER) for _ in range(4)]

    assert [gone > 0 for gone in runs] == [True, True, True, False]
    assert deep(connection, keys).findings == ()


def test_kinds_may_differ_and_numbers_go_last(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    def rule(kind: str) -> Rule:
        return Rule("erase", timedelta(0), timedelta(days=30 if kind == "summary.refused" else 60))

    later = timedelta(days=31)
    assert expired(connection, keys, later=later, rule=rule) == 2 * 8
    parts = records.parts_between(connection, shard=0, start=0, stop=20)
    gone = {(part.idx, part.label) for part in parts if part.state == records.EXPIRED}
    kinds = {
        row.idx: row.kind for row in records.index_between(connection, shard=0, start=0, stop=20)
    }
    assert {label for _, label in gone} == {"a", "y"}
    assert {kinds[idx] for idx, _ in gone} == {"summary.refused"}
    assert deep(connection, keys).findings == ()
    assert search.timeline(connection, shard=0, client=ANN, keys=keys).complete

    expired(connection, keys, later=timedelta(days=61), rule=rule)

    live = select(col(AuditPart.idx)).where(col(AuditPart.state) == records.LIVE)
    assert connection.scalars(live).all() == []
    assert deep(connection, keys).findings == ()


def test_what_law_keeps_from_erasure_is_kept_at_least_so_long() -> None:
    assert all(rule.span <= rule.kept for rule in RULES.values())


def test_other_rules_have_another_name() -> None:
    said_of_each = repr([(kind, rule_of(kind)) for kind in sorted(KINDS)])

    rules = {"retention-1": "8b3e"}

    assert hashlib.sha256(said_of_each.encode()).hexdigest()[:4] == rules[POLICY]


def test_whoever_was_erased_before_or_is_after_is_not_counted_twice(
    connection: Connection,
) -> None:
    keys = Ring()
    head = old_and_young(connection, keys)
    buried = shred(connection, shard=0, key_id=UUID(ANN).bytes)
    keys.forget(ANN)
    event = SubjectErased(kf="k" * 43, n=buried, lb="x", rq="y")
    add(connection, keys, head, [event], later=timedelta(days=500))

    expired(connection, keys, later=LATER)
    assert deep(connection, keys).findings == ()

    buried = shred(connection, shard=0, key_id=UUID(BEN).bytes)
    keys.forget(BEN)
    event = SubjectErased(kf="k" * 43, n=buried, lb="x", rq="y")
    head = add(connection, keys, log.head(connection, shard=0), [event], later=2 * LATER)
    assert buried == 4
    assert deep(connection, keys).findings == ()


def test_a_client_s_own_record_is_complete_from_what_is_kept_on(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    old_and_young(connection, keys)
    before = search.timeline(connection, shard=0, client=ANN, keys=keys)
    expired(connection, keys, later=LATER)

    now = search.timeline(connection, shard=0, client=ANN, keys=keys)

    assert (now.complete, now.expired, len(now.hits)) == (True, len(before.hits) - 2, 2)
    report = judged(tmp_path, record_of(exported(connection, keys), keys, ANN))
    assert report.findings == ()
    assert f"the first {now.expired} of these have expired" in " ".join(report.notes)


def test_all_of_a_client_s_record_may_have_expired(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 20)
    expired(connection, keys, later=LATER)

    found_now = search.timeline(connection, shard=0, client=ANN, keys=keys)
    assert (found_now.complete, found_now.hits) == (True, ())

    add(connection, keys, log.head(connection, shard=0), [given(ANN)], later=LATER)

    assert search.timeline(connection, shard=0, client=ANN, keys=keys).expired > 0
    assert deep(connection, keys).findings == ()


@pytest.mark.case("AL08")
def test_al08_a_hidden_entry_is_missed_though_others_have_expired(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    head = old_and_young(connection, keys)
    add(connection, keys, head, [released(ANN)], later=timedelta(days=401))
    expired(connection, keys, later=LATER)
    bundle = record_of(exported(connection, keys), keys, ANN)
    young = search.timeline(connection, shard=0, client=ANN, keys=keys).hits

    connection.execute(
        update(AuditIndex).where(col(AuditIndex.idx) == young[1].index).values(subject_blind=None)
    )

    assert len(search.timeline(connection, shard=0, client=ANN, keys=keys).missing) == 1
    report = judged(tmp_path, record_of(exported(connection, keys), keys, ANN))
    assert (report.exit_code, said(report)) == (2, {"number": young[2].index})
    assert judged(tmp_path, bundle).exit_code == 0


@pytest.mark.case("AL13")
@pytest.mark.parametrize("off", [-1, 1])
def test_al13_declared_expired_and_is_not_or_the_reverse(
    connection: Connection, tmp_path: Path, off: int
) -> None:
    keys = Ring()
    old_and_young(connection, keys)
    expired(connection, keys, later=LATER, stated=114 + off)
    gone = sum(
        part.state == records.EXPIRED
        for part in records.parts_between(connection, shard=0, start=0, stop=50)
    )

    assert gone == 114
    report = deep(connection, keys)
    assert (report.exit_code, found(report)) == (1, {"balance": None})
    report = judged(tmp_path, range_of(exported(connection, keys)))
    assert (report.exit_code, said(report)) == (1, {"balance": None})


@pytest.mark.case("AL13")
@pytest.mark.parametrize("labels", [frozenset(), frozenset("asy")])
def test_al13_one_person_s_parts_called_expired_leave_older_ones_of_others(
    connection: Connection, tmp_path: Path, labels: frozenset[str]
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 20)
    hers = (col(AuditPart.key_id) == UUID(BEN).bytes,)
    indexes = set(connection.scalars(select(col(AuditPart.idx)).where(*hers)))
    thin = update(AuditIndex).where(col(AuditIndex.idx).in_(indexes))
    connection.execute(thin.values(subject_blind=None, consent_blind=None))
    gone: Any = update(AuditPart).where(*hers)
    n = connection.execute(gone.values(ct=None, key_id=None, state=records.EXPIRED)).rowcount
    add(connection, keys, head, [PartsExpired(n=n, policy=POLICY)])

    report = deep(connection, keys)
    assert report.exit_code == 1
    assert found(report)["balance"] == 1
    report = judged(tmp_path, range_of(exported(connection, keys, labels=labels)))
    assert (report.exit_code, said(report)) == (1, {"balance": 1})


@pytest.mark.case("AL13")
def test_al13_a_number_that_vanished_beyond_those_that_expired_is_missed(
    connection: Connection,
) -> None:
    keys = Ring()
    head = add(connection, keys, a_log(connection, keys, 4), [released(ANN), released(ANN)])
    later = timedelta(days=400)
    head = add(connection, keys, head, [released(ANN)], later=later)
    expired(connection, keys, later=LATER)
    add(connection, keys, log.head(connection, shard=0), [released(ANN)], later=LATER)
    assert deep(connection, keys).findings == ()

    here = col(AuditSubject.key_id) == UUID(ANN).bytes
    connection.execute(update(AuditSubject).where(here).values(n=col(AuditSubject.n) + 1))
    head = add(connection, keys, log.head(connection, shard=0), [released(ANN)], later=LATER)

    assert found(deep(connection, keys)) == {"counter": None, "number": head.size - 1}


def test_a_bundle_in_which_an_expired_part_is_shown_after_all_is_seen(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    old_and_young(connection, keys)
    expired(connection, keys, later=LATER)
    contents = members(range_of(exported(connection, keys)))
    lines = contents["parts.jsonl"].splitlines(keepends=True)

    contents["parts.jsonl"] = b"".join(lines[:3] + lines[4:])

    assert judged(tmp_path, repacked(contents)).exit_code == 1


def test_nothing_expires_that_the_index_calls_young(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 20)
    connection.execute(update(AuditIndex).values(t=int(NOON.timestamp() * 1e6) * 2))

    assert expired(connection, keys, later=LATER) == 0
