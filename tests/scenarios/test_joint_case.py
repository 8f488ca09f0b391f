"""A3: OCMW Kortrijk, VDAB and Leerwinkel work together for one client (cl-0005)."""

import pytest

from exchange import alerts
from exchange.reporting import agreements_volumes, alerts_list
from exchange.samples import samples
from exchange.services import SHARD
from tests.builders import Broker, Story, logged, query


@pytest.mark.parametrize("section", ["barr", "house", "benef"])
def test_vdab_reads_nothing_that_the_client_denied_it(broker: Broker, section: str) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")

    alone, among_others = story.fetch(sections=[section]), story.fetch()

    assert alone.status_code == 404
    assert section not in among_others.json()["summary"]
    for canary in ("debts", "housing", "couple_children", "leefloon"):
        assert canary not in among_others.text


def test_leerwinkel_reads_of_the_benefits_the_exemption_and_nothing_else(broker: Broker) -> None:
    answer = broker.story("cl-0005", "leerwinkel-wvl", "P1").fetch()

    benefits = answer.json()["summary"]["benef"]
    assert {name: each["value"] for name, each in benefits.items()} == {
        "exemption_status": "requested"
    }
    assert "leefloon" not in answer.text


def test_partners_of_the_day_share_the_plan_and_the_network(broker: Broker) -> None:
    answer = broker.story("cl-0005", "vdab-wvl", "P3").fetch()

    assert set(answer.json()["released"]) == {"agree", "net"}


def test_each_partner_knows_the_client_by_a_name_of_its_own(broker: Broker) -> None:
    sample = samples()["cl-0005"]
    handle = broker.registered(sample)
    broker.given(sample, handle)
    for partner, purpose in (("vdab-wvl", "P2"), ("leerwinkel-wvl", "P1")):
        assert broker.pushed(sample.holder, handle, partner, purpose).status_code == 201

    names = {handle}
    for partner in ("vdab-wvl", "leerwinkel-wvl"):
        (line,) = broker.as_(partner).get("/v1/handovers").json()["items"]
        names.add(line["subject"]["pairwise_id"])

    assert len(names) == 3


def test_a_prohibited_purpose_is_refused_openly_logged_and_told_the_officer(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")

    about_client = story.fetch(purpose="P90")
    about_nobody = broker.as_("vdab-wvl").post(
        "/v1/summaries/query", json=query(client="a" * 26, purpose="P90")
    )

    assert about_client.status_code == 403
    assert about_client.json()["type"].endswith(":purpose-prohibited")
    assert about_client.content == about_nobody.content
    refused = [each for each in logged(broker.services) if each["k"] == "summary.refused"]
    assert [each["reason"] for each in refused] == ["PURPOSE_PROHIBITED"] * 2
    assert released_to(story) == []
    with broker.services.database.reading(tenant="vdab-wvl") as connection:
        (alert,) = alerts.standing(connection, shard=SHARD)
    assert (alert.kind, alert.organisation, alert.purpose, alert.times) == (
        "prohibited_purpose",
        "vdab-wvl",
        "P90",
        2,
    )


def released_to(story: Story) -> list[str]:
    entries = logged(story.broker.services)
    return [each["c"] for each in entries if each["k"] == "summary.released"]


PILOT = {"leuven": (12, 5), "mortsel": (7, 4), "dendermonde": (8, 3), "tielt": (6, 3)}
PILOT |= {"kortrijk-waregem": (10, 5)}
"""Who takes part on each site, and who was identified only."""


def test_the_pilot_shares_the_43_who_take_part_and_none_of_the_20_others(broker: Broker) -> None:
    sample = samples()["cl-0005"]
    holder, deposit = broker.as_(sample.holder), {"sections": {"goals": sample.sections["goals"]}}
    told = []
    for site, (taking_part, identified) in PILOT.items():
        for number in range(taking_part + identified):
            name = {"reference": f"JC-{site}-{number}"}
            handle = holder.post("/v1/clients", json=name).json()["client"]
            if number < taking_part:
                holder.put(f"/v1/clients/{handle}/summary", json=deposit)
                holder.post(f"/v1/clients/{handle}/consents", json=sample.consent)
            body = {"client": handle, "recipient": "org:vdab-wvl", "purpose": "P2"}
            key = {"Idempotency-Key": f"key-{site}-{number}"}
            pushed = holder.post("/v1/handovers", json=body | {"reason_code": "other"}, headers=key)
            told.append(pushed.status_code)

    assert (told.count(201), told.count(403)) == (43, 20)
    volumes = next(agreements_volumes(broker.services, {}))["agreements"]
    (joint,) = [each for each in volumes if each["agreement"] == "PR-2026-003"]
    assert (joint["persons"], joint["agreed"], joint["per_cent"]) == (43, 60, 71)
    assert list(alerts_list(broker.services, {})) == [{"alerts": []}]
