"""The six sample consents, from the body that is sent to what a decision is told."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from consent.content import denied_fields
from consent.notices import NoticeLibrary, read_notice
from consent.terms import read_terms
from policies.vocabulary import ClientId, Reason
from tests.consent.builders import DATA, HOUSES, Desk

SAMPLES = {
    each["id"]: each for each in yaml.safe_load((DATA / "sample_consents.yaml").read_bytes())
}
LIBRARY = NoticeLibrary(
    read_notice(file.read_bytes()) for file in sorted(Path(DATA / "notices").glob("*.md"))
)
REFERENCE = datetime.fromisoformat("2026-11-02T15:00:00+01:00")


def given(desk: Desk, sample: str) -> dict[str, Any]:
    """Give a sample consent; what to ask for it with."""
    said = SAMPLES[sample]
    at = datetime.fromisoformat(said["given"])
    born = date.fromisoformat(said["born"]) if said["born"] else None
    desk.notices = LIBRARY
    terms = read_terms(
        said["body"],
        controller=said["controller"],
        at=at,
        born=born,
        directory=HOUSES,
        notice_known=LIBRARY.known,
    )
    client = ClientId(said["client"])
    desk.give(at, client, said=terms, controller=said["controller"])
    return {"client": client, "holder": said["controller"]}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_taken_and_every_grant_is_live(desk: Desk, sample: str) -> None:
    who = given(desk, sample)

    for said in SAMPLES[sample]["body"]["grants"]:
        organisation = said["recipient"].partition(":")[2]
        asker = "ocmw-kortrijk" if "@" in organisation else organisation
        facts = desk.facts(REFERENCE, recipient=asker, purpose=said["purpose"], **who)
        assert [each.ended for each in facts.grants] == [None]
        assert set(said["sections"]) <= facts.grants[0].named


def test_the_minor_denies_house_health_barriers_and_net_to_everybody(desk: Desk) -> None:
    who = given(desk, "c-0001")

    facts = desk.facts(REFERENCE, recipient="destap-ww", purpose="P1", **who)

    assert facts.denied == denied_fields(("house", "health", "barr", "net"))
    assert "educ.last_track" not in facts.grants[0].fields


def test_the_minors_consent_ends_on_the_eighteenth_birthday(desk: Desk) -> None:
    who = given(desk, "c-0001")
    birthday = datetime.fromisoformat("2027-05-14T09:00:00+02:00")

    assert desk.ended(birthday, recipient="destap-ww", purpose="P1", **who) == [
        Reason.CAPACITY_CHANGED_AGE18
    ]


def test_the_joint_case_denies_towards_the_employment_service_alone(desk: Desk) -> None:
    who = given(desk, "c-0005")

    vdab = desk.facts(REFERENCE, recipient="vdab-wvl", purpose="P2", **who)
    leerwinkel = desk.facts(REFERENCE, recipient="leerwinkel-wvl", purpose="P1", **who)

    assert vdab.denied == denied_fields(("barr", "house", "benef"))
    assert leerwinkel.denied == frozenset()
    assert "benef.exemption_status" in leerwinkel.grants[0].fields
    assert "benef.types" not in leerwinkel.grants[0].fields


def test_who_joins_the_partnership_in_december_sees_nothing_of_the_joint_case(desk: Desk) -> None:
    who = given(desk, "c-0005")
    december = datetime.fromisoformat("2026-12-01T09:00:00+01:00")

    assert desk.ended(december, recipient="cvo-west", purpose="P3", **who) == []
    assert desk.ended(december, recipient="ocmw-kortrijk", purpose="P3", **who) == [None]
