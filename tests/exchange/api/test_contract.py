"""The contract at /openapi.json: whole, true, and made of what the addresses are held to."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from fastapi.testclient import TestClient
from httpx2 import Response

from consent.forms import record_schema
from exchange.api.declarations import DECLARED
from exchange.api.deposit_schema import deposit_schema
from exchange.api.descriptions import DESCRIBED
from exchange.api.openapi import contract
from exchange.samples import Sample, directory_documents, samples
from tests.builders import Broker

PROBLEMS = Path(__file__).parents[3] / "docs" / "problems.md"
STEPS: tuple[tuple[str, dict[str, str]], ...] = (
    ("acceptance", {}),
    ("first-contact", {"at": "2026-11-02T10:00:00Z"}),
    ("closure", {}),
)


@pytest.fixture
def document(broker: Broker) -> dict[str, Any]:
    found: dict[str, Any] = TestClient(broker.app).get("/openapi.json").json()
    return found


def fits(document: Mapping[str, Any], answer: Response) -> Response:
    """The answer, if the contract has its address, status, type and form."""
    path = answer.request.url.path
    (way,) = [
        each for each in document["paths"] if re.fullmatch(re.sub("{.*?}", "[^/]+", each), path)
    ]
    told = document["paths"][way][answer.request.method.lower()]["responses"]
    kind = answer.headers["content-type"].partition(";")[0]
    content = told[str(answer.status_code)]["content"][kind]
    if "json" in kind:
        schema = content["schema"]
        whole = {**schema, "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(answer.json())
    return answer


def test_every_address_is_described_and_every_description_has_its_address() -> None:
    assert set(DESCRIBED) == set(DECLARED)


def test_the_contract_is_openapi_and_is_served_as_it_is(
    broker: Broker, document: dict[str, Any]
) -> None:
    assert document == broker.app.openapi()
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
    assert TestClient(broker.app).get("/docs").status_code == 404


def test_who_may_ask_stands_in_the_contract_as_it_is_declared(document: dict[str, Any]) -> None:
    for (method, path), declared in DECLARED.items():
        ways = document["paths"][path][method.lower()]["security"]
        scopes = {
            scope for way in ways for name in ("bearer", "dpop") for scope in way.get(name, ())
        }
        assert scopes == declared.scopes, path


def test_where_every_token_must_be_bound_the_contract_offers_no_other(broker: Broker) -> None:
    bound = broker.services.settings.model_copy(update={"dpop_compulsory": True})

    found = contract(broker.app.routes, bound)

    ways = [
        way for each in found["paths"].values() for one in each.values() for way in one["security"]
    ]
    assert any("dpop" in way for way in ways)
    assert not any("bearer" in way for way in ways)
    assert all("proof" in way for way in ways if "dpop" in way)


def test_every_problem_in_the_contract_is_on_the_page_of_problems(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"].items()
    types = {each["properties"]["type"]["const"] for name, each in schemas if "problem-" in name}

    assert types
    assert set(re.findall(r"`(urn:overdracht:problem:[a-z-]+)`", PROBLEMS.read_text())) == types


def test_every_answer_of_a_whole_handover_fits_the_contract(
    broker: Broker, document: dict[str, Any]
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    holder, partner = broker.as_("destap-ww"), broker.as_("vdab-gent")
    auditor = broker.as_("toezicht")
    client = f"/v1/clients/{story.handle}"

    fetched = fits(document, story.fetch()).json()
    fits(document, holder.post(f"{client}/consents", json=story.sample.consent))
    pushed = broker.pushed("destap-ww", story.handle, "vdab-gent", "P2")
    assert fits(document, pushed).status_code == 201
    fits(document, story.fetch(purpose="P99"))
    fits(document, holder.put(f"{client}/summary", json={"sections": {}}))
    for step, body in STEPS:
        assert fits(document, story.answer(step, **body)).status_code == 200
    fits(document, story.answer("acceptance"))
    told = {"index": fetched["audit"]["index"], "leaf_hash": fetched["audit"]["leaf_hash"]}
    assert fits(document, partner.post("/v1/audit/receipts", json=told)).status_code == 200
    assert fits(document, auditor.post("/v1/audit/search", json={})).json()["items"]
    broker.services.checkpointing.once()
    assert fits(document, auditor.get("/v1/audit/entries/1")).status_code == 200
    fits(document, story.withdraw())
    fits(document, story.withdraw())
    for path in (f"{client}/consents", f"{client}/summary", f"/v1/handovers/{story.handover}"):
        assert fits(document, holder.get(path)).status_code == 200
    assert fits(document, partner.get("/v1/handovers")).json()["items"]
    for path in ("/v1/audit/checkpoint", "/v1/summaries/keys", "/readyz", "/openapi.json"):
        assert fits(document, partner.get(path)).status_code == 200


def test_every_answer_in_the_life_of_a_consent_fits_the_contract(
    broker: Broker, document: dict[str, Any]
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    holder, partner = broker.as_("destap-ww"), broker.as_("vdab-gent")
    client, consent = f"/v1/clients/{story.handle}", f"/v1/consents/{story.consent}"
    again = {name: story.sample.consent[name] for name in ("notice", "evidence")}
    page = {"Accept": "text/html"}

    story.fetch()
    shown = holder.post(f"{client}/consents/preview", json=story.sample.consent)
    assert fits(document, shown).json()["previews"]
    ended = directory_documents()["agreement"]["PR-2026-004"] | {"state": "ended"}
    tried = {"kind": "agreement", "document": ended}
    assert fits(document, holder.post("/v1/simulations", json=tried)).json()["items"]
    member = {"organisation": "org:vdab-gent", "member": "u-7"}
    assert fits(document, holder.post(f"{client}/exclusions", json=member)).json()["kept_out"]
    for form in ("", "?as=dpv", "?as=kantara", "?as=fhir", "?as=oslo"):
        assert fits(document, holder.get(f"{consent}/record{form}")).status_code == 200
    assert fits(document, holder.get(f"{consent}/receipt", headers=page)).status_code == 200
    for verb, body in (
        ("renewal", again),
        ("suspension", {"reason": "client_asked"}),
        ("resumption", {"via": "desk"}),
    ):
        assert fits(document, holder.post(f"{consent}/{verb}", json=body)).status_code == 200
    late = {"If-Match": '"1"'}
    stale = holder.post(f"{consent}/renewal", json=again, headers=late)
    assert fits(document, stale).status_code == 412
    question = fits(document, broker.asked(story)).json()["request"]
    assert fits(document, partner.get("/v1/consent-requests?box=outbox")).json()["items"]
    assert fits(document, holder.get("/v1/consent-requests?box=inbox")).json()["items"]
    said = fits(
        document,
        holder.post(f"/v1/consent-requests/{question}/answer", json={"state": "given", **again}),
    )
    assert said.json()["receipt"]
    broker.clock.move(timedelta(days=20))
    holder, partner = broker.as_("destap-ww"), broker.as_("vdab-gent")
    assert fits(document, holder.get("/v1/consents/due?which=ending")).status_code == 200
    ended = holder.post(f"{consent}/invalidation", json={"reason": "not_free"})
    assert fits(document, ended).status_code == 200
    assert fits(document, holder.get(f"{client}/consents")).json()["items"]
    assert fits(document, partner.get("/v1/recalls")).json()["items"]
    assert fits(document, holder.get("/v1/recalls?box=outbox")).json()["items"]
    assert fits(document, holder.get(f"{client}/recalls")).json()["items"]
    for path in ("/stop", "/stop/ar", "/.well-known/consent-receipt-keys.json"):
        assert fits(document, holder.get(path)).status_code == 200
    letter = holder.post(f"{client}/consents", json=story.sample.consent).json()["withdrawal_code"]
    for code, status in (("7K4M-2QXA", 422), ("no", 422), (letter, 200)):
        stopped = fits(document, holder.post("/v1/withdrawals", json={"code": code}))
        shown = fits(document, holder.post("/stop/nl", data={"code": code}))
        assert (stopped.status_code, shown.status_code) == (status, status)


def test_each_body_has_a_name_of_its_own_in_the_contract() -> None:
    bodies = [each.body for each in DESCRIBED.values() if isinstance(each.body, type)]

    assert len({each.__name__ for each in bodies}) == len(set(bodies))


@pytest.mark.parametrize("sample", samples().values(), ids=lambda each: each.id)
def test_what_services_send_fits_what_the_contract_says_of_bodies(sample: Sample) -> None:
    jsonschema.Draft202012Validator(deposit_schema()).validate({"sections": sample.sections})
    if sample.consent:
        jsonschema.Draft202012Validator(record_schema()).validate(sample.consent)
