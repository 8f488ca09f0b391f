from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from consent.belgian_time import adult_at, end_of, time_of
from consent.notices import Notice
from policies.vocabulary import (
    Reason,
)
from tests.consent.builders import (
    MINOR,
    MINOR_BORN,
    NOON,
    NOTICE,
    TICK,
    Desk,
    grant,
    library,
    micros,
)


@pytest.mark.case("T54")
def test_t54_given_and_withdrawn_at_the_same_instant_is_withdrawn(desk: Desk) -> None:
    consent = desk.give(at=NOON)
    desk.withdraw(consent, at=NOON)

    assert desk.ended(NOON) == [Reason.CONSENT_WITHDRAWN]


@pytest.mark.case("T54")
def test_t54_renewed_and_withdrawn_at_the_same_instant_is_withdrawn(desk: Desk) -> None:
    consent = desk.give(at=NOON - timedelta(days=1))
    desk.renew(consent, NOON)
    desk.withdraw(consent, at=NOON)

    assert desk.ended(NOON) == [Reason.CONSENT_WITHDRAWN]
    assert desk.renew(consent, NOON).reason == Reason.ALREADY_WITHDRAWN


def test_a_withdrawal_that_arrives_late_still_stops_the_next_fetch(desk: Desk) -> None:
    consent = desk.give(at=NOON)

    desk.withdraw(consent, at=NOON - timedelta(hours=1))

    assert desk.ended(NOON) == desk.ended(NOON + timedelta(days=1)) == [Reason.CONSENT_WITHDRAWN]


def test_a_part_withdrawn_is_withdrawn_and_the_rest_is_live(desk: Desk) -> None:
    consent = desk.give(grants=[grant(), grant(sections=["work"])])
    desk.withdraw(consent, grants=["g1"])

    assert desk.ended() == [Reason.CONSENT_WITHDRAWN, None]


@pytest.mark.case("T55")
def test_t55a_a_grant_is_over_exactly_at_its_end(desk: Desk) -> None:
    desk.give(grants=[grant(until="2026-11-02")])
    end = time_of(end_of(date(2026, 11, 2)))

    assert desk.ended(end - TICK) == [None]
    assert desk.ended(end) == [Reason.CONSENT_EXPIRED]
    assert end == datetime(2026, 11, 2, 23, tzinfo=UTC)


@pytest.mark.case("T55")
@pytest.mark.parametrize(
    ("until", "end"),
    [
        pytest.param("2027-03-28", datetime(2027, 3, 28, 22, tzinfo=UTC), id="b spring"),
        pytest.param("2026-10-25", datetime(2026, 10, 25, 23, tzinfo=UTC), id="b autumn"),
        pytest.param("2028-02-29", datetime(2028, 2, 29, 23, tzinfo=UTC), id="c leap day"),
    ],
)
def test_t55bc_the_last_instant_of_a_strange_day_is_its_own(
    desk: Desk, until: str, end: datetime
) -> None:
    desk.give(at=end - timedelta(days=30), grants=[grant(until=until)])

    assert desk.ended(end - TICK) == [None]
    assert desk.ended(end) == [Reason.CONSENT_EXPIRED]


def test_a_grant_gives_nothing_before_its_first_day(desk: Desk) -> None:
    desk.give(grants=[grant(**{"from": "2026-12-01"})])
    start = datetime(2026, 11, 30, 23, tzinfo=UTC)

    assert desk.ended(start - TICK) == [Reason.CONSENT_EXPIRED]
    assert desk.ended(start) == [None]


