"""T29: a proof counts once, in every process, for as long as it could be taken."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, select

from exchange import api, records
from exchange.api.declarations import DECLARED
from exchange.services import Services, build_services
from exchange.transaction import APART
from tests.builders import Broker, Clock
from tests.cases.uniform import UNKNOWN_ID
from tests.cases.volume import volume
from tests.exchange.api.test_declarations import BODIES
from tests.exchange.commands import PATIENCE, note
from tests.exchange.machines import endpoint
from tests.exchange.processes import ask_with_proof, both
from tests.exchange.provers import BOXES, QUERY, TOKENS, Prover, assert_refused, prover_of


@pytest.fixture
def prover(services: Services) -> Prover:
    return prover_of(services)


@pytest.mark.case("T29")
@pytest.mark.parametrize("_", [pytest.param(None, id="a")])
def test_t29_a_proof_counts_once_at_every_protected_address(
    services: Services, broker: Broker, _: None
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    holder, partner = prover_of(services), prover_of(services, "vdab-gent")
    client, handover = f"/v1/clients/{story.handle}", f"{BOXES}/{story.handover}"
    push = {"client": story.handle, "recipient": "org:vdab-gent", "purpose": "P2"}
    own = {"mode": "filtered", "client": story.handle}
    asked: list[tuple[Prover, str, str, Any]] = [
        (partner, "POST", QUERY, story.query()),
        (partner, "GET", BOXES, None),
        (partner, "GET", handover, None),
        (partner, "POST", f"{handover}/acknowledgement", {"ack_of": story.handover}),
        (partner, "POST", f"{handover}/acceptance", {}),
        (partner, "POST", f"{handover}/refusal", {"reason_code": "other"}),
        (partner, "POST", f"{handover}/first-contact", {}),
        (partner, "POST", f"{handover}/closure", {}),
        (holder, "POST", f"{handover}/revocation", {}),
        (holder, "POST", BOXES, push | {"reason_code": "other"}),
        (holder, "POST", "/v1/clients", {"reference": "x-9"}),
        (holder, "PUT", f"{client}/flags", {"flags": []}),
        (holder, "PUT", f"{client}/summary", {"sections": {"ident": {}}}),
        (holder, "GET", f"{client}/summary", None),
        (holder, "GET", f"{client}/consents", None),
        (holder, "POST", f"{client}/consents", dict(story.sample.consent)),
        (holder, "GET", f"/v1/consents/{story.consent}/receipt", None),
        (holder, "GET", f"/v1/consents/{story.consent}/record", None),
        (holder, "POST", f"/v1/consents/{story.consent}/withdrawal", {"via": "portal"}),
        (
            holder,
            "POST",
            f"{client}/disclosures",
            {
                "recipient": "org:vdab-gent",
                "purpose": "P2",
                "sections": ["contact"],
                "via": "phone",
                "basis": "consent",
                "at": "2026-01-15T09:00:00Z",
            },
        ),
        (holder, "POST", "/v1/audit/receipts", {"index": 0, "leaf_hash": "0" * 64}),
        (holder, "POST", "/v1/audit/search", {}),
        (holder, "POST", "/v1/audit/exports", own),
        (holder, "GET", "/v1/audit/entries/0", None),
    ]
    seen: set[tuple[str, str]] = set()
    names = {story.handle: "{client}", story.handover: "{handover}", story.consent: "{consent}"}
    for who, method, path, body in asked:
        headers = {"Idempotency-Key": f"key-t29-{len(seen)}"}
        counts_once(who, method, path, json=body, headers=headers)
        for id, name in names.items():
            path = path.replace(id, name)  # noqa: PLW2901 (the address as it is declared)
        seen.add((method, path.replace("entries/0", "entries/{index}")))
    assert seen < protected()
    ids = {"client": story.handle, "consent": story.consent}
    ids |= dict.fromkeys(("request", "recall", "basis"), UNKNOWN_ID) | {"index": "0"}
    for method, path in sorted(protected() - seen):
        body = BODIES.get(path, BODIES.get(path.rpartition("/")[2], story.sample.consent))
        sent = {"content": b"%PDF-1.7"} if method == "PUT" else {"json": body}
        own_scope = DECLARED[method, path].scopes & {"client", "consent"}
        counts_once(
            holder if own_scope else partner,
            method,
            path.format(**ids),
            **({} if method == "GET" else sent),
        )


def counts_once(who: Prover, method: str, path: str, **sent: Any) -> None:
    """The proof of a request that is asked twice is good for the first alone."""
    proof = who.proof_of_token(method, path)
    first, again = (who.asks(method, path, proof=proof, **sent) for _ in range(2))
    assert first.status_code != 401, (method, path, first.text)
    assert again.status_code == 401, (method, path, first.text, again.text)
    assert_refused(again)


def protected() -> set[tuple[str, str]]:
    """Every address that wants an access token; mirrors read bundles by a scope of their own."""
    every = {(method, each.path) for each in declared() for method in each.methods or ()}
    return {each for each in every if each[1].startswith("/v1/") and DECLARED[each].scopes}


def declared() -> Iterator[APIRoute]:
    """Every address of the service."""
    for part in Path(str(api.__file__)).parent.glob("[a-z]*.py"):
        router = getattr(import_module(f"exchange.api.{part.stem}"), "router", None)
        yield from (each for each in getattr(router, "routes", ()) if isinstance(each, APIRoute))


@pytest.mark.case("T29")
@pytest.mark.parametrize("ahead", [-60, 0, 10])
@pytest.mark.parametrize("_", [pytest.param(None, id="b")])
def test_t29_a_proof_is_remembered_for_as_long_as_it_could_be_taken(
    prover: Prover, clock: Clock, ahead: int, _: None
) -> None:
    now = int(clock().timestamp())
    made = prover.proof_of_token("GET", BOXES, iat=now + ahead)
    answers = [prover.asks("GET", BOXES, proof=made)]
    for _second in range(0, 72, 4):
        clock.move(timedelta(seconds=4))
        # Others are remembered meanwhile: what is long gone is forgotten then.
        answers += [prover.asks("GET", BOXES, proof=made), prover.asks("GET", BOXES)]

    assert [each.status_code for each in answers] == [200, *([401, 200] * 18)]


@pytest.mark.case("T29")
@pytest.mark.parametrize("_", [pytest.param(None, id="c")])
def test_t29_of_many_with_one_proof_at_once_exactly_one_is_taken(
    services: Services, prover: Prover, _: None
) -> None:
    proof = prover.proof_of_token("POST", "/v1/clients")
    honest = [prover.proof_of_token("POST", "/v1/clients") for _ in range(20)]
    half = volume("T29") // 2
    proofs = [proof] * half + honest + [proof] * half

    def ask(made: str) -> int:
        body = {"reference": "x-1"}
        return prover.asks("POST", "/v1/clients", proof=made, json=body).status_code

    with ThreadPoolExecutor(20) as threads:
        codes = list(threads.map(ask, proofs))

    assert (codes[:half] + codes[half + 20 :]).count(401) == 2 * half - 1
    assert set(codes[half : half + 20]) <= {200, 201}


@pytest.mark.case("T29")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize("_", [pytest.param(None, id="c-processes")])
def test_t29_of_two_processes_exactly_one_takes_a_proof(prover: Prover, _: None) -> None:
    headers = {"Authorization": f"DPoP {prover.token}"}
    headers["DPoP"] = prover.proof_of_token("GET", BOXES)

    answers = both(ask_with_proof, prover.services.settings, BOXES, headers)

    assert sorted(answers) == [200, 401]


def test_a_proof_that_was_used_is_used_after_a_restart_too(
    services: Services, prover: Prover, clock: Clock
) -> None:
    headers = {"Authorization": f"DPoP {prover.token}"}
    headers["DPoP"] = prover.proof_of_token("GET", BOXES)
    first = prover.http.get(BOXES, headers=headers)
    services.close()
    again = build_services(services.settings, clock=clock)

    second = endpoint(again).get(BOXES, headers=headers)
    again.close()

    assert first.status_code == 200
    assert_refused(second)


def test_a_proof_for_a_token_counts_once_too(prover: Prover) -> None:
    proof = prover.proof("POST", TOKENS)

    answers = [prover.asks_for_token(proof) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 401]


def test_a_request_that_was_not_carried_out_leaves_its_proof_unused(prover: Prover) -> None:
    proof = prover.proof_of_token("POST", "/v1/clients")

    unfit = prover.asks("POST", "/v1/clients", proof=proof, json={"unknown": 1})
    mended = prover.asks("POST", "/v1/clients", proof=proof, json={"reference": "x-1"})

    assert (unfit.status_code, mended.status_code) == (422, 201)


def test_while_nothing_can_be_written_a_proof_counts_once_all_the_same(
    services: Services, prover: Prover
) -> None:
    used, fresh = (prover.proof_of_token("GET", BOXES) for _ in range(2))
    before = prover.asks("GET", BOXES, proof=used)
    services.admission.freeze("for a test")

    answers = [prover.asks("GET", BOXES, proof=each) for each in (used, fresh, fresh)]

    assert before.status_code == 200
    assert [each.status_code for each in answers] == [401, 200, 401]


@pytest.mark.case("T29")
@pytest.mark.parametrize("_", [pytest.param(None, id="a")])
def test_t29_what_was_used_counts_once_too_while_the_clock_is_behind_the_log(
    prover: Prover, clock: Clock, _: None
) -> None:
    prover.services.writer.submit(note, "later").result(PATIENCE)
    clock.move(timedelta(hours=-1))
    late, other = (prover_of(prover.services) for _ in range(2))
    form = late.machine.form()
    assertions = [late.http.post(TOKENS, data=form).status_code]
    late.token  # noqa: B018 - asks for it
    proof = late.proof_of_token("GET", BOXES)
    proofs = []
    for _each in range(3):
        proofs.append(late.asks("GET", BOXES, proof=proof).status_code)
        assert other.asks("GET", BOXES).status_code == 200
        assertions.append(late.http.post(TOKENS, data=form).status_code)

    assert proofs == [200, 401, 401]
    assert assertions == [200, 401, 401, 401]


@pytest.mark.case("T29")
@pytest.mark.parametrize("_", [pytest.param(None, id="a")])
def test_t29_what_is_too_old_at_every_host_is_remembered_no_more(
    prover: Prover, clock: Clock, _: None
) -> None:
    assert prover.asks("GET", BOXES).status_code == 200
    kept = uses(prover.services)
    clock.move(timedelta(microseconds=APART))
    before = uses_after_another(prover.services)
    clock.move(timedelta(minutes=5))
    after = uses_after_another(prover.services)

    assert kept == 3
    assert (before, after) == (kept + 3, 6)


def uses_after_another(services: Services) -> int:
    assert prover_of(services).asks("GET", BOXES).status_code == 200
    return uses(services)


def uses(services: Services) -> int:
    """How many things that were used are remembered."""
    with services.database.reading() as connection:
        mine = select(func.count()).select_from(records.Replay)
        return connection.scalars(mine).one()
