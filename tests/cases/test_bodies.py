"""T82 at the doors of the API: what could be read in two ways is not read, and changes nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import Response
from sqlalchemy import func, select
from sqlmodel import SQLModel

from exchange.flows.administer import NewApplication, register_application
from exchange.samples import samples
from exchange.security.contexts import CLIENT_ASSERTION
from exchange.security.jose_profile import sign
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import Services, build_services
from exchange.settings import Settings
from policies.decision import Refused
from policies.vocabulary import OrganisationId
from tests.builders import Broker, Clock, query
from tests.cases.hostile import CODES, FAULTS, MARK

LARGEST = 4_194_304
FORM = "application/x-www-form-urlencoded"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Door:
    """Where a document is sent, and one that is good but for the text at the mark."""

    who: str
    method: str
    path: str
    document: Callable[[str], Any]


def _consent(_: str) -> Any:
    consent = dict(samples()["cl-0002"].consent)
    return consent | {"evidence": {**consent["evidence"], "place": MARK}}


DOORS = {
    "clients": Door(
        "agii-wvl", "POST", "/v1/clients", lambda _: {"identity": {"given_name": MARK}}
    ),
    "summary": Door(
        "agii-wvl",
        "PUT",
        "/v1/clients/{}/summary",
        lambda _: {"sections": {"ident": {"given_name": MARK}}},
    ),
    "consents": Door("agii-wvl", "POST", "/v1/clients/{}/consents", _consent),
    "handovers": Door(
        "agii-wvl",
        "POST",
        "/v1/handovers",
        lambda handle: {
            "client": handle,
            "recipient": "org:leerwinkel-wvl",
            "purpose": "P1",
            "reason_code": "other",
            "appointment": {"start": "2026-11-09T09:00:00Z", "site": MARK},
        },
    ),
    "query": Door(
        "leerwinkel-wvl",
        "POST",
        "/v1/summaries/query",
        lambda handle: query(client=handle, purpose="P1", end_user={"id": "u-1", "function": MARK}),
    ),
}


@pytest.fixture
def services(settings: Settings, clock: Clock) -> Iterator[Services]:
    """A broker that takes the largest bodies it can be set to take."""
    large = settings.model_copy(update={"max_body_bytes": LARGEST, "small_body_bytes": LARGEST})
    built = build_services(large, clock=clock)
    yield built
    built.close()


@pytest.mark.case("T82")
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_t82_no_door_takes_a_document_that_can_be_read_in_two_ways(
    broker: Broker, door: Door
) -> None:
    handle, before = prepared(broker, door)
    caller = broker.as_(door.who)

    told = {}
    for fault, damaged in FAULTS.items():
        raw = damaged(json.dumps(door.document(handle), ensure_ascii=False))
        answer = sent(caller, door, handle, raw)
        assert answer.headers["content-type"] == "application/problem+json"
        told[fault] = (answer.status_code, answer.json()["errors"])

    assert told == {fault: (400, [{"loc": "body", "type": code}]) for fault, code in CODES.items()}
    assert stored(broker.services) == before


@pytest.mark.case("T82")
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_t82_without_its_fault_the_same_document_is_taken(broker: Broker, door: Door) -> None:
    handle, before = prepared(broker, door)

    raw = json.dumps(door.document(handle)).replace(MARK, "Anna").encode()
    answer = sent(broker.as_(door.who), door, handle, raw)

    assert answer.status_code != 400
    assert stored(broker.services) != before


@pytest.mark.case("T82")
@pytest.mark.parametrize("fault", FAULTS)
def test_t82_the_token_door_takes_no_such_form(broker: Broker, fault: str) -> None:
    application, assertion = asserting(broker)
    before = stored(broker.services)
    scope = FAULTS[fault](f'{{"scope":"{MARK}"}}')
    fields = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    form = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    raw = f"{form}&client_assertion={assertion}&scope=".encode() + quote(scope).encode()
    if fault == "j-duplicate-keys":
        raw = f"{form}&client_assertion={assertion}&scope=query&scope=query".encode()

    door = broker.as_("leerwinkel-wvl")
    del door.headers["Authorization"]
    refused = door.post("/oauth/token", content=raw, headers={"Content-Type": FORM})

    assert refused.status_code == 400
    assert refused.json()["error"] in {"invalid_request", "invalid_scope"}
    assert stored(broker.services) == before
    good = f"{form}&client_assertion={assertion}&scope=query".encode()
    given = door.post("/oauth/token", content=good, headers={"Content-Type": FORM})
    assert given.status_code == 200, (application, given.text)


@pytest.mark.case("T82")
def test_t82_a_body_over_the_limit_is_not_read_at_all(settings: Settings, clock: Clock) -> None:
    built = build_services(settings, clock=clock)
    try:
        broker = Broker(built, clock)
        holder = broker.as_("agii-wvl")
        before = stored(built)
        for fault in ("i-1-mb-key", "k-100000-keys"):
            raw = FAULTS[fault](json.dumps({"identity": {"given_name": MARK}}))
            headers = {"Content-Type": "application/json"}
            answer = holder.post("/v1/clients", content=raw, headers=headers)
            assert answer.status_code == 413
        assert stored(built) == before
    finally:
        built.close()


def prepared(broker: Broker, door: Door) -> tuple[str, dict[str, int]]:
    """The handle that the door's caller has for a sample client, and what is stored."""
    story = broker.story("cl-0002", "leerwinkel-wvl", "P1")
    (line,) = broker.as_("leerwinkel-wvl").get("/v1/handovers").json()["items"]
    handle = story.handle if door.who == "agii-wvl" else line["subject"]["pairwise_id"]
    return handle, stored(broker.services)


def sent(caller: Any, door: Door, handle: str, raw: bytes) -> Response:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "key-t82-0001"}
    answer: Response = caller.request(
        door.method, door.path.format(handle), content=raw, headers=headers
    )
    return answer


def stored(services: Services) -> dict[str, int]:
    """How many rows every table holds, the log's among them."""
    tables = SQLModel.metadata.tables
    with services.database.reading() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.items()
        }


def asserting(broker: Broker) -> tuple[str, str]:
    """A registered application, and a fresh assertion that it is who it says."""
    key = new_signing_key()
    signer = signer_from_jwk(key)
    order = NewApplication(OrganisationId("leerwinkel-wvl"), signer.public_jwk())
    done = broker.services.writer.submit(register_application, order).result().value
    assert not isinstance(done, Refused)
    broker.application("leerwinkel-wvl")
    now = round(broker.clock().timestamp())
    claims = {
        "iss": done.application,
        "sub": done.application,
        "aud": broker.services.settings.issuer,
        "iat": now,
        "exp": now + 60,
        "jti": f"assertion-{done.application}",
    }
    return done.application, sign(CLIENT_ASSERTION, claims, signer)