@pytest.mark.parametrize(
    ("until", "happened", "end"),
    [
        ("2027-04-01", None, datetime(2027, 4, 1, 22, tzinfo=UTC)),
        ("2027-04-01", NOON, NOON),
        ("2026-12-01", datetime(2027, 1, 5, tzinfo=UTC), datetime(2026, 12, 1, 23, tzinfo=UTC)),
    ],
)
def test_of_until_and_an_event_the_first_ends_the_grant(
    desk: Desk, until: str, happened: datetime | None, end: datetime
) -> None:
    desk.give(
        at=NOON - timedelta(days=1), grants=[grant(until=until, until_event="trajectory_closed")]
    )
    events = {"happened": {"trajectory_closed": micros(happened)}} if happened else {}

    assert desk.ended(end - TICK, **events) == [None]
    assert desk.ended(end, **events) == [Reason.CONSENT_EXPIRED]


def test_another_event_ends_nothing(desk: Desk) -> None:
    desk.give(grants=[grant(until=None, until_event="release")])

    assert desk.ended(happened={"first_contact": micros(NOON)}) == [None]


def test_enrolment_goes_on_three_months_after_the_first_contact(desk: Desk) -> None:
    desk.give(
        grants=[
            grant(purpose="P4", recipient="org:cvo-west", until=None, until_event="first_contact")
        ]
    )
    asker: dict[str, Any] = {
        "recipient": "cvo-west",
        "purpose": "P4",
        "happened": {"first_contact": micros(NOON)},
    }
    end = datetime(2027, 2, 2, 11, tzinfo=UTC)

    assert desk.ended(end - TICK, **asker) == [None]
    assert desk.ended(end, **asker) == [Reason.CONSENT_EXPIRED]


@pytest.mark.case("T52")
def test_t52b_a_minors_consent_is_void_from_midnight_of_the_eighteenth_birthday(
    desk: Desk,
) -> None:
    desk.give(
        born=MINOR_BORN, capacity=MINOR, grants=[grant(until="2028-01-01", until_event="age_18")]
    )
    birthday = datetime(2027, 5, 13, 22, tzinfo=UTC)

    assert time_of(adult_at(MINOR_BORN)) == birthday
    assert desk.ended(birthday - TICK) == [None]
    assert desk.ended(birthday) == [Reason.CAPACITY_CHANGED_AGE18]


@pytest.mark.case("T52")
def test_t52b_coming_of_age_is_the_reason_also_where_the_period_ends_that_midnight(
    desk: Desk,
) -> None:
    desk.give(born=MINOR_BORN, capacity=MINOR, grants=[grant(until="2027-05-13")])

    assert desk.ended(time_of(adult_at(MINOR_BORN))) == [Reason.CAPACITY_CHANGED_AGE18]


def test_no_consent_is_older_than_24_months_without_renewal(desk: Desk) -> None:
    given = datetime(2024, 11, 2, 11, tzinfo=UTC)
    consent = desk.give(at=given, grants=[grant(until="2030-01-01")])

    assert desk.ended(NOON - TICK) == [None]
    assert desk.ended(NOON) == [Reason.HARD_RULE_H9]

    desk.renew(consent, NOON)
    assert desk.ended(datetime(2028, 11, 2, 11, tzinfo=UTC) - TICK) == [None]


def test_a_notice_that_changed_what_matters_ends_what_rests_on_it(desk: Desk) -> None:
    consent = desk.give()
    newer = Notice("N-P2", "3.0", "nl", "c" * 64, substantive=True, text="")
    desk.notices = library(newer)

    assert desk.ended() == [Reason.CONSENT_STALE_NOTICE]

    desk.renew(consent, NOON, notice={**NOTICE, "version": "3.0"})
    assert desk.ended() == [None]


def test_a_notice_put_right_ends_nothing(desk: Desk) -> None:
    desk.give()
    desk.notices = library(Notice("N-P2", "2.2", "nl", "c" * 64, substantive=False, text=""))

    assert desk.ended() == [None]


def test_a_hash_that_no_notice_has_makes_the_consent_unusable(desk: Desk) -> None:
    desk.give(notice={**NOTICE, "sha256": "f" * 64})

    assert desk.ended() == [Reason.CONSENT_STALE_NOTICE]
