"""What can not be is refused with its place and its rule; what is given stays as it was."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policies.contradictions import contradictions
from policies.organisations import Organisation, read_directory
from policies.vocabulary import OrganisationId
from policies.yaml_files import read_yaml
from tests.policies.test_agreements import AGREEMENTS, DOCUMENTS, FLOW, PARTY, an_agreement

DIRECTORY = Path(__file__).parents[1] / "data/organisations.yaml"
KNOWN: Mapping[OrganisationId, Organisation] = {
    each.id: each for each in read_directory(read_yaml(DIRECTORY.read_bytes())).organisations
}
LEGAL = DOCUMENTS["PR-2026-001"]["legal"]
OTHER = DOCUMENTS["PR-2026-001"]["parties"][1]
ONWARD = ["notify", "view", "onward"]
HERSELF: dict[str, Any] = {"from": ["vdab-wvl"], "to": ["vdab-wvl"]}
MASKED = {"sections": ["ident", "refer"], "purposes": ["P2"], "origin_masking": True}


@pytest.mark.parametrize("agreement", AGREEMENTS, ids=lambda each: each.id)
def test_nothing_is_found_in_the_agreements_that_are_given(agreement: Any) -> None:
    assert contradictions(agreement, KNOWN) == ()


@pytest.mark.parametrize(
    ("changes", "place", "source"),
    [
        pytest.param(HERSELF, "flows[0]", "vl-egov-protocol", id="to herself alone"),
        pytest.param(
            {"sections": ["educ"], "excluded_fields": [], "purposes": ["P6"]},
            "flows[0].sections",
            "gdpr-minimise",
            id="of no use for the purpose",
        ),
        pytest.param({"purposes": ["P4"]}, "flows[0].purposes", "gdpr-purpose", id="for nobody"),
        pytest.param(
            {"onward": True}, "flows[0].onward", "gdpr-purpose", id="onward, no operation"
        ),
        pytest.param(
            {"operations": ONWARD}, "flows[0].onward", "gdpr-purpose", id="operation, not onward"
        ),
        pytest.param(
            MASKED, "flows[0].precision_caps", "gdpr-minimise", id="masked, and told all the same"
        ),
    ],
)
def test_a_flow_that_can_not_be_is_named_with_its_place(
    changes: dict[str, Any], place: str, source: str
) -> None:
    found = contradictions(an_agreement(flows=[FLOW | changes]), KNOWN)

    assert (place, source) in [(each.place, each.source) for each in found]


def test_a_flow_of_which_nothing_is_left_is_named() -> None:
    emptied = FLOW | {
        "sections": ["natid"],
        "extra_fields": [],
        "excluded_fields": ["natid.insz"],
        "precision_caps": {},
    }

    (found,) = contradictions(an_agreement(flows=[emptied]), KNOWN)

    assert "nothing is left" in str(found)


def test_what_may_go_onward_says_to_whom() -> None:
    onward = FLOW | {"onward": True, "operations": ONWARD}

    whole = contradictions(an_agreement(flows=[onward]), KNOWN)
    silent = contradictions(an_agreement(flows=[onward], recipient_categories=...), KNOWN)

    assert whole == ()
    assert [each.place for each in silent] == ["flows[0].onward"]


def test_who_gave_for_a_purpose_may_hear_what_came_of_it() -> None:
    there, back = DOCUMENTS["PR-2026-005"]["flows"]

    assert contradictions(an_agreement("PR-2026-005", flows=[there, back]), KNOWN) == ()
    (found,) = contradictions(an_agreement("PR-2026-005", flows=[back]), KNOWN)
    assert (found.place, found.source) == ("flows[0].purposes", "gdpr-purpose")


def test_what_the_directory_keeps_from_every_recipient_is_no_flow() -> None:
    denied = {each.id: each for each in KNOWN.values() if "justice" in each.hard_denies}
    assert "vdab-wvl" in denied

    found = contradictions(an_agreement(flows=[FLOW | {"sections": ["justice"]}]), KNOWN)

    assert "no recipient may ever get justice" in " ".join(map(str, found))


@pytest.mark.parametrize(
    ("legal", "place", "source"),
    [
        (
            {"basis_of_collection": ["gdpr-basis", "because-we-can"]},
            "legal.basis_of_collection[1]",
            "vl-egov-protocol",
        ),
        (
            {"basis_of_communication": ["vl-egov-protocol", "be-ksz-deliberation"]},
            "legal.deliberation_no",
            "be-ksz-deliberation",
        ),
    ],
)
def test_a_ground_that_is_none_is_named(legal: dict[str, Any], place: str, source: str) -> None:
    (found,) = contradictions(an_agreement(legal=LEGAL | legal), KNOWN)

    assert (found.place, found.source) == (place, source)


def test_a_deliberation_that_is_named_carries_its_ground() -> None:
    legal = {"basis_of_collection": ["be-isc-deliberation"], "deliberation_no": "24/001"}

    assert contradictions(an_agreement(legal=LEGAL | legal), KNOWN) == ()


def test_who_is_bound_by_professional_secrecy_needs_a_ground_that_frees_it() -> None:
    legal = DOCUMENTS["PR-2026-005"]["legal"] | {"basis_of_collection": ["gdpr-basis"]}
    agreement = an_agreement("PR-2026-005", legal=legal)

    (found,) = contradictions(agreement, KNOWN)

    assert found.source == "be-secrecy"
    assert "clb-topunt, clb-zuidwest" in found.problem
    assert contradictions(agreement, {}) == ()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"review_on": "2030-01-01"}, "review_on"),
        ({"review_on": "2024-01-01"}, "review_on"),
        ({"parties": [PARTY | {"signed_on": "2025-03-02"}, OTHER]}, "parties[0].signed_on"),
        ({"parties": [OTHER, PARTY | {"signed_on": "2025-03-25"}]}, "parties[1].published.on"),
    ],
)
def test_days_that_can_not_follow_each_other_are_named(changes: dict[str, Any], place: str) -> None:
    (found,) = contradictions(an_agreement(**changes), KNOWN)

    assert found.place == place


def test_a_finding_says_where_what_and_which_article() -> None:
    (found,) = contradictions(an_agreement(review_on="2030-01-01"), KNOWN)

    assert str(found) == (
        "review_on: the review is not on a day on which it is valid (gdpr-accountability:"
        " Algemene verordening gegevensbescherming, Verordening (EU) 2016/679, artikel 5, lid 2, en"
        " artikel 24)"
    )


def test_what_is_only_counted_needs_no_field_of_its_purpose() -> None:
    counted = FLOW | {"purposes": ["P7"], "sections": ["outc"], "extra_fields": []}

    found = contradictions(an_agreement(flows=[counted]), KNOWN)

    assert "of no use" not in " ".join(map(str, found))
