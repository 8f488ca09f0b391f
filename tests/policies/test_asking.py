"""What may be asked of a client at all: pure, and the same whoever the client is."""

from datetime import date
from typing import Any

import pytest

from policies.asking import Question, reachable
from policies.vocabulary import OrganisationType, Section
from tests.policies.situations import VDAB, a_recipient, fields
from tests.policies.test_agreements import AGREEMENTS

EVERY = frozenset(Section)
TODAY = date(2026, 11, 2)


def a_question(**changes: Any) -> Question:
    values: dict[str, Any] = {
        "sections": EVERY,
        "purpose": "P2",
        "recipient": a_recipient(),
        "forbidden": frozenset({Section.JUSTICE}),
    }
    return Question(**(values | changes))


def test_only_what_purpose_and_agreement_have_in_common_may_be_asked() -> None:
    question = a_question()

    assert question.within(fields("goals", "contact", "resid", "justice")) == ("contact", "goals")
    assert question.within(fields("benef.exemption_status")) == ("benef",)
    assert question.within(fields("benef.types")) == ()
    assert question.within(frozenset()) == ()
    assert a_question(sections=frozenset({Section.LANG})).within(fields(*Section)) == ("lang",)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": a_recipient(hard_denies=frozenset({Section.CONTACT}))},
        {"recipient": a_recipient(only_sections=frozenset({Section.GOALS}))},
        {"forbidden": frozenset({Section.CONTACT})},
    ],
    ids=["directory denies", "directory allows others only", "a rule"],
)
def test_what_is_kept_back_from_the_asker_anyway_may_not_be_asked(changes: Any) -> None:
    assert a_question(**changes).within(fields("contact", "goals")) == ("goals",)


def test_only_who_a_grant_for_the_purpose_may_name_may_ask() -> None:
    assert a_question().may_be_put
    assert not a_question(purpose="P3").may_be_put
    assert not a_question(purpose="P90").may_be_put
    other = a_recipient(type=OrganisationType.GUIDANCE_SERVICE)
    assert not a_question(purpose="P9", recipient=other).may_be_put


def test_what_can_be_reached_is_what_agreements_in_force_let_go_from_anybody() -> None:
    found = reachable(AGREEMENTS, recipient=VDAB, purpose="P2", on=TODAY)

    assert fields("barr.codes", "contact") < found
    assert found.isdisjoint(fields("refer", "justice"))
    assert reachable(AGREEMENTS, recipient=VDAB, purpose="P4", on=TODAY) == frozenset()
    assert reachable(AGREEMENTS, recipient=VDAB, purpose="P2", on=date(2036, 1, 1)) == frozenset()
