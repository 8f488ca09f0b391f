"""Why each field stays behind: whatever was asked either leaves or is accounted for, once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Facts, ReleaseRequest
from policies.gates import decide
from policies.minimisation import asked
from policies.purposes import profile
from policies.summary_model import fields_of
from policies.vocabulary import Reason, Section
from policies.withholding import kept_fields, withheld
from tests.policies.situations import (
    a_flow,
    a_grant,
    a_recipient,
    a_request,
    fields,
    shipped_overlay,
    some_facts,
)


def cuts(request: ReleaseRequest, facts: Facts) -> dict[str, frozenset[str]]:
    overlay = shipped_overlay()
    forbidden = overlay.forbidden(facts.recipient, request.purpose)
    kept = withheld(request, facts, decide(request, facts, overlay), forbidden)
    return {why: frozenset(fields) for why, fields in kept.items()}


@pytest.mark.parametrize(
    ("asking", "standing", "why", "field"),
    [
        pytest.param(("goals",), {"denied": fields("goals.reason")}, "denied", "goals.reason"),
        pytest.param(("docs",), {}, "not_granted", "docs.files"),
        pytest.param(("health",), {}, "not_for_this_purpose", "health.functional_limits"),
        pytest.param(("goals",), {"flows": ()}, "no_agreement", "goals.reason"),
        pytest.param(
            ("goals", "educ"), {"flows": (a_flow("educ"),)}, "not_in_the_agreement", "goals.reason"
        ),
        pytest.param(("justice",), {}, "HARD_RULE_H2", "justice.in_detention"),
        pytest.param(
            ("goals",),
            {"recipient": a_recipient(hard_denies=frozenset({Section.GOALS}))},
            "SITE_RULE",
            "goals.reason",
        ),
        pytest.param(("goals",), {"care_relation": False}, "kept_back", "goals.reason"),
        pytest.param(
            ("goals",),
            {"grants": (a_grant("goals", ended=Reason.CONSENT_WITHDRAWN),)},
            "not_granted",
            "goals.reason",
        ),
    ],
)
def test_a_field_is_told_by_the_first_cut_that_holds_it(
    asking: tuple[str, ...], standing: dict[str, Any], why: str, field: str
) -> None:
    found = cuts(a_request(*asking), some_facts(**standing))

    assert field in found[why]
    assert sum(field in each for each in found.values()) == 1


@given(
    sections=st.sets(st.sampled_from(list(Section)), min_size=1),
    granted=st.sets(st.sampled_from(list(Section)), min_size=1),
    agreed=st.sets(st.sampled_from(list(Section)), min_size=1),
    denied=st.sets(st.sampled_from(list(Section))),
)
def test_what_is_asked_leaves_or_is_told_to_stay_once(
    sections: set[Section], granted: set[Section], agreed: set[Section], denied: set[Section]
) -> None:
    request = a_request(*sections)
    facts = some_facts(
        grants=(a_grant(*granted),), flows=(a_flow(*agreed),), denied=fields(*denied)
    )
    leaving = decide(request, facts, shipped_overlay()).fields

    kept = [field for each in cuts(request, facts).values() for field in each]

    of_use = {f for s in asked(request) for f in (fields_of(s) & profile("P2") or fields_of(s))}
    assert len(kept) == len(set(kept))
    assert set(kept) | leaving == of_use
    assert not set(kept) & leaving


def test_of_a_purpose_that_does_not_exist_everything_stays() -> None:
    assert set(kept_fields("P99", [Section.GOALS], frozenset())) == fields_of(Section.GOALS)
