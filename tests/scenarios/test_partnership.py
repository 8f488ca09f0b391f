"""A12: who leaves a partnership reads nothing from that day; who joins, nothing until renewal."""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from exchange.flows.administer import apply_documents
from exchange.samples import directory_documents, samples
from tests.builders import Broker, next_version, query
from tests.cases.uniform import reasons

MIDNIGHT = datetime.fromisoformat("2026-12-01T00:00:00+01:00")
MOMENT = timedelta(microseconds=1)
SAMPLE = samples()["cl-0005"]


def may_receive(broker: Broker, organisation: str) -> None:
    """The organisation becomes a party to the sample agreement about welfare."""
    agreement = deepcopy(dict(directory_documents()["agreement"]["PR-2026-003"]))
    agreement["parties"].append(agreement["parties"][1] | {"org": organisation})
    for flow in agreement["flows"]:
        if "P3" in flow["purposes"] and SAMPLE.holder in flow["from"]:
            flow["to"].append(organisation)
    documents = {"agreement": {"PR-2026-003": next_version(agreement)}}
    broker.services.writer.submit(apply_documents, documents).result()


def agreed(broker: Broker, on: str, until: str) -> tuple[str, str]:
    """A consent for the partnership as it stood on a day; handle and consent."""
    handle = broker.registered(SAMPLE)
    grant = {
        "purpose": "P3",
        "recipient": f"partnership:lp-zuid-wvl@{on}",
        "sections": ["agree"],
        "ops": ["view"],
        "until": until,
    }
    body = {**SAMPLE.consent, "grants": [grant], "refused": [], "denials": []}
    given = broker.as_(SAMPLE.holder).post(f"/v1/clients/{handle}/consents", json=body)
    assert given.status_code == 201, given.text
    return handle, given.json()["consent"]


def why_not(broker: Broker, handover: str, organisation: str) -> str | None:
    """Why the organisation reads nothing today."""
    before = len(reasons(broker.services, "summary.refused"))
    body: dict[str, Any] = query(handover=handover, purpose="P3")
    answer = broker.as_(organisation).post("/v1/summaries/query", json=body)
    found = reasons(broker.services, "summary.refused")[before:]
    assert (answer.status_code == 200) == (not found)
    return found[0] if found else None


def test_who_leaves_reads_nothing_from_midnight_of_that_day(broker: Broker) -> None:
    partnership = deepcopy(dict(directory_documents()["partnership"]["lp-zuid-wvl"]))
    for member in partnership["members"]:
        if member["org"] == "clb-zuidwest":
            member["until"] = "2026-12-01"
    documents = {"partnership": {"lp-zuid-wvl": partnership}}
    broker.services.writer.submit(apply_documents, documents).result()
    may_receive(broker, "clb-zuidwest")
    handle, _ = agreed(broker, "2026-11-02", "2027-04-01")
    handover = broker.related(SAMPLE.holder, handle, "clb-zuidwest", "P3")

    broker.clock.move(MIDNIGHT - MOMENT)
    before = why_not(broker, handover, "clb-zuidwest")
    broker.clock.move(MIDNIGHT)
    after = why_not(broker, handover, "clb-zuidwest")

    assert (before, after) == (None, "NO_CONSENT")


def test_who_left_before_reads_nothing_of_what_is_agreed_to_since(broker: Broker) -> None:
    handle, _ = agreed(broker, "2026-11-02", "2027-04-01")
    handover = broker.related(SAMPLE.holder, handle, "clb-zuidwest", "P3")
    may_receive(broker, "clb-zuidwest")

    assert why_not(broker, handover, "clb-zuidwest") == "NO_CONSENT"


def test_who_joins_reads_nothing_of_before_until_the_client_renews(broker: Broker) -> None:
    handle, consent = agreed(broker, "2026-11-02", "2027-04-01")
    handover = broker.related(SAMPLE.holder, handle, "cvo-west", "P3")
    may_receive(broker, "cvo-west")
    broker.clock.move(MIDNIGHT)
    joined = why_not(broker, handover, "cvo-west")

    body = {"notice": SAMPLE.consent["notice"], "evidence": SAMPLE.consent["evidence"]}
    holder = broker.as_(SAMPLE.holder)
    renewed = holder.post(f"/v1/consents/{consent}/renewal", json=body)
    after = why_not(broker, handover, "cvo-west")

    assert renewed.status_code == 200
    (grant,) = renewed.json()["grants"]
    assert grant["recipient"] == "partnership:lp-zuid-wvl@2026-12-01"
    assert (joined, after) == ("NO_CONSENT", None)
