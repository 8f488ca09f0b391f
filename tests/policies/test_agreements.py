"""The framework agreements: reading them, what completes them, and what they let go."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies.agreements import (
    Agreement,
    any_in_force,
    flows_between,
    in_force,
    incomplete,
    read_agreement,
    standing,
)
from policies.documents import UnfitDocument
from policies.vocabulary import Operation, OrganisationId
from policies.yaml_files import read_yaml
from tests.policies.situations import fields

TODAY = date(2026, 11, 2)
FILES = sorted((Path(__file__).parents[1] / "data/agreements").glob("*.yaml"))
DOCUMENTS: dict[str, dict[str, Any]] = {
    path.name[:11]: read_yaml(path.read_bytes()) for path in FILES
}
AGREEMENTS = tuple(read_agreement(each) for each in DOCUMENTS.values())
VDAB, LEERWINKEL = OrganisationId("vdab-wvl"), OrganisationId("leerwinkel-wvl")
PARTY = DOCUMENTS["PR-2026-001"]["parties"][0]
FLOW = DOCUMENTS["PR-2026-001"]["flows"][1]


def an_agreement(name: str = "PR-2026-001", **changes: Any) -> Agreement:
    """The agreement with members changed; those set to `...` are left out."""
    document = DOCUMENTS[name] | changes
    return read_agreement({key: value for key, value in document.items() if value is not ...})


def with_flow(**changes: Any) -> Agreement:
    return an_agreement(flows=[FLOW | changes])


def with_party(**changes: Any) -> Agreement:
    return an_agreement(parties=[PARTY | changes, *DOCUMENTS["PR-2026-001"]["parties"][1:]])


def test_seven_agreements_are_in_force_and_the_others_are_not_for_their_own_reason() -> None:
    standings = {each.id: standing(each, TODAY).value for each in AGREEMENTS}

    assert list(standings.values())[:7] == ["in force"] * 7
    assert list(standings.values())[7:] == ["ended", "incomplete", "suspended"]


def test_an_agreement_that_lacks_an_advice_says_which_and_by_what_rule() -> None:
    (waiting,) = (each for each in AGREEMENTS if each.id == "PR-2026-009")

    assert ("parties.cbe-gent.dpo_advice", "gdpr-dpo") in incomplete(waiting)
    assert ("parties.destap-ww.signed_on", "vl-egov-protocol") in incomplete(waiting)
    assert "parties.destap-ww.dpo_advice" not in dict(incomplete(waiting))


MANDATORY = [
    *("title", "version", "flows", "volume", "recipient_categories", "third_party_onward"),
    *("periodicity", "security_measures", "quality_measures", "sanctions", "transparency"),
    *("retention", "valid_from", "valid_until", "review_on"),
]


@pytest.mark.parametrize("element", MANDATORY)
def test_an_agreement_without_a_mandatory_element_is_not_in_force(element: str) -> None:
    missing: dict[str, Any] = {element: ...}
    agreement = an_agreement(**missing)

    assert [name for name, _ in incomplete(agreement)] == [element]
    assert not in_force(agreement, TODAY)


@pytest.mark.parametrize(
    "element", ["role", "contact_function", "dpo_contact", "dpo_advice", "signed_on", "published"]
)
def test_an_agreement_needs_each_element_of_each_party(element: str) -> None:
    party = {key: value for key, value in PARTY.items() if key != element}
    agreement = an_agreement(parties=[party, *DOCUMENTS["PR-2026-001"]["parties"][1:]])

    assert [name for name, _ in incomplete(agreement)] == [f"parties.leerwinkel-wvl.{element}"]
    assert not in_force(agreement, TODAY)


def test_an_agreement_needs_both_legal_bases_and_two_parties() -> None:
    assert [name for name, _ in incomplete(an_agreement(legal=...))] == [
        "legal.basis_of_communication",
        "legal.basis_of_collection",
    ]
    alone = an_agreement(parties=[PARTY], flows=...)
    assert [name for name, _ in incomplete(alone)] == ["flows", "parties"]
    assert ("parties", "vl-egov-protocol") in incomplete(an_agreement(parties=..., flows=...))


def test_the_advice_of_the_supervisor_is_not_mandatory() -> None:
    assert incomplete(an_agreement(authority_advice=None)) == ()


def test_an_agreement_is_in_force_from_its_first_to_its_last_day() -> None:
    agreement = an_agreement(valid_from="2026-11-01", valid_until="2026-11-02")

    days = [standing(agreement, date(2026, 11, 1 + each)).value for each in range(3)]

    assert days == ["in force", "in force", "ended"]
    assert standing(agreement, date(2026, 10, 31)).value == "not yet"


@pytest.mark.parametrize(
    ("state", "word"),
    [
        *((each, "not yet") for each in ("draft", "dpo_advice", "authority_advice", "signed")),
        ("published", "not yet"),
        ("in_review", "in review"),
        ("suspended", "suspended"),
        ("ended", "ended"),
    ],
)
def test_an_agreement_that_is_not_active_is_not_in_force(state: str, word: str) -> None:
    assert standing(an_agreement(state=state), TODAY).value == word


def test_an_agreement_is_suspended_from_the_day_itself() -> None:
    agreement = an_agreement(
        suspended={"on": "2026-10-12", "by": "vdab-wvl", "reason_code": "unlawful_use"}
    )

    assert in_force(agreement, date(2026, 10, 11))
    assert not in_force(agreement, date(2026, 10, 12))


def test_a_flow_lets_its_sections_go_with_what_is_added_and_without_what_is_excluded() -> None:
    (flow,) = flows_between(AGREEMENTS, holder=LEERWINKEL, recipient=VDAB, purpose="P2", on=TODAY)
    (youth,) = flows_between(
        AGREEMENTS,
        holder=OrganisationId("clb-topunt"),
        recipient=OrganisationId("destap-ww"),
        purpose="P1",
        on=TODAY,
    )

    assert flow.agreement == "PR-2026-001"
    assert flow.fields == fields(*FLOW["sections"], "benef.exemption_status", "barr.codes")
    assert flow.caps == (("ident.birth_date", "year"),)
    assert flow.operations == {Operation.NOTIFY, Operation.VIEW, Operation.DOWNLOAD}
    assert fields("educ") - youth.fields == {"educ.last_track", "educ.dropout_reason"}


def test_an_origin_that_tells_something_is_masked() -> None:
    (flow,) = flows_between(
        AGREEMENTS,
        holder=OrganisationId("prison-brugge-tb"),
        recipient=OrganisationId("cvo-west"),
        purpose="P4",
        on=TODAY,
    )

    assert flow.origin_masking
    assert ("refer.from", "masked") in flow.caps


@pytest.mark.parametrize(
    ("holder", "recipient", "purpose"),
    [
        pytest.param("prison-brugge-tb", "vdab-wvl", "P2", id="nothing between these two"),
        pytest.param("leerwinkel-wvl", "vdab-wvl", "P4", id="another purpose"),
        pytest.param("vdab-wvl", "leerwinkel-wvl", "P2", id="the other way round"),
        pytest.param("vdab-wvl", "vdab-wvl", "P6", id="to oneself"),
        pytest.param("destap-ww", "ocmw-gent", "P3", id="ended"),
        pytest.param("destap-ww", "cbe-gent", "P4", id="incomplete"),
        pytest.param("caw-ov", "destap-ww", "P1", id="suspended"),
    ],
)
def test_without_an_agreement_in_force_nothing_flows(
    holder: str, recipient: str, purpose: str
) -> None:
    parties = {"holder": OrganisationId(holder), "recipient": OrganisationId(recipient)}

    assert flows_between(AGREEMENTS, purpose=purpose, on=TODAY, **parties) == ()


def test_whether_anybody_may_send_does_not_depend_on_the_holder() -> None:
    def may_get(recipient: str, purpose: str) -> bool:
        name = OrganisationId(recipient)
        return any_in_force(AGREEMENTS, recipient=name, purpose=purpose, on=TODAY)

    assert may_get("vdab-wvl", "P2")
    assert not may_get("cvo-west", "P3")
    assert not may_get("ocmw-gent", "P3")
    assert not may_get("caw-ov", "P3")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": "PR-1"}, "id"),
        ({"state": ...}, "state"),
        ({"state": "binding"}, "state"),
        ({"penalty": "none"}, "penalty"),
        ({"parties": [PARTY, PARTY]}, "parties"),
        ({"parties": [PARTY]}, "flows[0]"),
        ({"volume": {"persons_per_year": -1}}, "volume.persons_per_year"),
        ({"valid_until": "2024-01-01"}, "valid_until"),
        ({"review_on": "next year"}, "review_on"),
        ({"security_measures": []}, "security_measures"),
        ({"suspended": {"on": "2026-10-12", "by": "vdab-wvl"}}, "suspended.reason_code"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(UnfitDocument) as refused:
        an_agreement(**changes)

    assert refused.value.place == place


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"purposes": ["P90"]}, "flows[0].purposes[0]"),
        ({"purposes": []}, "flows[0].purposes"),
        ({"sections": ["x_notes"]}, "flows[0].sections[0]"),
        ({"extra_fields": ["educ.nothing"]}, "flows[0].extra_fields[0]"),
        ({"operations": ["sell"]}, "flows[0].operations[0]"),
        ({"precision_caps": {"educ.nothing": "year"}}, "flows[0].precision_caps.educ.nothing"),
        ({"precision_caps": {"ident.birth_date": "masked"}}, "flows"),
        ({"to": ["ocmw-gent"]}, "flows[0]"),
    ],
)
def test_a_flow_that_names_what_there_is_not_is_refused(
    changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(UnfitDocument) as refused:
        with_flow(**changes)

    assert refused.value.place == place


def test_a_party_publishes_over_a_safe_address() -> None:
    with pytest.raises(UnfitDocument):
        with_party(published={"on": "2025-03-24", "url": "http://leerwinkel-wvl.example/"})
