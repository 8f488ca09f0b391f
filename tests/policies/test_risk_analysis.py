"""No special category leaves for a purpose without a risk analysis that was approved."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from policies.agreements import in_force, incomplete, missing_risk_analysis
from policies.documents import UnfitDocument
from policies.purposes import purpose_list
from policies.risk_analysis import TO_FILL_IN, analysed_in, read_risk_analysis
from policies.risk_template import risk_template, special_sections
from policies.summary_model import SPECIAL
from policies.vocabulary import Section
from tests.policies.test_agreements import AGREEMENTS, DOCUMENTS, TODAY, an_agreement

HEALTH_FLOW = DOCUMENTS["PR-2026-001"]["flows"][0] | {"extra_fields": ["health.functional_limits"]}
NEEDED = ("risk_analysis.P1.health", "gdpr-dpia")


def completed(code: str = "P1", **changes: Any) -> dict[str, Any]:
    """The form of a purpose as people would fill it in."""
    form = risk_template(code, AGREEMENTS, {})
    return {
        **form,
        "date": "2026-10-01",
        "necessity": [
            each.replace(TO_FILL_IN, "Gelezen en besproken.") for each in form["necessity"]
        ],
        "risks": [each | {"likelihood": "low", "severity": "high"} for each in form["risks"]],
        "residual_risk": "medium",
        "dpo_advice": {"date": "2026-10-05", "outcome": "positive", "remarks": None},
        "prior_consultation": {"needed": False, "on": None, "reference": None},
        "decision": {"outcome": "approved", "on": "2026-10-12", "function": "algemeen coördinator"},
        **changes,
    }


def test_no_agreement_that_is_given_lets_anything_special_go() -> None:
    assert [each.id for each in AGREEMENTS if missing_risk_analysis(each)] == []


def test_a_flow_of_a_special_section_waits_for_the_analysis_of_its_purpose() -> None:
    agreement = an_agreement(flows=[HEALTH_FLOW])

    done = replace(agreement, analysed=analysed_in([completed()]))

    assert incomplete(agreement) == (NEEDED,)
    assert not in_force(agreement, TODAY)
    assert incomplete(done) == ()
    assert in_force(done, TODAY)


def test_an_analysis_counts_for_its_own_purpose_and_sections_alone() -> None:
    both = HEALTH_FLOW | {"purposes": ["P4"], "extra_fields": ["justice.in_detention"]}
    agreement = replace(
        an_agreement(
            "PR-2026-006", flows=[{**both, "from": ["prison-brugge-tb"], "to": ["cvo-west"]}]
        ),
        analysed=analysed_in([completed()]),
    )

    assert missing_risk_analysis(agreement) == (("risk_analysis.P4.justice", "gdpr-dpia"),)


def test_a_special_section_that_the_purpose_can_not_use_needs_none() -> None:
    useless = HEALTH_FLOW | {"purposes": ["P6"]}

    assert missing_risk_analysis(an_agreement(flows=[useless])) == ()


def test_the_newest_analysis_takes_back_what_an_older_one_allowed() -> None:
    later = {"outcome": "refused", "on": "2026-10-20", "function": "algemeen coördinator"}

    assert analysed_in([completed()]) == {("P1", Section.HEALTH)}
    assert analysed_in([completed(version="2.0", decision=later), completed()]) == frozenset()


@pytest.mark.parametrize(
    "code", [each for each in purpose_list().purposes if special_sections(each)]
)
def test_the_form_is_filled_in_as_far_as_the_configuration_knows(code: str) -> None:
    form = risk_template(code, AGREEMENTS, {})

    assert form["sections"] == list(special_sections(code))
    told = "\n".join(form["description"])
    for agreement in AGREEMENTS:
        if any(code in flow.purposes for flow in agreement.flows):
            assert f"{agreement.id}, versie {agreement.version}" in told
            assert f"{agreement.volume} personen per jaar" in told
            assert str(agreement.retention) in told
    assert len(form["risks"]) >= 9
    assert all(each["measures"] for each in form["risks"])
    with pytest.raises(UnfitDocument):
        read_risk_analysis(form)
    assert read_risk_analysis(completed(code)).approved


def test_only_what_law_holds_apart_needs_one_and_the_form_says_what_comes_near() -> None:
    assert SPECIAL == (Section.HEALTH, Section.JUSTICE)
    told = risk_template("P5", [an_agreement("PR-2026-002", flows=[RESIDENCE])], {})["description"]

    assert any("af te leiden zijn: Verblijf en inburgering" in each for each in told)


RESIDENCE = DOCUMENTS["PR-2026-002"]["flows"][1] | {"sections": ["ident", "resid"]}
_NEGATIVE = {"date": "2026-10-05", "outcome": "negative"}
_LATER = {"date": "2026-10-13", "outcome": "positive"}
_ASKED = {"needed": True, "on": "2026-10-20"}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"purpose": "P90"}, "purpose"),
        ({"sections": ["educ"]}, "sections[0]"),
        ({"sections": ["justice"]}, "sections[0]"),
        ({"sections": []}, "sections"),
        ({"risks": []}, "risks"),
        ({"necessity": [f"Waarom: {TO_FILL_IN}"]}, "necessity[0]"),
        ({"residual_risk": None}, "residual_risk"),
        ({"dpo_advice": None}, "dpo_advice"),
        ({"dpo_advice": _NEGATIVE}, "decision.outcome"),
        ({"dpo_advice": _LATER}, "decision.on"),
        ({"residual_risk": "high"}, "prior_consultation.needed"),
        ({"prior_consultation": {"needed": True}}, "prior_consultation.on"),
        ({"prior_consultation": _ASKED}, "prior_consultation.on"),
        ({"signed_by": "somebody"}, "signed_by"),
    ],
)
def test_an_analysis_that_is_not_whole_or_not_sound_is_refused_with_its_place(
    changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(UnfitDocument) as refused:
        read_risk_analysis(completed(**changes))

    assert refused.value.place == place


def test_a_high_risk_may_be_taken_after_the_supervisor_was_asked() -> None:
    asked = {"needed": True, "on": "2026-10-10", "reference": "VTC/2026/1"}

    analysis = read_risk_analysis(completed(residual_risk="high", prior_consultation=asked))

    assert analysis.prior_consultation.on == date(2026, 10, 10)
    assert analysis.id == "P1/1.0"


def test_who_advised_against_it_is_heard_by_a_refusal() -> None:
    refused = {"outcome": "refused", "on": "2026-10-06", "function": "algemeen coördinator"}

    assert not read_risk_analysis(completed(dpo_advice=_NEGATIVE, decision=refused)).approved


def test_there_is_no_form_for_what_is_no_purpose() -> None:
    with pytest.raises(KeyError):
        risk_template("P90", AGREEMENTS, {})
