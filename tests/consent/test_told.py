"""A grant is on the notice, by its purpose and by the kind of its recipient, or it is none."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from consent.content import Terms
from consent.told import misplaced, untold
from exchange.samples import DATA
from policies.vocabulary import OrganisationId
from tests.consent.builders import HOLDER, HOUSES, grant, terms

TODAY = date(2026, 11, 2)
JOINT = (DATA / "notices" / "N-P2P3-joint.nl.md").read_text("utf-8")
CVO = {"purpose": "P4", "recipient": "org:cvo-west"}


def problems(said: Terms) -> list[tuple[str, str]]:
    return list(untold(said, JOINT, controller=HOLDER, today=TODAY, directory=HOUSES))


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (CVO, "purpose"),
        ({"purpose": "P5", "recipient": "org:agii-wvl"}, "purpose"),
        ({"purpose": "P6", "recipient": "org:agii-wvl"}, "recipient"),
    ],
)
def test_what_the_notice_does_not_tell_is_told_by_place(wrong: dict[str, str], place: str) -> None:
    said = terms(grants=[grant(), grant(**wrong)])

    assert problems(said) == [(f"grants.1.{place}", "not_on_the_notice")]


@pytest.mark.parametrize(
    "right",
    [
        {"purpose": "P6"},
        {"purpose": "P1", "recipient": "org:leerwinkel-wvl"},
        {"purpose": "P3", "recipient": "partnership:lp-zuid-wvl@2026-11-01"},
        {"purpose": "P2", "recipient": "org:destap-ww"},
    ],
    ids=["an appointment with who is announced", "a guidance service", "a member", "who asks"],
)
def test_what_is_announced_passes(right: dict[str, str]) -> None:
    assert problems(terms(grants=[grant(**right)])) == []


def test_of_a_kind_of_recipients_the_kind_is_announced() -> None:
    said = terms(grants=[grant()])
    kinds = ("category:public_employment_service", "category:back_office,backoffice")
    grants = tuple(replace(said.grants[0], recipient=each) for each in kinds)

    assert problems(replace(said, grants=grants)) == [("grants.1.recipient", "not_on_the_notice")]


def test_a_text_without_front_matter_tells_nothing() -> None:
    said = terms()

    untitled = untold(said, "Ja?", controller=HOLDER, today=TODAY, directory=HOUSES)

    assert list(untitled) == [("grants.0.purpose", "not_on_the_notice")]


def test_what_is_withdrawn_needs_no_telling_and_no_place() -> None:
    said = terms(grants=[grant(), grant(**CVO)])
    moved = replace(said.grants[1], recipient="org:agii-wvl")
    said = replace(said, grants=(said.grants[0], moved))
    who: Any = {"controller": OrganisationId(HOLDER), "today": TODAY, "directory": HOUSES}

    assert list(misplaced(said, **who)) == [("grants.1.recipient", "not_for_this_purpose")]
    ended = said.without(frozenset([moved.id]))
    assert problems(ended) == list(misplaced(ended, **who)) == []
