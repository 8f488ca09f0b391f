"""A partner's questions to clients, and how each side sees them."""

from collections.abc import Mapping
from typing import Any

from httpx2 import Response

from exchange.samples import samples
from tests.builders import Broker, Story
from tests.cases.classes import HOLDER, PARTNER, PURPOSE

WHERE = "/v1/consent-requests"
SAMPLE = samples()["cl-0004"]
NOTICE = {k: v for k, v in SAMPLE.consent["notice"].items() if k != "sha256"}
PROOF = {"notice": NOTICE, "evidence": SAMPLE.consent["evidence"]}
ADULT = PROOF | {"capacity": {"type": "adult"}, "functions": ["gdpr_basis"]}


def asked(broker: Broker, handle: str, *sections: str, **more: Any) -> Response:
    body = {"client": handle, "purpose": PURPOSE, "sections": sections or ("lang", "work")}
    return broker.as_(PARTNER).post(WHERE, json=body | {"reason_code": "work_guidance"} | more)


def answered(broker: Broker, request: str, state: str, **more: Any) -> Response:
    return broker.as_(HOLDER).post(f"{WHERE}/{request}/answer", json={"state": state} | more)


def inbox(broker: Broker, **more: str) -> list[Mapping[str, Any]]:
    return items(broker.as_(HOLDER).get(WHERE, params={"box": "inbox"} | more))


def outbox(broker: Broker, **more: str) -> list[Mapping[str, Any]]:
    return items(broker.as_(PARTNER).get(WHERE, params={"box": "outbox"} | more))


def items(response: Response) -> list[Mapping[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[Mapping[str, Any]] = response.json()["items"]
    return found


def grants(story: Story, consent: str) -> list[Mapping[str, Any]]:
    """What the client's consent of that id gives, as its holder sees it."""
    shown = items(story.broker.as_(HOLDER).get(f"/v1/clients/{story.handle}/consents"))
    (found,) = [each["grants"] for each in shown if each["consent"] == consent]
    return list(found)


def at_partner(broker: Broker, handover: str) -> str:
    """The partner's own handle for the client of a handover."""
    shown = broker.as_(PARTNER).get(f"/v1/handovers/{handover}").json()
    return str(shown["subject"]["pairwise_id"])
