"""How tests ask why: of an entry of the log, and of what would be decided."""

from typing import Any

from exchange import records
from exchange.services import SHARD
from policies.vocabulary import ClientId, OrganisationId
from tests.builders import Broker, logged

AUDITOR = "toezicht"


def last(broker: Broker, kind: str) -> dict[str, Any]:
    """The newest entry of the kind."""
    return [each for each in logged(broker.services) if each["k"] == kind][-1]


def explained(
    broker: Broker, by: str, index: int, language: str = "nl", **asked: str
) -> dict[str, Any]:
    """What is told of an entry."""
    place = f"/v1/audit/entries/{index}/explanation"
    said = {"Accept-Language": language}
    answer = broker.as_(by).get(place, params=asked, headers=said)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def question(handle: str, recipient: str, purpose: str, **more: Any) -> dict[str, Any]:
    """What would this organisation get of this client for this purpose?"""
    return {
        "subject": {"type": "organisation", "id": f"org:{recipient}"},
        "action": {"name": "view"},
        "resource": {"type": "summary", "id": handle},
        "context": {"purpose": purpose} | more,
    }


def evaluated(
    broker: Broker, by: str, body: dict[str, Any], language: str = "nl"
) -> dict[str, Any]:
    """The answer to one question."""
    said = {"Accept-Language": language}
    answer = broker.as_(by).post("/access/v1/evaluation", json=body, headers=said)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def handle_of(broker: Broker, holder: str, client: str) -> str:
    """The holder's name for a client of whom the log tells."""
    with broker.services.database.reading() as connection:
        handle = records.handle_of(
            connection, shard=SHARD, client=ClientId(client), organisation=OrganisationId(holder)
        )
    assert handle is not None
    return handle
