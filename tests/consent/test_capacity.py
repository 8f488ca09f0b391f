from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from consent.belgian_time import adult_at
from tests.consent.builders import (
    ADULT_BORN,
    GUARDIAN,
    MINOR,
    MINOR_BORN,
    grant,
    problems,
    terms,
)


@pytest.mark.parametrize(
    ("capacity", "born", "found"),
    [
        ({"type": "adult"}, MINOR_BORN, {"capacity.type: under_18"}),
        ({"type": "adult"}, date(2008, 11, 3), {"capacity.type: under_18"}),
        (MINOR, date(2008, 11, 2), {"capacity.type: not_a_minor"}),
        (MINOR, date(2014, 11, 3), {"capacity.type: under_12"}),
        ({"type": "minor_with_parent"}, date(2016, 1, 1), {"capacity.type: under_12"}),
        ({"type": "guardian"}, date(2016, 1, 1), {"capacity.type: under_12"}),
        ({"type": "adult"}, date(2016, 1, 1), {"capacity.type: under_12"}),
        (MINOR, None, {"capacity.type: birth_date_needed"}),
        ({"type": "minor_with_parent"}, None, {"capacity.type: birth_date_needed"}),
        ({"type": "guardian"}, None, {"capacity.type: birth_date_needed"}),
        (
            {"type": "capable_minor"},
            MINOR_BORN,
            {"capacity.assessed_by: required", "capacity.on: required"},
        ),
        ({**MINOR, "on": "2026-11-03"}, MINOR_BORN, {"capacity.on: future"}),
        ({"type": "wise"}, MINOR_BORN, {"capacity.type: invalid"}),
    ],
)
def test_who_may_not_agree_in_that_capacity_is_refused(
    capacity: Mapping[str, Any], born: date | None, found: set[str]
) -> None:
    assert problems(born=born, capacity=capacity) == found


@pytest.mark.parametrize(
    ("capacity", "born", "until"),
    [
        ({"type": "adult"}, date(2008, 11, 2), None),
        (MINOR, MINOR_BORN, adult_at(MINOR_BORN)),
        (MINOR, date(2013, 11, 2), adult_at(date(2013, 11, 2))),
        ({"type": "minor_with_parent", "parents": "co_signed"}, MINOR_BORN, adult_at(MINOR_BORN)),
        (GUARDIAN, MINOR_BORN, adult_at(MINOR_BORN)),
        (GUARDIAN, ADULT_BORN, None),
    ],
)
def test_a_minors_word_holds_until_the_eighteenth_birthday(
    capacity: Mapping[str, Any], born: date | None, until: int | None
) -> None:
    assert terms(born=born, capacity=capacity).capacity.adult_at == until


@pytest.mark.parametrize(
    ("method", "taken"),
    [
        ("paper_scan", True),
        ("digital_eID", True),
        ("itsme", True),
        ("portal_click", False),
        ("oral_witnessed", False),
        ("oral_interpreter", False),
        ("proxy", False),
    ],
)
@pytest.mark.parametrize(
    "members", [{"sections": ["justice"]}, {"include": ["justice.in_detention"]}]
)
def test_justice_is_granted_in_writing_only(
    members: Mapping[str, Any],
    method: str,
    taken: bool,  # noqa: FBT001 - a row of the table
) -> None:
    said: dict[str, Any] = {
        "grants": [grant(purpose="P4", recipient="org:cvo-west", **members)],
        "evidence": {"method": method},
    }

    if taken:
        assert terms(**said).evidence.method == method
    else:
        assert problems(**said) == {"evidence.method: written_needed"}


def test_health_is_granted_by_the_clients_own_word() -> None:
    said: dict[str, Any] = {"grants": [grant(sections=["health"])], "evidence": {"method": "proxy"}}

    assert problems(**said) == {"evidence.method: own_word_needed"}
    assert terms(capacity=GUARDIAN, **said).evidence.method == "proxy"
    assert terms(**said | {"evidence": {"method": "oral_witnessed", "witness": "team"}}).grants
