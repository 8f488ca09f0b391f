"""A15: a young person who is registered nowhere gets the whole service (cl-0006)."""

import pytest

from exchange.samples import samples
from policies.purposes import asked_by_default
from tests.builders import Broker, logged, query
from tests.cases.uniform import UNKNOWN_ID, assert_uniform, reasons

CL_0006 = samples()["cl-0006"]
CONSENT = dict(samples()["cl-0004"].consent)


def test_without_name_birth_date_or_number_there_is_a_client_a_summary_and_a_receipt(
    broker: Broker,
) -> None:
    handle = broker.registered(CL_0006)
    consent = broker.given(CL_0006, handle)
    holder = broker.as_("destap-ww")

    copy = holder.get(f"/v1/clients/{handle}/summary").json()
    receipt = holder.get(f"/v1/consents/{consent}/receipt")

    assert CL_0006.identity == {"alias": "J."}
    assert CL_0006.insz is None
    assert copy["sections"].keys() == {"contact", "lang", "educ", "work", "goals", "traj"}
    assert receipt.status_code == 200
    assert receipt.text.count(".") == 2


def test_two_who_are_registered_nowhere_are_two_clients(broker: Broker) -> None:
    holder = broker.as_("destap-ww")

    first, second = (
        holder.post("/v1/clients", json={"identity": {"alias": "J."}}).json() for _ in range(2)
    )

    assert first["created"]
    assert second["created"]
    assert first["client"] != second["client"]


def test_a_handover_without_a_name_works_to_its_end(broker: Broker) -> None:
    handle = broker.registered(CL_0006)
    grant = CONSENT["grants"][0] | {"sections": ["contact", "educ", "work", "goals"]}
    holder, partner = broker.as_("destap-ww"), broker.as_("vdab-gent")
    # Nobody knows how old they are: so somebody has seen them, and they signed.
    consent = CONSENT | {"grants": [grant], "evidence": {"method": "paper_scan"}}
    assert holder.post(f"/v1/clients/{handle}/consents", json=consent).status_code == 201
    handover = broker.pushed("destap-ww", handle, "vdab-gent", "P2").json()["handover"]

    fetched = partner.post("/v1/summaries/query", json=query(handover=handover, purpose="P2"))
    steps = [
        partner.post(f"/v1/handovers/{handover}/{step}", json={}).status_code
        for step in ("acceptance", "first-contact", "closure")
    ]

    assert fetched.status_code == 200
    assert fetched.json()["summary"]["goals"]["reason"]["value"] == "explore_education"
    assert fetched.json()["summary"]["ident"].keys() <= {"pseudonym"}
    assert steps == [200, 200, 200]


@pytest.mark.parametrize("purpose", ["P2", "P8"])
def test_what_was_refused_is_told_as_if_there_were_nobody(broker: Broker, purpose: str) -> None:
    handle = broker.registered(CL_0006)
    broker.given(CL_0006, handle)
    related = broker.related("destap-ww", handle, "vdab-gent", purpose)
    vdab = broker.as_("vdab-gent")

    answers = [
        vdab.post("/v1/summaries/query", json=query(handover=each, purpose=purpose))
        for each in (related, UNKNOWN_ID)
    ]

    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers
    assert answers[0].status_code == {"P2": 404, "P8": 403}[purpose]


def test_the_holder_is_told_that_the_client_refused(broker: Broker) -> None:
    handle = broker.registered(CL_0006)
    broker.given(CL_0006, handle)

    pushed = broker.pushed("destap-ww", handle, "vdab-gent", "P2")

    assert pushed.status_code == 403
    assert pushed.json()["errors"] == [{"loc": "sharing", "type": "CONSENT_REFUSED"}]
    assert reasons(broker.services, "handover.refused") == ["CONSENT_REFUSED"]
    (refused,) = (each for each in logged(broker.services) if each["k"] == "handover.refused")
    assert set(refused["d"]) == asked_by_default("P2")
    assert broker.as_("vdab-gent").get("/v1/handovers").json()["items"] == []
    assert "handover.offered" not in {each["k"] for each in logged(broker.services)}


def test_the_refusal_of_this_client_looks_like_nobody(broker: Broker) -> None:
    handle = broker.registered(CL_0006)
    broker.given(CL_0006, handle)
    related = broker.related("destap-ww", handle, "vdab-gent", "P2")

    assert_uniform(
        broker.as_("vdab-gent").post(
            "/v1/summaries/query", json=query(handover=related, purpose="P2")
        )
    )
