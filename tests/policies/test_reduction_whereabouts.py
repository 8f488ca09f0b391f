from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.reduction import Envelope, Release, reduced
from policies.summary_model import summary_model
from policies.vocabulary import FieldId, Section

MODEL = summary_model()
ALL = frozenset(MODEL.fields)
PSEUDONYM = "abcdefghijklmnopqrstuvwxyz"
TODAY = date(2026, 11, 2)

EVERYTHING = Release(
    fields=ALL,
    precision=tuple(sorted((each.id, each.precision[0]) for each in MODEL.fields.values())),
    high_risk=False,
    health=True,
    justice=True,
    explicit=ALL,
    masked_origin=False,
    recipient_type="guidance_service",
    at=TODAY,
    pseudonym=PSEUDONYM,
    organisation_types={"ocmw-kortrijk": "local_welfare_centre"},
)
PLAIN = replace(EVERYTHING, health=False, justice=False, explicit=frozenset())

Kept = dict[Section, dict[str, Envelope]]


def kept(fields: Mapping[str, Any]) -> Kept:
    """Values as they lie in the vault; bare ones come from the client."""
    sections: Kept = {}
    for field, value in fields.items():
        section, name = field.split(".")
        envelope = {"value": value, "source": "client", "verified": True}
        sections.setdefault(Section(section), {})[name] = envelope
    return sections


def values(fields: Mapping[str, Any], release: Release) -> dict[str, Any]:
    out, _ = reduced(kept(fields), release)
    return {
        f"{section}.{name}": envelope["value"]
        for section, held in out.items()
        for name, envelope in held.items()
        if name != "pseudonym"
    }


CONTACT = {
    "contact.phone": "+32450000001",
    "contact.email": "a@client.example",
    "contact.address": "Stationsstraat 18",
    "contact.municipality": "34022",
    "contact.preferred_channel": "sms",
}


def test_who_is_reached_only_through_the_service_gives_no_address() -> None:
    fields = CONTACT | {"contact.safe_contact": "only_via_service"}

    assert values(fields, EVERYTHING) == {
        "contact.municipality": "34022",
        "contact.preferred_channel": "sms",
        "contact.safe_contact": "only_via_service",
    }


def test_that_holds_when_the_safe_channel_itself_is_not_released() -> None:
    fields = CONTACT | {"contact.safe_contact": "only_via_service"}
    only_phone = replace(EVERYTHING, fields=frozenset({FieldId("contact.phone")}))

    assert values(fields, only_phone) == {}


def test_who_is_at_high_risk_cannot_be_found_nor_where_they_come_from() -> None:
    fields = CONTACT | {
        "contact.safe_contact": "ok",
        "refer.from": "prison-brugge-tb",
        "refer.route": "other",
    }

    assert values(fields, replace(EVERYTHING, high_risk=True)) == {
        "contact.preferred_channel": "sms",
        "contact.safe_contact": "ok",
        "refer.from": "begeleidingsdienst (afgeschermd)",
    }


@given(
    warning=st.sampled_from(["ok", "no_voicemail", "no_sms", "only_via_service"]),
    fields=st.frozensets(st.sampled_from(sorted(each for each in ALL if "contact" in each))),
    high_risk=st.booleans(),
)
def test_no_way_to_reach_a_client_leaves_without_the_warning(
    warning: str, fields: frozenset[FieldId], *, high_risk: bool
) -> None:
    release = replace(EVERYTHING, fields=fields, high_risk=high_risk)

    left = values(CONTACT | {"contact.safe_contact": warning}, release)

    if not left.keys().isdisjoint({"contact.phone", "contact.email", "contact.address"}):
        assert left["contact.safe_contact"] == warning
    if warning != "only_via_service" and not high_risk and "contact.safe_contact" in fields:
        assert left.keys() == fields & (CONTACT.keys() | {"contact.safe_contact"})


def test_others_are_reached_as_they_said() -> None:
    fields = CONTACT | {"contact.safe_contact": "no_voicemail"}

    assert values(fields, PLAIN) == fields


def test_a_masked_origin_shows_nowhere() -> None:
    here = {"org": "prison-brugge-tb", "site": "Brugge", "start": "2026-11-09T10:00:00+01:00"}
    fields = {
        "refer.from": "prison-brugge-tb",
        "refer.to": "cvo-west",
        "refer.route": "other",
        "agree.appointment": here | {"duration_minutes": 60, "ics_uid": "1@prison.example"},
        "net.services": [{"org": "prison-brugge-tb", "role": "x"}, {"org": "caw-wvl"}],
        "benef.case_org": "prison-brugge-tb",
    }
    masked = replace(EVERYTHING, masked_origin=True)

    out, used = reduced(kept(fields), masked)

    assert used == {"refer.from": "masked"}
    assert values(fields, masked) == {
        "agree.appointment": {"start": here["start"], "duration_minutes": 60},
        "refer.from": "begeleidingsdienst (afgeschermd)",
        "refer.to": "cvo-west",
        "net.services": [{"org": "caw-wvl"}],
    }
    assert "prison" not in repr(out)


def test_a_masked_origin_is_known_without_the_referral() -> None:
    fields = {
        "net.services": [{"org": "prison-brugge-tb"}],
        "agree.appointment": {"site": "Brugge"},
        "benef.case_org": "ocmw-kortrijk",
    }
    masked = replace(EVERYTHING, masked_origin=True, origin="prison-brugge-tb")

    assert values(fields, masked) == {"benef.case_org": "ocmw-kortrijk"}


def test_an_appointment_elsewhere_keeps_its_place_when_the_origin_is_masked() -> None:
    fields = {"agree.appointment": {"org": "cvo-west", "site": "Brugge"}}

    assert values(fields, replace(EVERYTHING, masked_origin=True, origin="x-y")) == fields
