"""What recipients of a recall do, and what time does by itself."""

from collections.abc import Mapping
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from exchange.flows.follow_withdrawals import (
    escalate_recalls,
    finish_withdrawals,
    tell_recipients,
)
from exchange.security.contexts import RECALL_CERTIFICATE
from exchange.security.jose_profile import sign
from exchange.security.signing_keys import Signer
from exchange.services import Services
from tests.builders import Broker, Story, logged

PARTNER = "vdab-gent"
WRONG = "0000-0000"


def anybody(broker: Broker, **headers: str) -> TestClient:
    return TestClient(broker.app, headers=headers, raise_server_exceptions=False)


def shared(broker: Broker) -> tuple[Story, str]:
    """A client whose summary vdab-gent has read, and the code on her letter."""
    story = broker.story("cl-0004", PARTNER, "P2")
    given = broker.as_(story.sample.holder).post(
        f"/v1/clients/{story.handle}/consents", json=story.sample.consent
    )
    assert story.fetch().status_code == 200
    return story, given.json()["withdrawal_code"]


def states(story: Story) -> list[str]:
    path = f"/v1/clients/{story.handle}/consents"
    items = story.broker.as_(story.sample.holder).get(path).json()["items"]
    return [each["state"] for each in items]


def typed(broker: Broker, code: str) -> Response:
    return anybody(broker).post("/v1/withdrawals", json={"code": code})


def read_once(broker: Broker) -> Story:
    """A client of destap-ww whose summary vdab-gent has read."""
    story = broker.story("cl-0004", "vdab-gent", "P2")
    assert story.fetch().status_code == 200
    return story


def recalls_of(broker: Broker, organisation: str, **filter: str) -> list[dict[str, Any]]:
    """One page of the box, the inbox where nothing else is said."""
    answer = broker.as_(organisation).get("/v1/recalls", params=filter)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def signed(
    broker: Broker, organisation: str, recall: str, signer: Signer | None = None, **said: Any
) -> str:
    """A certificate as the organisation's application signs it."""
    claims = {
        "iss": broker.application(organisation),
        "aud": broker.services.settings.issuer,
        "iat": int(broker.clock().timestamp()),
        "recall": recall,
    }
    return sign(RECALL_CERTIFICATE, claims | said, signer or broker.signers[organisation])


def certify(broker: Broker, organisation: str, recall: str, **said: Any) -> Response:
    text = signed(broker, organisation, recall, **said)
    return sent(broker, organisation, recall, text)


def sent(broker: Broker, organisation: str, recall: str, text: str) -> Response:
    path = f"/v1/recalls/{recall}/certificate"
    return broker.as_(organisation).post(path, json={"certificate": text})


def swept(services: Services) -> None:
    """All that follows a withdrawal by itself, once."""
    for sweep in (finish_withdrawals, tell_recipients, escalate_recalls):
        services.writer.submit(sweep).result()


def of_kind(services: Services, kind: str) -> list[Mapping[str, Any]]:
    return [each for each in logged(services) if each["k"] == kind]
