from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.levels import age_band, day_of, lang_group, nat_group, year_band, year_of
from policies.reduction import effective_precision
from policies.vocabulary import FieldId

AT = date(2026, 11, 2)


def test_the_year_of_a_date_a_month_and_a_year() -> None:
    assert [year_of("2009-05-14"), year_of("2027-02"), year_of(1999)] == [2009, 2027, 1999]


@pytest.mark.parametrize(
    ("year", "band"), [(2010, "2010-2014"), (2014, "2010-2014"), (2015, "2015-2019")]
)
def test_years_go_five_by_five(year: int, band: str) -> None:
    assert year_band(year) == band


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2009-05-14", "le17"),
        ("2008-11-03", "le17"),
        ("2008-11-02", "a18_22"),
        ("2003-11-03", "a18_22"),
        ("2003-11-02", "a23_25"),
        ("2000-11-02", "a26_35"),
        ("1990-11-02", "a36_45"),
        ("1980-11-02", "ge46"),
        ("1900-01-01", "ge46"),
        (2008, "a18_22"),
    ],
)
def test_the_age_band_turns_on_the_birthday(born: str | int, band: str) -> None:
    assert age_band(born, AT) == band


def test_who_was_born_on_a_leap_day_is_a_year_older_in_march() -> None:
    assert age_band("2008-02-29", date(2026, 2, 28)) == "le17"
    assert age_band("2008-02-29", date(2026, 3, 1)) == "a18_22"


@pytest.mark.parametrize(
    ("country", "group"),
    [("BEL", "BE"), ("POL", "EU"), ("UKR", "non_EU"), ("GBR", "non_EU"), ("XXX", "unknown")],
)
def test_a_nationality_becomes_one_of_four_groups(country: str, group: str) -> None:
    assert nat_group(country) == group


@pytest.mark.parametrize(
    ("language", "group"), [("nld", "nld"), ("ara", "other"), ("und", "unknown")]
)
def test_a_language_is_dutch_or_another(language: str, group: str) -> None:
    assert lang_group(language) == group


def test_the_day_of_an_appointment_is_the_belgian_one() -> None:
    late = {"start": "2026-11-09T23:30:00Z", "org": "vdab-wvl", "site": "Kortrijk"}

    assert day_of(late) == {"start": "2026-11-10", "org": "vdab-wvl"}
    assert day_of({"site": "Kortrijk"}) == {}


@given(st.dates(date(1900, 1, 1), AT))
def test_everybody_born_until_now_has_an_age_band(born: date) -> None:
    order = ["le17", "a18_22", "a23_25", "a26_35", "a36_45", "ge46"]

    now, later = age_band(born.isoformat(), AT), age_band(born.isoformat(), date(2031, 11, 2))

    assert order.index(now) <= order.index(later)


@pytest.mark.parametrize(
    ("field", "asked", "cap", "level"),
    [
        ("ident.birth_date", ["age_band", "day"], None, "day"),
        ("ident.birth_date", ["age_band", "day"], "year", "year"),
        ("ident.birth_date", ["age_band"], "day", "age_band"),
        ("ident.birth_date", [None], None, "year"),
        ("ident.birth_date", [None, "day"], None, "day"),
        ("ident.birth_date", [], None, "year"),
        ("ident.birth_date", ["gone"], None, "age_band"),
        ("ident.birth_date", ["day"], "gone", "age_band"),
        ("educ.highest_level", [None], None, "exact"),
        ("demog.nationality", [None], "exact", "nat_group"),
    ],
)
def test_the_finest_grant_decides_and_never_beyond_the_cap(
    field: str, asked: list[str | None], cap: str | None, level: str
) -> None:
    assert effective_precision(FieldId(field), asked, cap) == level
