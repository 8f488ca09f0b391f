"""When a consent ends by itself, and when it is looked at: before anybody has opened it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from consent import agenda, register
from consent.agenda import FIRST, LATEST
from consent.belgian_time import adult_at, day_of, end_of, instant, start_of, time_of
from consent.content import Capacity, Terms
from consent.ending import Because, Ending, due_at, ending, over
from consent.lifecycle import Stands
from policies.vocabulary import ConsentId, ConsentState
from tests.consent.builders import (
    CLIENT,
    HOLDER,
    MINOR,
    MINOR_BORN,
    NOON,
    TICK,
    Desk,
    grant,
    micros,
    terms,
)

NOW = micros(NOON)
IN_24_MONTHS = micros(datetime(2028, 11, 2, 11, tzinfo=UTC))
GIVEN = Stands(ConsentState.GIVEN)


def until(*days: str, **more: object) -> Terms:
    return terms(grants=[grant(until=day, **more) for day in days])


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (until("2027-04-01"), Ending(end_of(date(2027, 4, 1)), Because.OVER)),
        (until("2027-04-01", "2027-06-01"), Ending(end_of(date(2027, 6, 1)), Because.OVER)),
        (until("2030-01-01"), Ending(IN_24_MONTHS, Because.LAPSED)),
        (
            terms(grants=[grant(until=None, until_event="release")]),
            Ending(IN_24_MONTHS, Because.LAPSED),
        ),
        (
            terms(
                born=MINOR_BORN,
                capacity=MINOR,
                grants=[grant(until="2028-01-01")],
            ),
            Ending(adult_at(MINOR_BORN), Because.OF_AGE),
        ),
        (
            terms(born=MINOR_BORN, capacity=MINOR, grants=[grant(until="2027-05-13")]),
            Ending(adult_at(MINOR_BORN), Because.OF_AGE),
        ),
        (
            replace(until("2027-04-01"), capacity=Capacity("guardian", mandate_until=NOW + 5)),
            Ending(NOW + 5, Because.MANDATE_OVER),
        ),
    ],
)
def test_the_first_end_that_comes_ends_it(said: Terms, end: Ending) -> None:
    assert ending(said, NOW) == end


def test_what_was_withdrawn_does_not_keep_a_consent_alive() -> None:
    said = until("2027-04-01", "2027-06-01")

    assert over(said.without(frozenset({said.grants[1].id})), NOW).at == end_of(date(2027, 4, 1))


def test_only_what_stands_is_ever_due() -> None:
    said = until("2027-04-01")

    due = [each for each in ConsentState if due_at(Stands(each), said, NOW, NOW) is not None]

    assert due == [ConsentState.GIVEN, ConsentState.RENEWED, ConsentState.NARROWED]


def test_a_birthday_is_kept_in_plain_to_the_month_and_then_from_day_to_day() -> None:
    said = terms(born=MINOR_BORN, capacity=MINOR, grants=[grant(until="2028-01-01")])
    birthday, first = adult_at(MINOR_BORN), start_of(date(2027, 5, 1))

    def due(now: int) -> int | None:
        return due_at(GIVEN, said, NOW, now)

    assert due(NOW) == due(first - 1) == first
    for day in range(1, 13):
        noon = start_of(date(2027, 5, day)) + 43_200_000_000
        assert due(noon) == start_of(date(2027, 5, day + 1))
        assert due(noon) != birthday
    assert due(start_of(date(2027, 5, 13))) == birthday
    assert day_of(birthday) == date(2027, 5, 14)


def test_a_held_consent_waits_for_its_time_alone() -> None:
    said = terms(born=MINOR_BORN, capacity=MINOR, grants=[grant(until="2028-01-01")])
    held = Stands(ConsentState.GIVEN, suspended=True)

    assert due_at(held, said, NOW, adult_at(MINOR_BORN)) == end_of(date(2028, 1, 1))


def due(desk: Desk, at: datetime) -> list[ConsentId]:
    return agenda.due(desk.connection, shard=1, until=instant(at), most=10)


def fall_due(desk: Desk, consent: ConsentId, at: datetime) -> object:
    come = register.fall_due(desk.connection, shard=1, consent=consent, at=at, sealing=desk.sealing)
    return None if come is None else (come[0].state, come[0].suspended, come[1])


def test_a_consent_is_due_at_its_end_and_then_expires_once(desk: Desk) -> None:
    consent = desk.give(grants=[grant(until="2026-11-10")])
    end = time_of(end_of(date(2026, 11, 10)))

    assert due(desk, end - TICK) == []
    assert due(desk, end) == [consent]
    assert fall_due(desk, consent, end - TICK) is None
    assert fall_due(desk, consent, end) == ("expired", False, Because.OVER)
    assert fall_due(desk, consent, end) is None
    assert due(desk, end + timedelta(days=4000)) == []


def test_an_expired_consent_can_be_renewed_and_is_due_again(desk: Desk) -> None:
    consent = desk.give(grants=[grant(until="2026-11-10")])
    end = time_of(end_of(date(2026, 11, 10)))
    fall_due(desk, consent, end)

    renewed = desk.renew(consent, end + TICK, until="2026-12-31")

    assert renewed.state == ConsentState.RENEWED
    assert due(desk, time_of(end_of(date(2026, 12, 31)))) == [consent]


def test_narrowing_brings_the_end_nearer(desk: Desk) -> None:
    consent = desk.give(grants=[grant(until="2026-11-10"), grant(until="2027-04-01")])
    nearer = time_of(end_of(date(2026, 11, 10)))
    assert due(desk, nearer) == []

    desk.withdraw(consent, grants=["g2"])

    assert due(desk, nearer) == [consent]


def test_coming_of_age_holds_and_does_not_end(desk: Desk) -> None:
    consent = desk.give(born=MINOR_BORN, capacity=MINOR, grants=[grant(until="2028-01-01")])
    birthday = time_of(adult_at(MINOR_BORN))

    assert fall_due(desk, consent, birthday - TICK) is None
    assert due(desk, birthday - TICK) == []
    assert fall_due(desk, consent, birthday) == ("given", True, Because.OF_AGE)
    assert fall_due(desk, consent, birthday) is None
    assert fall_due(desk, consent, time_of(end_of(date(2028, 1, 1)))) == (
        "expired",
        False,
        Because.OVER,
    )


def test_a_row_of_before_the_column_is_found_and_looked_at_once(desk: Desk) -> None:
    consent = desk.give(grants=[grant(until="2026-11-10")])
    agenda.put_off(desk.connection, shard=1, consent=consent, due_at=0)
    assert due(desk, NOON) == [consent]

    assert fall_due(desk, consent, NOON) is None

    assert due(desk, NOON) == []
    assert due(desk, time_of(end_of(date(2026, 11, 10)))) == [consent]


def test_a_controller_sees_its_own_in_the_order_of_their_ends_page_by_page(desk: Desk) -> None:
    later = desk.give(grants=[grant(until="2026-11-20")])
    sooner = desk.give(grants=[grant(until="2026-11-10")])
    far = desk.give(grants=[grant(until="2027-04-01")])
    held = desk.give(grants=[grant(until="2026-11-15")])
    gone = desk.give(grants=[grant(until="2026-11-11")])
    desk.withdraw(gone)
    register.suspend(desk.connection, shard=1, consent=held, at=NOON, sealing=desk.sealing)
    soon = micros(NOON + timedelta(days=30))

    def page(**more: object) -> list[agenda.Due]:
        asked: dict[str, object] = {"held": False, "until": soon, "after": FIRST, "most": 10}
        return agenda.due_of(
            desk.connection,
            shard=1,
            controller=HOLDER,
            **{**asked, **more},  # type: ignore[arg-type]
        )

    first, second = page()
    assert [first.id, second.id] == [sooner, later]
    assert (first.client, first.due_at) == (CLIENT, end_of(date(2026, 11, 10)))
    assert page(most=1) == [first]
    assert page(after=(first.due_at, first.id)) == [second]
    assert [each.id for each in page(held=True, until=LATEST)] == [held]
    assert [each.id for each in page(until=LATEST)] == [sooner, later, far]
