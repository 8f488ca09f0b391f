"""Who may consent: an adult, a minor who understands, a minor with a parent, a guardian.

Ages are counted in Belgian days, and end at 00:00 Belgian time of the birthday; who was born on
a leap day is a year older on 1 March. Sources: gdpr-child, be-child-13, vl-minor-capable.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from consent.belgian_time import (
    ADULT_FROM,
    adult_at,
    age_on,
    day_in,
    day_of,
    end_of,
    months_after,
    start_of,
)
from consent.content import Capacity, Grant
from consent.forms import CAPACITY, MANDATE
from consent.shape import Problem, Problems
from policies.vocabulary import FieldId

ADULT, CAPABLE_MINOR, WITH_PARENT, GUARDIAN = (
    "adult",
    "capable_minor",
    "minor_with_parent",
    "guardian",
)
OWN_WORD = frozenset({ADULT, CAPABLE_MINOR})
"""Who speaks for themselves; for the others somebody else decides too, or instead."""

YOUNGEST = 12
ONLINE_FROM = 13
"""Years from which a child consents alone to what is offered online (GDPR 8, be-child-13)."""

ONLINE = frozenset({"portal_click", "itsme", "digital_eID"})
FACE_TO_FACE = frozenset({"paper_scan", "oral_witnessed", "oral_interpreter"})
"""Ways in which somebody of the controller has seen who agrees."""

_MINORS = frozenset({CAPABLE_MINOR, WITH_PARENT})
# A function and no person: `clb-topunt/psy`, `team`. Names have capitals and spaces.
_FUNCTION = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)?")


@dataclass(frozen=True, slots=True)
class CapacityRules:
    """What an installation sets: how many months an assessment of a minor is good for."""

    assessed_within: int = 12


USUAL = CapacityRules()


def capacity_in(
    said: Any,
    *,
    born: date | None,
    method: object,
    today: date,
    problems: Problems,
    rules: CapacityRules = USUAL,
) -> Capacity:
    """The capacity that was sent, and what is wrong with it, by the age that is known.

    `method` is the way in which the consent was given.
    """
    if not problems.shaped(said, "capacity", CAPACITY):
        return Capacity(ADULT)
    capacity = _with_mandate(said, problems)
    wrong = _age(capacity, born, today, method) or _lacking(capacity, today, rules)
    for place, code in wrong:
        problems.add(place, code)
    minor = born is not None and age_on(born, today) < ADULT_FROM
    return replace(capacity, adult_at=adult_at(born)) if born and minor else capacity


def _with_mandate(said: Mapping[str, Any], problems: Problems) -> Capacity:
    mandate = said.get("mandate", {})
    capacity = Capacity(**{name: held for name, held in said.items() if name != "mandate"})
    if "mandate" not in said:
        return capacity
    if not problems.shaped(mandate, "capacity.mandate", MANDATE):
        return replace(capacity, mandate="")  # there is one: what is wrong with it is told
    until = day_in(mandate.get("until"))
    return replace(
        capacity,
        mandate=mandate["sha256"],
        mandate_until=end_of(until) if until else None,
        mandate_purposes=tuple(mandate["purposes"]),
        mandate_sections=tuple(mandate.get("sections", ())),
    )


def _age(capacity: Capacity, born: date | None, today: date, method: object) -> list[Problem]:
    """What stands against this age. Without a birth date only an adult somebody saw may agree."""
    if born is None:
        seen = capacity.type == ADULT and method in FACE_TO_FACE
        return [] if seen else [("capacity.type", "birth_date_needed")]
    age = age_on(born, today)
    if age < YOUNGEST:
        return [("capacity.type", "under_12")]
    if age < ADULT_FROM and capacity.type == ADULT:
        return [("capacity.type", "under_18")]
    if age >= ADULT_FROM and capacity.type in _MINORS:
        return [("capacity.type", "not_a_minor")]
    if age < ONLINE_FROM and capacity.type == CAPABLE_MINOR and method in ONLINE:
        return [("evidence.method", "under_13_online")]
    return []


def _lacking(capacity: Capacity, today: date, rules: CapacityRules) -> Iterable[Problem]:
    """What the capacity must bring along and does not."""
    assessed = day_in(capacity.on)
    if assessed and assessed > today:
        yield "capacity.on", "future"
    if capacity.mandate is not None and capacity.type != GUARDIAN:
        yield "capacity.mandate", "guardian_only"
    match capacity.type:
        case "capable_minor":
            yield from _assessment(capacity, assessed, today, rules)
        case "minor_with_parent" if capacity.parents != "co_signed":
            yield "capacity.parents", "co_signed_needed"
        case "guardian" if capacity.mandate is None:
            yield "capacity.mandate", "required"
        case "guardian" if mandate_over(capacity, start_of(today)):
            yield "capacity.mandate.until", "past"


def _assessment(
    capacity: Capacity, assessed: date | None, today: date, rules: CapacityRules
) -> Iterable[Problem]:
    if capacity.assessed_by is None:
        yield "capacity.assessed_by", "required"
    elif not _FUNCTION.fullmatch(capacity.assessed_by):
        yield "capacity.assessed_by", "function_needed"
    if assessed is None:
        yield "capacity.on", "required"
    elif today > day_of(months_after(start_of(assessed), rules.assessed_within)):
        yield "capacity.on", "too_old"


def mandate_over(capacity: Capacity, moment: int) -> bool:
    """Whether the mandate that the consent rests on has ended (T52); none never ends."""
    return capacity.mandate_until is not None and moment >= capacity.mandate_until


def outside_mandate(capacity: Capacity, grants: Iterable[Grant]) -> Iterable[Problem]:
    """Where grants reach further than the mandate of who gave them."""
    if capacity.mandate is None:
        return
    for index, grant in enumerate(grants):
        if grant.purpose not in capacity.mandate_purposes:
            yield f"grants.{index}.purpose", "outside_mandate"
        elif not grant.reads <= _within(capacity, grant.reads):
            yield f"grants.{index}.sections", "outside_mandate"


def shown_to_representative(
    capacity: Capacity, *, purpose: str, fields: frozenset[FieldId], moment: int
) -> frozenset[FieldId]:
    """Those of the fields that whoever decides for the client may see, for this purpose, now.

    A guardian sees what the mandate says, as long as it lasts. A parent sees nothing: what a
    minor tells is the minor's, also where the parent signed too (vl-minor-capable). Nobody
    represents an adult who speaks for themselves.
    """
    if capacity.type != GUARDIAN or capacity.mandate is None or mandate_over(capacity, moment):
        return frozenset()
    return _within(capacity, fields) if purpose in capacity.mandate_purposes else frozenset()


def _within(capacity: Capacity, fields: frozenset[FieldId]) -> frozenset[FieldId]:
    """A mandate that names no sections is about all of them."""
    named = capacity.mandate_sections
    return frozenset(each for each in fields if not named or each.partition(".")[0] in named)
