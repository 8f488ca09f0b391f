"""What must become of each fetch on the six sample clients."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from consent.recipients import Asking, reaches
from policies.agreements import any_in_force, flows_between, read_agreement
from policies.decision import Decision, Facts, GrantFacts, ReleaseRequest
from policies.gates import decide
from policies.grants import read_grant
from policies.organisations import read_directory, recipient_facts
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, Operation, OrganisationId, Reason, Section
from policies.yaml_files import read_yaml
from tests.policies.situations import shipped_overlay

DATA = Path(__file__).parents[1] / "data"
AGREEMENTS = [read_agreement(read_yaml(each.read_bytes())) for each in DATA.glob("agreements/*")]
DIRECTORY = read_directory(read_yaml((DATA / "organisations.yaml").read_bytes()))
ORGANISATIONS = {each.id: each for each in DIRECTORY.organisations}
SAMPLE = read_yaml((DATA / "sample_decisions.yaml").read_bytes())
CONSENTS = {each["client"]: each for each in SAMPLE["consents"]}
NOW = "2026-11-02T15:00:00+01:00"
COMES_OF_AGE = {"cl-0001": date(2027, 5, 14)}


def ended(consent: dict[str, Any], grant: dict[str, Any], on: date) -> Reason | None:
    states = [each["state"] for each in consent["events"] if "state" in each]
    if "withdrawn" in states:
        return Reason.CONSENT_WITHDRAWN
    if on >= COMES_OF_AGE.get(consent["client"], date.max):
        return Reason.CAPACITY_CHANGED_AGE18
    return Reason.CONSENT_EXPIRED if str(on) > grant.get("until", "9999") else None


def grant_facts(consent: dict[str, Any], grant: dict[str, Any], on: date) -> GrantFacts:
    parts = {name: grant.get(name, ()) for name in ("sections", "fields", "include", "exclude")}
    given, named = read_grant(**parts)
    return GrantFacts(
        fields=given,
        named=named,
        precision=tuple(sorted(grant.get("precision", {}).items())),
        operations=frozenset(map(Operation, grant["ops"])),
        ended=ended(consent, grant, on),
        secrecy_release="secrecy_release" in consent["functions"],
    )


def members_at(partnership: str, on: date) -> frozenset[OrganisationId]:
    members = (each.members_at(on) for each in DIRECTORY.partnerships if each.id == partnership)
    return frozenset[OrganisationId]().union(*members)


def facts_for(client: str, requester: OrganisationId, purpose: str, on: date) -> Facts:
    consent, recipient = CONSENTS[client], ORGANISATIONS[requester]
    holder = OrganisationId(consent["controller"])

    asking = Asking(
        recipient=requester,
        recipient_type=recipient.type,
        holder=holder,
        purpose=purpose,
        partnerships=members_at,
    )

    def reached(part: dict[str, Any]) -> bool:
        return reaches(part["recipient"], asking, on)

    denied: set[FieldId] = set()
    for denial in filter(reached, consent.get("denials", ())):
        sections = Section if denial["sections"] == "all" else map(Section, denial["sections"])
        denied |= frozenset[FieldId]().union(*map(fields_of, sections))
    way: dict[str, Any] = {"recipient": requester, "purpose": purpose, "on": on}
    return Facts(
        recipient=recipient_facts(recipient, on),
        holder_secrecy=ORGANISATIONS[holder].secrecy_regime == "beroepsgeheim",
        known=True,
        blocked=False,
        care_relation=True,
        any_agreement=any_in_force(AGREEMENTS, **way),
        flows=flows_between(AGREEMENTS, holder=holder, **way),
        grants=tuple(
            grant_facts(consent, each, on)
            for each in consent["grants"]
            if each["purpose"] == purpose and reached(each)
        ),
        denied=frozenset(denied),
        refused=any(
            each.get("state") == "refused" and each.get("purpose") == purpose
            for each in consent["events"]
        ),
    )


def decided(client: str, requester: str, purpose: str, at: str = NOW) -> Decision:
    on = datetime.fromisoformat(at).date()
    name = OrganisationId(requester)
    facts = facts_for(client, name, purpose, on)
    return decide(ReleaseRequest(name, purpose), facts, shipped_overlay())


@pytest.mark.parametrize(
    "row",
    SAMPLE["expected_decisions"],
    ids=lambda row: f"{row['client']} {row['requester']} {row['purpose']}",
)
def test_a_fetch_on_a_sample_client_fares_as_it_must(row: dict[str, Any]) -> None:
    decision = decided(row["client"], row["requester"], row["purpose"], row.get("at", NOW))

    if row["decision"] == "OK_FILTERED":
        assert (decision.reason, decision.told) == (None, None)
        assert sorted(decision.sections) == sorted(row["sections_released"])
        assert decision.filtered > 0
    else:
        openly = None if row["decision"] == "NO_DATA" else row["decision"]
        assert (decision.reason, decision.told) == (row.get("internal", openly), openly)


def test_the_young_client_shares_neither_track_nor_reason_for_leaving() -> None:
    decision = decided("cl-0001", "destap-ww", "P1")

    assert not decision.fields & {"educ.last_track", "educ.dropout_reason", "barr.codes"}
    assert decision.flow is not None
    assert decision.flow.agreement == "PR-2026-005"


def test_the_newcomers_foreign_diploma_stays_behind() -> None:
    decision = decided("cl-0002", "leerwinkel-wvl", "P1")

    assert "educ.foreign_credentials" not in decision.fields
    assert "educ.foreign_credentials" in decision.withheld


def test_the_detainees_origin_is_masked_and_the_birth_date_is_a_year() -> None:
    decision = decided("cl-0003", "cvo-west", "P4")

    assert decision.flow is not None
    assert decision.flow.origin_masking
    assert dict(decision.precision)[FieldId("ident.birth_date")] == "year"
    assert "justice" not in decision.withheld


def test_of_the_benefits_of_the_joint_case_only_the_exemption_leaves() -> None:
    decision = decided("cl-0005", "leerwinkel-wvl", "P1")

    assert {each for each in decision.fields if each.startswith("benef.")} == {
        "benef.exemption_status"
    }


def test_a_partnership_shares_with_who_was_a_member_when_the_client_agreed() -> None:
    then, later = date(2026, 11, 2), date(2026, 12, 1)

    welfare = facts_for("cl-0005", OrganisationId("vdab-wvl"), "P3", then)
    school = facts_for("cl-0005", OrganisationId("cvo-west"), "P3", later)

    assert len(welfare.grants) == 1
    assert school.grants == ()
