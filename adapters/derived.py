"""Fields that no export holds, and that follow from others."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from adapters.contract import ProblemCode
from adapters.reading import Context, Mutable

# The three-way status that the summary model gives for each detail code.
_THREE_WAYS: Mapping[str, str] = {
    "employed": "employed",
    "jobseeker_with_benefit": "unemployed",
    "jobseeker_no_benefit": "unemployed",
    "sickness_invalidity": "inactive",
    "material_support": "unemployed",
    "leefloon": "unemployed",
    "inactive_student": "inactive",
    "inactive_other": "inactive",
    "unknown": "unknown",
}
_IN_WORK_OR_SCHOOL = frozenset({"employed", "inactive_student"})
_MULTIPLE = 2
_DURATIONS = ((6, "lt6m"), (12, "m6_12"), (24, "y1_2"), (60, "y2_5"))


def derive(sections: Mutable, no_diploma: frozenset[str]) -> None:
    """Add the derived fields of those that are there; a missing reason is passed on.

    `educ.early_leaver` is true for a level in `no_diploma`; `barr.multi_problem` from two
    barriers on; `work.neet` for all but the employed and the pupils and students.
    """
    _follow(sections, "educ", "highest_level", "early_leaver", lambda level: level in no_diploma)
    _follow(sections, "work", "status_detail", "status", _THREE_WAYS.get)
    _follow(sections, "work", "status_detail", "neet", _neet)
    _follow(sections, "barr", "codes", "multi_problem", lambda codes: len(codes) >= _MULTIPLE)


def _follow(
    sections: Mutable, section: str, source: str, target: str, rule: Callable[[Any], Any]
) -> None:
    found = sections.get(section, {}).get(source)
    if found is None:
        return
    value = None if found["value"] is None else rule(found["value"])
    made = found | {"value": value}
    if value is None:
        made.setdefault("missing_reason", "unknown")
    sections[section][target] = made


def _neet(detail: str) -> bool | None:
    return None if detail == "unknown" else detail not in _IN_WORK_OR_SCHOOL


def measure_unemployment(sections: Mutable, context: Context, column: str) -> None:
    """Turn the day on which unemployment began into a duration at the day of the record.

    A record of no known day, or of an earlier one, is a problem of `column`.
    """
    found = sections.get("work", {}).get("unemployment_duration")
    if found is None or found["value"] is None:
        return
    value = duration(found["value"], context.observed) if context.observed else None
    found["value"] = value
    if value is None:
        found["missing_reason"] = "unknown"
        context.problem(ProblemCode.BAD_DATE, column)


def duration(since: str, until: str) -> str | None:
    """The code for the time between two ISO dates, in whole months; `None` when it is negative."""
    begin, end = date.fromisoformat(since), date.fromisoformat(until)
    if begin > end:
        return None
    months = (end.year - begin.year) * 12 + end.month - begin.month - (end.day < begin.day)
    return next((code for limit, code in _DURATIONS if months < limit), "ge5y")
