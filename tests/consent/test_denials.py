from datetime import timedelta

import pytest

from consent import register
from consent.content import denied_fields
from policies.summary_model import summary_model
from policies.vocabulary import (
    OrganisationId,
    Section,
)
from tests.consent.builders import (
    HOLDER,
    NOON,
    Desk,
)


def test_a_denial_is_told_with_every_field_of_its_sections(desk: Desk) -> None:
    desk.give(denials=[{"sections": ["health", "barr"], "recipient": "any"}])

    assert desk.facts().denied == denied_fields(("health", "barr"))
    assert {"health.functional_limits", "barr.zrm"} <= desk.facts().denied


@pytest.mark.parametrize(
    ("recipient", "denied"),
    [
        ("any", True),
        ("org:vdab-gent", True),
        ("category:public_employment_service", True),
        ("org:vdab-wvl", False),
        ("category:guidance_service", False),
        ("relation:parent", False),
        ("relation:employer", False),
    ],
)
def test_a_denial_reaches_whom_it_names(
    desk: Desk,
    recipient: str,
    denied: bool,  # noqa: FBT001
) -> None:
    desk.give(denials=[{"sections": ["work"], "recipient": recipient}])

    assert bool(desk.facts().denied) == denied


def test_a_denial_of_employers_reaches_every_employer(desk: Desk) -> None:
    desk.give(denials=[{"sections": "all", "recipient": "relation:employer"}])

    assert desk.facts(recipient="bakkerij").denied == set(summary_model().fields)


def test_all_denies_every_section_there_is() -> None:
    assert denied_fields(("all",)) == denied_fields(tuple(Section))


def test_grant_and_denial_in_one_record_are_both_told(desk: Desk) -> None:
    desk.give(denials=[{"sections": ["goals"], "recipient": "any"}])

    facts = desk.facts()

    assert facts.grants[0].fields & facts.denied


def test_a_denial_of_another_record_and_another_controller_counts_whatever_came_first(
    desk: Desk,
) -> None:
    desk.give(denials=[{"sections": ["goals"], "recipient": "any"}])
    desk.give()
    desk.give(
        controller=OrganisationId("leerwinkel-wvl"),
        grants=[],
        denials=[{"sections": ["work"], "recipient": "any"}],
    )

    assert desk.facts().denied == denied_fields(("goals", "work"))


def test_a_denial_outlives_its_consent(desk: Desk) -> None:
    consent = desk.give(denials=[{"sections": ["goals"], "recipient": "any"}])
    desk.give()
    before = desk.facts().denied

    desk.withdraw(consent)

    assert desk.facts(NOON + timedelta(days=900)).denied == before != frozenset()


def test_the_denials_of_what_never_was_a_consent_do_not_count(desk: Desk) -> None:
    consent = desk.give(denials=[{"sections": ["goals"], "recipient": "any"}])
    register.invalidate(
        desk.connection,
        shard=1,
        consent=consent,
        controller=HOLDER,
        via="review",
        at=NOON,
        sealing=desk.sealing,
    )

    assert desk.facts().denied == frozenset()
