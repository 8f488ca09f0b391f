"""The classes of people about whom a partner is told nothing: unknown, not consented, denied."""

from collections.abc import Mapping
from typing import Any

from exchange.samples import samples
from tests.builders import Broker, query
from tests.cases.uniform import UNKNOWN_HANDLE, UNKNOWN_ID

HOLDER, PARTNER, PURPOSE = "destap-ww", "vdab-gent", "P2"
REASONS = {"unknown": "UNKNOWN_CLIENT", "unconsented": "NO_CONSENT", "denied": "EXPLICIT_DENIAL"}


def _registered(broker: Broker, reference: str) -> str:
    """A client with a summary, known to its holder by its reference."""
    holder = broker.as_(HOLDER)
    handle: str = holder.post("/v1/clients", json={"reference": reference}).json()["client"]
    sections = {"sections": samples()["cl-0004"].sections}
    stored = holder.put(f"/v1/clients/{handle}/summary", json=sections)
    assert stored.status_code == 200, stored.text
    return handle


def _consented(broker: Broker, handle: str, **more: Any) -> None:
    body = dict(samples()["cl-0004"].consent) | more
    given = broker.as_(HOLDER).post(f"/v1/clients/{handle}/consents", json=body)
    assert given.status_code == 201, given.text


def queries(broker: Broker) -> Mapping[str, Mapping[str, Any]]:
    """For each class a query by handover; the partner has a care relation wherever it can."""
    unconsented, denied = _registered(broker, "class-b"), _registered(broker, "class-c")
    sections = samples()["cl-0004"].consent["grants"][0]["sections"]
    _consented(broker, denied, denials=[{"sections": sections, "recipient": f"org:{PARTNER}"}])
    handovers = {
        "unknown": UNKNOWN_ID,
        "unconsented": broker.related(HOLDER, unconsented, PARTNER, PURPOSE),
        "denied": broker.related(HOLDER, denied, PARTNER, PURPOSE),
    }
    return {name: query(handover=id, purpose=PURPOSE) for name, id in handovers.items()}


def queries_by_handle(broker: Broker) -> Mapping[str, Mapping[str, Any]]:
    """The same by the partner's own handle for the client."""
    by_handover = queries(broker)
    items = broker.as_(PARTNER).get("/v1/handovers").json()["items"]
    handles = {each["handover"]: each["subject"]["pairwise_id"] for each in items}
    return {
        name: query(client=handles.get(body["handover"], UNKNOWN_HANDLE), purpose=PURPOSE)
        for name, body in by_handover.items()
    }
