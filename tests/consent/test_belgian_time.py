from datetime import UTC, date, datetime

import pytest

from consent.belgian_time import (
    adult_at,
    age_on,
    birthday,
    day_in,
    day_of,
    end_of,
    instant,
    months_after,
    start_of,
    time_of,
)

HOUR = 3_600_000_000


def test_an_instant_is_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 2, 11, 0, 0, 123_457, tzinfo=UTC)

    assert time_of(instant(at)) == at
    assert instant(datetime(1970, 1, 1, tzinfo=UTC)) == 0


def test_a_time_without_a_zone_is_no_instant() -> None:
    with pytest.raises(TypeError):
        instant(datetime(2026, 11, 2))  # noqa: DTZ001 - that is what must fail


def test_a_day_is_a_belgian_day() -> None:
    last = datetime(2026, 11, 2, 22, 59, 59, 999_999, tzinfo=UTC)

    assert day_of(instant(last)) == date(2026, 11, 2)
    assert day_of(instant(last) + 1) == date(2026, 11, 3)
    assert end_of(date(2026, 11, 2)) == instant(last) + 1


@pytest.mark.parametrize(("day", "hours"), [((2026, 10, 25), 25), ((2027, 3, 28), 23)])
def test_the_days_on_which_the_clock_changes_have_their_own_length(
    day: tuple[int, int, int], hours: int
) -> None:
    assert end_of(date(*day)) - start_of(date(*day)) == hours * HOUR


@pytest.mark.parametrize(
    "text",
    ["2026-02-29", "20261102", "2026-W45-1", "2026-11-2", "1899-12-31", "2201-01-01", "", 7, None],
)
def test_what_is_no_day_is_none(text: object) -> None:
    assert day_in(text) is None


def test_a_day_is_read_as_written() -> None:
    assert day_in("2028-02-29") == date(2028, 2, 29)


def test_someone_born_on_a_leap_day_comes_of_age_on_the_first_of_march() -> None:
    born = date(2008, 2, 29)

    assert birthday(born, 18) == date(2026, 3, 1)
    assert birthday(born, 20) == date(2028, 2, 29)
    assert age_on(born, date(2026, 2, 28)) == 17
    assert age_on(born, date(2026, 3, 1)) == 18
    assert adult_at(born) == start_of(date(2026, 3, 1))


def test_age_is_counted_in_full_years() -> None:
    born = date(2009, 5, 14)

    assert age_on(born, date(2027, 5, 13)) == 17
    assert age_on(born, date(2027, 5, 14)) == 18


def test_months_keep_the_clock_time_and_stay_inside_the_month() -> None:
    summer = instant(datetime(2026, 7, 31, 8, tzinfo=UTC))
    leap = instant(datetime(2024, 2, 29, 9, tzinfo=UTC))

    assert time_of(months_after(summer, 4)) == datetime(2026, 11, 30, 9, tzinfo=UTC)
    assert time_of(months_after(leap, 24)) == datetime(2026, 2, 28, 9, tzinfo=UTC)
    assert months_after(summer, 0) == summer
