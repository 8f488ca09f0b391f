"""Who may consent: ages in Belgian days, assessments, mandates, and what a representative sees."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from consent.belgian_time import adult_at, end_of, instant
from consent.capacity import CapacityRules, shown_to_representative
from consent.content import Capacity, from_bytes, to_bytes
from consent.renewal import not_renewable, read_renewal, renewed
from consent.terms import TermsRefused, read_terms
from policies.vocabulary import FieldId, Reason
from tests.consent.builders import (
    GUARDIAN,
    HOLDER,
    HOUSES,
    MINOR,
    MINOR_BORN,
    NOON,
    NOTICE,
    TICK,
    Desk,
    body,
    grant,
    library,
    problems,
    terms,
)

PARENT = {"type": "minor_with_parent", "parents": "co_signed"}
PAPER = {"method": "paper_scan"}
TWELVE = date(2014, 11, 2)
ALMOST_TWELVE = date(2014, 11, 3)
THIRTEEN = date(2013, 11, 2)


def mandate(**members: Any) -> dict[str, Any]:
    said = {"sha256": "d" * 64, "purposes": ["P2"], **members}
    return {
        "type": "guardian",
        "mandate": {name: held for name, held in said.items() if held is not None},
    }


@pytest.mark.parametrize(
    ("capacity", "born", "method", "found"),
    [
        (MINOR, ALMOST_TWELVE, "paper_scan", {"capacity.type: under_12"}),
        (MINOR, TWELVE, "paper_scan", set()),
        (MINOR, TWELVE, "portal_click", {"evidence.method: under_13_online"}),
        (MINOR, TWELVE, "itsme", {"evidence.method: under_13_online"}),
        (MINOR, TWELVE, "digital_eID", {"evidence.method: under_13_online"}),
        (MINOR, THIRTEEN, "portal_click", set()),
        (PARENT, TWELVE, "portal_click", set()),
        (PARENT, ALMOST_TWELVE, "paper_scan", {"capacity.type: under_12"}),
        ({"type": "adult"}, date(2008, 11, 2), "portal_click", set()),
        ({"type": "adult"}, date(2008, 11, 3), "portal_click", {"capacity.type: under_18"}),
    ],
)
def test_each_age_has_its_own_way_to_consent(
    capacity: Mapping[str, Any], born: date, method: str, found: set[str]
) -> None:
    assert refused(born, capacity=capacity, evidence={"method": method}) == found


@pytest.mark.parametrize(
    ("method", "taken"),
    [("paper_scan", True), ("portal_click", False), ("itsme", False), ("proxy", False)],
)
def test_without_a_birth_date_only_an_adult_whom_somebody_saw_may_consent(
    method: str,
    taken: bool,  # noqa: FBT001 - a row of the table
) -> None:
    found = refused(None, evidence={"method": method})

    assert found == (set() if taken else {"capacity.type: birth_date_needed"})


@pytest.mark.parametrize(
    ("at", "found"),
    [
        # Midnight in Brussels is 22:00 UTC the day before in May, 23:00 in November.
        (datetime(2027, 5, 13, 21, 59, 59, tzinfo=UTC), {"capacity.type: under_18"}),
        (datetime(2027, 5, 13, 22, tzinfo=UTC), set()),
    ],
)
def test_the_day_on_which_somebody_is_eighteen_begins_at_midnight_in_brussels(
    at: datetime, found: set[str]
) -> None:
    assert refused(MINOR_BORN, at=at, grants=[grant(until="2028-01-01")]) == found


@pytest.mark.case("T52")
def test_t52b_who_was_born_on_a_leap_day_is_a_minor_until_the_first_of_march(desk: Desk) -> None:
    born = date(2012, 2, 29)
    first_of_march = datetime(2030, 2, 28, 23, tzinfo=UTC)
    given = first_of_march - timedelta(days=1)
    capacity = {**MINOR, "on": "2029-10-05"}

    desk.give(at=given, born=born, capacity=capacity, grants=[grant(until="2030-12-31")])

    assert adult_at(born) == instant(first_of_march)
    assert desk.ended(first_of_march - TICK) == [None]
    assert desk.ended(first_of_march) == [Reason.CAPACITY_CHANGED_AGE18]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"on": "2025-11-02"}, set()),
        ({"on": "2025-11-01"}, {"capacity.on: too_old"}),
        ({"on": "2026-11-03"}, {"capacity.on: future"}),
        ({"assessed_by": "team"}, set()),
        ({"assessed_by": "Els Peeters"}, {"capacity.assessed_by: function_needed"}),
    ],
)
def test_a_minor_was_found_capable_by_a_function_not_long_ago(
    members: Mapping[str, Any], found: set[str]
) -> None:
    assert refused(MINOR_BORN, capacity={**MINOR, **members}) == found


def test_how_long_an_assessment_is_good_for_is_set_by_the_installation() -> None:
    said = body(capacity=MINOR)
    rules: dict[str, Any] = {
        "controller": HOLDER,
        "at": NOON,
        "born": MINOR_BORN,
        "directory": HOUSES,
    }
    library_knows = library().known

    assert read_terms(said, notice_known=library_knows, rules=CapacityRules(1), **rules).grants
    with pytest.raises(TermsRefused) as old:
        read_terms(said, notice_known=library_knows, rules=CapacityRules(0), **rules)
    assert old.value.problems == (("capacity.on", "too_old"),)


def test_a_parent_who_decides_too_has_signed() -> None:
    without = {"type": "minor_with_parent", "parents": "informed"}

    assert refused(MINOR_BORN, capacity=without) == {"capacity.parents: co_signed_needed"}


def test_a_parent_is_told_or_not_and_is_no_recipient_either_way() -> None:
    told = terms(born=MINOR_BORN, capacity={**MINOR, "parents": "informed"})

    assert told.capacity.parents == "informed"
    assert {each.recipient for each in told.grants} == {"org:vdab-gent"}
    assert problems(grants=[grant(recipient="relation:parent")]) == {"grants.0.recipient: invalid"}


@pytest.mark.parametrize(
    ("capacity", "found"),
    [
        ({"type": "guardian"}, {"capacity.mandate: required"}),
        ({**GUARDIAN, "type": "adult"}, {"capacity.mandate: guardian_only"}),
        (mandate(until="2026-11-01"), {"capacity.mandate.until: past"}),
        (mandate(until="2026-11-02"), set()),
        (mandate(purposes=["P1"]), {"grants.0.purpose: outside_mandate"}),
        (mandate(sections=["ident"]), {"grants.0.sections: outside_mandate"}),
        (mandate(sections=["ident", "goals"]), set()),
        (mandate(sha256="x"), {"capacity.mandate.sha256: invalid"}),
        (mandate(purposes=None), {"capacity.mandate.purposes: required"}),
    ],
)
def test_a_guardian_decides_as_far_as_the_mandate_goes(
    capacity: Mapping[str, Any], found: set[str]
) -> None:
    assert refused(date(1990, 5, 1), capacity=capacity) == found


@pytest.mark.case("T52")
def test_t52a_what_a_guardian_gave_is_void_from_the_end_of_the_mandate(desk: Desk) -> None:
    desk.give(capacity=mandate(until="2026-12-31"))
    end = datetime(2026, 12, 31, 23, tzinfo=UTC)

    assert desk.ended(end - TICK) == [None]
    assert desk.ended(end) == [Reason.CAPACITY_MISSING]


@pytest.mark.case("T52")
def test_t52a_a_later_guardian_inherits_nothing_and_revives_nothing(desk: Desk) -> None:
    old = desk.give(capacity=mandate(until="2026-12-31"))
    later = datetime(2027, 1, 5, 11, tzinfo=UTC)
    heir = mandate(sha256="e" * 64, until="2028-12-31", purposes=["P1", "P2"])

    desk.give(
        at=later,
        capacity=heir,
        grants=[grant(purpose="P1", recipient="org:leerwinkel-wvl", until="2027-04-01")],
    )

    assert desk.ended(later) == [Reason.CAPACITY_MISSING]
    assert desk.renew(old, later, until="2027-06-01").reason is Reason.CAPACITY_MISSING
    assert desk.ended(later) == [Reason.CAPACITY_MISSING]


def test_a_mandate_without_an_end_does_not_end() -> None:
    said = terms(capacity=GUARDIAN)
    again = renewal()

    assert said.capacity.mandate_until is None
    assert not_renewable(renewed(said, again, instant(NOON)), instant(NOON)) is None


def test_the_mandate_is_kept_with_what_was_given() -> None:
    said = terms(capacity=mandate(until="2027-12-31", sections=["ident", "goals"]))

    assert said.capacity.mandate_until == end_of(date(2027, 12, 31))
    assert from_bytes(to_bytes(said)) == said


IDENT, HEALTH = FieldId("ident.given_name"), FieldId("health.functional_limits")
FIELDS = frozenset({IDENT, HEALTH})


@pytest.mark.parametrize(
    ("capacity", "purpose", "seen"),
    [
        (mandate(sections=["ident", "goals"]), "P2", {IDENT}),
        (mandate(), "P2", FIELDS),
        (mandate(sections=["ident", "goals"]), "P1", set()),
        (mandate(until="2026-11-02"), "P2", FIELDS),
        ({"type": "adult"}, "P2", set()),
    ],
)
def test_a_representative_sees_what_the_mandate_says_and_no_more(
    capacity: Mapping[str, Any], purpose: str, seen: set[FieldId]
) -> None:
    held = terms(capacity=capacity).capacity

    assert shown(held, purpose, NOON) == seen


def test_a_representative_sees_nothing_after_the_mandate() -> None:
    held = terms(capacity=mandate(until="2026-11-02")).capacity
    end = datetime(2026, 11, 2, 23, tzinfo=UTC)

    assert shown(held, "P2", end - TICK) == FIELDS
    assert shown(held, "P2", end) == frozenset()


@pytest.mark.parametrize("capacity", [MINOR, PARENT])
def test_a_parent_sees_nothing_of_what_a_minor_shares(capacity: Mapping[str, Any]) -> None:
    held = terms(born=MINOR_BORN, capacity=capacity).capacity

    assert shown(held, "P2", NOON) == frozenset()


def shown(capacity: Capacity, purpose: str, at: datetime) -> frozenset[FieldId]:
    return shown_to_representative(capacity, purpose=purpose, fields=FIELDS, moment=instant(at))


def renewal() -> Any:
    sent = {"notice": NOTICE, "evidence": PAPER}
    return read_renewal(sent, at=NOON, notice_known=library().known)


def refused(born: date | None, at: datetime = NOON, **members: Any) -> set[str]:
    """What is wrong with it; nothing when it is taken."""
    try:
        terms(born=born, at=at, **members)
    except TermsRefused as wrong:
        return {f"{place}: {code}" for place, code in wrong.problems}
    return set()
