from datetime import timedelta

import pytest

from policies.vocabulary import (
    OrganisationId,
    Reason,
)
from tests.consent.builders import (
    NOON,
    Desk,
)


def test_a_refusal_is_told_until_the_client_says_yes(desk: Desk) -> None:
    no = [{"purpose": "P2", "recipient": "any"}]
    desk.give(at=NOON - timedelta(days=2), grants=[], refused=no)

    assert desk.facts().refused
    assert not desk.facts(purpose="P1").refused

    desk.give(at=NOON - timedelta(days=1))
    assert not desk.facts().refused
    assert desk.ended() == [None]


@pytest.mark.parametrize("after", [timedelta(0), timedelta(days=1)])
def test_a_later_no_ends_an_earlier_yes(desk: Desk, after: timedelta) -> None:
    no = [{"purpose": "P2", "recipient": "org:vdab-gent"}]
    desk.give(at=NOON)
    desk.give(at=NOON + after, grants=[], refused=no)

    facts = desk.facts(NOON + after)

    assert facts.refused
    assert [each.ended for each in facts.grants] == [Reason.CONSENT_REFUSED]


def test_a_no_to_all_others_beside_a_yes_ends_nothing(desk: Desk) -> None:
    desk.give(refused=[{"purpose": "P2", "recipient": "any"}])

    assert not desk.facts().refused
    assert desk.ended() == [None]
    assert desk.facts(recipient="vdab-wvl").refused


def test_a_no_to_another_controller_is_no_answer_to_this_one(desk: Desk) -> None:
    no = [{"purpose": "P2", "recipient": "any"}]
    desk.give()
    desk.give(controller=OrganisationId("leerwinkel-wvl"), grants=[], refused=no)

    assert not desk.facts().refused
    assert desk.ended() == [None]
