from typing import Any

import pytest

from adapters import forms
from adapters.contract import ProblemCode
from adapters.derived import duration
from adapters.forms import Parser, Unread


@pytest.mark.parametrize(
    ("parse", "cell", "expected"),
    [
        (forms.day_month_year, "05/06/2026", "2026-06-05"),
        (forms.day_month_year, "5/6/2026", "2026-06-05"),
        (forms.day_month_year, "29/02/2024", "2024-02-29"),
        (forms.iso_day, "2026-06-05", "2026-06-05"),
        (forms.iso_day, "2026-06-05T23:30:00+02:00", "2026-06-05"),
        (forms.hours, "0,75", 45),
        (forms.hours, "1.5", 90),
        (forms.hours, "24", 1440),
        (forms.minutes, "55", 55),
        (forms.year, "1999", 1999),
        (forms.country, "BEL", "BEL"),
        (forms.digits, "0231", "0231"),
        (forms.email, "lotte.o'hara+x@client.example", "lotte.o'hara+x@client.example"),
        (forms.phone("+32"), "0450 00 00 00", "+32450000000"),
        (forms.phone("+32"), "0450/00.10.50", "+32450001050"),
        (forms.phone("+32"), "0032450003775", "+32450003775"),
        (forms.phone("+32"), "+32 (0)450 00 31 75", "+32450003175"),
        (forms.text(10), " Lotte \n  Ann ", "Lotte Ann"),
        (forms.text(10), "e\u0301", "é"),
        (forms.text(10), "Lo\u200btte\x00", "Lotte"),
    ],
)
def test_a_good_cell_becomes_a_value(parse: Parser, cell: str, expected: Any) -> None:
    assert parse(cell) == expected


@pytest.mark.parametrize(
    ("parse", "cell", "code"),
    [
        (forms.day_month_year, "31/2/2024", ProblemCode.BAD_DATE),
        (forms.day_month_year, "05/06/26", ProblemCode.BAD_DATE),
        (forms.day_month_year, "2026-06-05", ProblemCode.BAD_DATE),
        (forms.day_month_year, "05/06/0026", ProblemCode.BAD_DATE),
        (forms.iso_day, "05/06/2026", ProblemCode.BAD_DATE),
        (forms.iso_day, "1750-01-01", ProblemCode.BAD_DATE),
        (forms.hours, "nan", ProblemCode.BAD_NUMBER),
        (forms.hours, "24,01", ProblemCode.BAD_NUMBER),
        (forms.hours, "-1", ProblemCode.BAD_NUMBER),
        (forms.minutes, "1441", ProblemCode.BAD_NUMBER),
        (forms.whole, "٣", ProblemCode.BAD_NUMBER),
        (forms.year, "26", ProblemCode.BAD_NUMBER),
        (forms.country, "Belgium", ProblemCode.UNKNOWN_CODE),
        (forms.digits, "lassen", ProblemCode.UNKNOWN_CODE),
        (forms.email, "lotte@", ProblemCode.BAD_EMAIL),
        (forms.email, "lotte@client", ProblemCode.BAD_EMAIL),
        (forms.email, "lo tte@client.example", ProblemCode.BAD_EMAIL),
        (forms.phone("+32"), "bel Fatima", ProblemCode.BAD_PHONE),
        (forms.phone("+32"), "450000000", ProblemCode.BAD_PHONE),
        (forms.text(4), "Lotte", ProblemCode.TOO_LONG),
    ],
)
def test_a_bad_cell_leaves_nothing_but_the_reason(
    parse: Parser, cell: str, code: ProblemCode
) -> None:
    assert parse(cell) == Unread(code)


def test_a_list_keeps_what_is_known_and_tells_that_something_was_not() -> None:
    parse = forms.code_list({"opleiding": "education_started", "info": "information"})

    assert parse("opleiding|info|info") == ["education_started", "information"]
    assert parse("info|vuurwerk") == Unread(ProblemCode.UNKNOWN_CODE, ["information"])
    assert parse(["vuurwerk"]) == Unread(ProblemCode.UNKNOWN_CODE)
    assert parse([]) == []


def test_a_barrier_without_a_good_severity_is_kept_without_one() -> None:
    parse = forms.barriers({"taal": "language"}, "geen")

    assert parse("taal") == [{"code": "language"}]
    assert parse("taal:9") == Unread(ProblemCode.UNKNOWN_CODE, [{"code": "language"}])


def test_moments_sort_by_time_and_what_is_no_time_comes_first() -> None:
    texts = ["2026-10-25T09:45:00+01:00", "2026-10-25T10:30:00+02:00", "gisteren"]

    assert sorted(texts, key=forms.moment) == texts[::-1]


@pytest.mark.parametrize(
    ("since", "until", "code"),
    [
        ("2026-10-10", "2026-10-10", "lt6m"),
        ("2026-04-11", "2026-10-10", "lt6m"),
        ("2026-04-10", "2026-10-10", "m6_12"),
        ("2025-10-10", "2026-10-10", "y1_2"),
        ("2024-10-10", "2026-10-10", "y2_5"),
        ("2021-10-10", "2026-10-10", "ge5y"),
        ("2026-10-11", "2026-10-10", None),
    ],
)
def test_unemployment_is_measured_in_whole_months(since: str, until: str, code: str | None) -> None:
    assert duration(since, until) == code
