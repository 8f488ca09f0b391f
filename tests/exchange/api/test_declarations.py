"""Each address says whom it lets in, whose data it reaches, how often and how sensitive: truly."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from exchange.api.declarations import COUNTED, DECLARED, Data, Rate, Tenant, methods_of
from exchange.flows.administer import EVERY_SCOPE
from exchange.quotas import Limits, Quotas
from exchange.samples import directory_documents, samples
from tests.builders import Broker
from tests.cases.uniform import UNKNOWN_HANDLE, UNKNOWN_ID, assert_uniform
from tests.exchange.machines import machine_of

NEEDING = {way: each for way, each in DECLARED.items() if each.scopes}
IDS = {
    "client": UNKNOWN_HANDLE,
    "consent": "c-0000",
    "handover": UNKNOWN_ID,
    "request": UNKNOWN_ID,
    "index": "0",
}
IDS |= {"recall": UNKNOWN_ID, "language": "nl", "basis": UNKNOWN_ID}
IDS |= {"agreement": "PR-2026-001", "version": "2.0"}
OTHERS = IDS | {"log": "s0e1", "level": "0", "place": "000"}
EVALUATION: Mapping[str, Any] = {
    "subject": {"type": "organisation", "id": "org:vdab-gent"},
    "action": {"name": "view"},
    "resource": {"type": "summary", "id": UNKNOWN_HANDLE},
    "context": {"purpose": "P2"},
}
BODIES: Mapping[str, Any] = {
    "refusal": {"reason_code": "other"},
    "answer": {"state": "refused"},
    "consent-requests": {
        "client": UNKNOWN_HANDLE,
        "purpose": "P2",
        "sections": ["contact"],
        "reason_code": "other",
    },
    "exclusions": {"organisation": "org:vdab-gent", "member": "u-1"},
    "bases": {
        "kind": "agreement_article",
        "recipient": "org:vdab-gent",
        "purpose": "P2",
        "agreement": "PR-2026-004",
        "reference": "art-4",
    },
    "/v1/clients/{client}/bases/{basis}/objection/answer": {"outcome": "legal_claims"},
    "simulations": {
        "kind": "agreement",
        "document": directory_documents()["agreement"]["PR-2026-004"],
    },
    "evaluation": EVALUATION,
    "evaluations": {**EVALUATION, "evaluations": [{}]},
    "acknowledgement": {"ack_of": UNKNOWN_ID},
    "flags": {"flags": []},
    "summary": {"sections": {}},
    "withdrawal": {"via": "portal"},
    "confirmation": {"code": "7K4M-2QXA"},
    "withdrawals": {"code": "0000-0000"},
    "certificate": {"certificate": "x" * 40},
    "renewal": {name: samples()["cl-0004"].consent[name] for name in ("notice", "evidence")},
    "invalidation": {"reason": "no_evidence"},
    "/v1/consents/{consent}/revocation": {"by": "court"},
    "suspension": {"reason": "under_review"},
    "resumption": {"via": "portal"},
    "disclosures": {
        "recipient": "org:vdab-gent",
        "purpose": "P2",
        "sections": ["contact"],
        "via": "phone",
        "basis": "consent",
        "at": "2026-01-15T09:00:00Z",
    },
}
WHO_MAY = {"audit-all": "toezicht", "aggregate": "backoffice", "query": "vdab-gent"}
"""Of which organisation a token may have a scope; any guidance service has the others."""


def found(broker: Broker) -> Iterator[tuple[str, str]]:
    """Method and path of every address that there is."""
    for path, takes in broker.app.openapi()["paths"].items():
        yield from ((method.upper(), path) for method in takes)


def asked(client: TestClient, way: tuple[str, str], ids: Mapping[str, str] = OTHERS) -> Response:
    method, path = way
    if way == ("PUT", "/v1/consents/{consent}/evidence"):
        return client.put(path.format(**ids), content=b"%PDF-1.7 a page")
    body = BODIES.get(path, BODIES.get(path.rpartition("/")[2], {})) if method != "GET" else None
    return client.request(method, path.format(**ids), json=body)


def with_scopes(broker: Broker, organisation: str, *scopes: str) -> TestClient:
    """Somebody of the organisation whose token has these scopes and no other."""
    token, _ = broker.services.tokens.issue(
        application=broker.application(organisation),
        organisation=organisation,
        scopes=frozenset(scopes),
        at=broker.clock(),
        token_id="-".join(scopes),
    )
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(broker.app, headers=headers, raise_server_exceptions=False)


def test_every_address_is_declared_and_every_declaration_has_its_address(broker: Broker) -> None:
    hidden = [
        each for each in broker.app.routes if getattr(each, "include_in_schema", True) is False
    ]

    assert hidden == []
    assert {(way[0], re.sub(":path}", "}", way[1])) for way in found(broker)} == set(DECLARED)


@pytest.mark.parametrize("way", DECLARED, ids="-".join)
def test_no_address_answers_without_one_of_the_scopes_that_it_declares(
    broker: Broker, way: tuple[str, str]
) -> None:
    declared = DECLARED[way]
    nobody = TestClient(broker.app, raise_server_exceptions=False)
    others = with_scopes(broker, "destap-ww", *(EVERY_SCOPE - declared.scopes))

    if not declared.scopes:
        assert asked(nobody, way).status_code not in {401, 403} or way[1] == "/oauth/token"
        return
    assert asked(nobody, way).status_code == 401
    if declared.scopes != EVERY_SCOPE:
        without = asked(others, way)
        told = "urn:overdracht:problem:insufficient-scope"
        assert (without.status_code, without.json()["type"]) == (403, told)
    for scope in declared.scopes:
        may = with_scopes(broker, WHO_MAY.get(scope, "destap-ww"), scope)
        assert asked(may, way).status_code not in {401, 403}


@pytest.mark.parametrize(
    "way",
    [way for way, each in NEEDING.items() if each.tenant in {Tenant.HOLDER, Tenant.PARTY}],
    ids="-".join,
)
def test_what_is_one_tenants_is_nobodys_to_any_other(broker: Broker, way: tuple[str, str]) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    real = {"client": story.handle, "consent": story.consent, "handover": story.handover}
    real["request"] = str(broker.asked(story).json()["request"])
    stranger = with_scopes(broker, "leerwinkel-wvl", *(EVERY_SCOPE - WHO_MAY.keys()))

    foreign, unknown = asked(stranger, way, OTHERS | real), asked(stranger, way)

    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)
    assert foreign.headers == unknown.headers
    if "{" in way[1] and not way[1].endswith("/consents"):
        assert_uniform(foreign)


@pytest.mark.parametrize("way", DECLARED, ids="-".join)
def test_what_is_not_public_is_stored_by_nobody_on_the_way(
    broker: Broker, way: tuple[str, str]
) -> None:
    anybody = with_scopes(broker, "destap-ww", *(EVERY_SCOPE - WHO_MAY.keys()))

    answer = asked(anybody, way)

    if DECLARED[way].data is not Data.PUBLIC:
        assert "no-store" in answer.headers["cache-control"]
        assert "public" not in answer.headers["cache-control"]


def test_only_what_stops_something_has_the_reserved_allowance() -> None:
    reserved = [way for way, each in DECLARED.items() if each.rate is Rate.WITHDRAWALS]

    assert reserved == [
        ("POST", "/v1/consents/{consent}/withdrawal"),
        ("POST", "/v1/withdrawals"),
        ("POST", "/stop/{language}"),
    ]


def test_an_address_is_refused_for_the_quota_that_it_declares_and_for_no_other(
    broker: Broker,
) -> None:
    quotas = Quotas(Limits(requests=100, tokens=1), lambda: 0.0)
    spent = Broker(replace(broker.services, quotas=quotas), broker.clock)
    machine = machine_of(spent.services)
    for each in ("destap-ww", *WHO_MAY.values()):
        assert quotas.token(each)
        assert all(quotas.request(each, "") for _ in range(100))

    def told(way: tuple[str, str]) -> int:
        if way[1].startswith("/oauth/"):
            form = machine.form() | ({"token": "none"} if way[1].endswith("revocation") else {})
            return TestClient(spent.app).post(way[1], data=form).status_code
        scope = next(iter(DECLARED[way].scopes), "client")
        return asked(with_scopes(spent, WHO_MAY.get(scope, "destap-ww"), scope), way).status_code

    refused = {way for way in DECLARED if told(way) == 429}

    taken = COUNTED | {Rate.TOKENS}
    assert refused == {way for way, each in DECLARED.items() if each.rate in taken}


def test_an_address_knows_its_methods() -> None:
    assert methods_of("/v1/clients/abc/summary") == ["GET", "PUT"]
    assert methods_of("/audit/tlog/s0e1/tile/0/x001/000.p/3") == ["GET"]
    assert methods_of("/v1/clients/a/b/summary") == []
    assert methods_of("/") == []
