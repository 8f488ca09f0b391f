"""T18, T24, T33: what was ended counts no more from the next request on, in every process."""

import json
from typing import Any

import pytest
from httpx2 import Response

from exchange.flows.administer import (
    NewApplication,
    register_application,
    resume_application,
    suspend_application,
)
from exchange.problems import BASE
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import Services, build_services
from policies.vocabulary import ApplicationId, OrganisationId
from tests.builders import Clock, logged
from tests.exchange.commands import PATIENCE
from tests.exchange.machines import Machine, endpoint, machine_of, revoke
from tests.exchange.provers import BOXES, QUERY, Prover, assert_refused, prover_of

REVOCATION = "/oauth/revocation"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def prover(services: Services) -> Prover:
    return prover_of(services)


@pytest.fixture
def machine(prover: Prover) -> Machine:
    return prover.machine


def revoked(machine: Machine, token: str, **more: str) -> Response:
    form = {**machine.form(), "token": token, **more}
    del form["grant_type"]
    return endpoint(machine.services).post(REVOCATION, data=form)


def changes(services: Services) -> list[tuple[str, str, str]]:
    found = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    return [(each["what"], each["act"], each["id"]) for each in found]


def suspend(machine: Machine) -> None:
    application = ApplicationId(machine.application)
    machine.services.writer.submit(suspend_application, application).result(PATIENCE)


def test_an_application_ends_its_own_token(prover: Prover, machine: Machine) -> None:
    before = prover.asks("GET", BOXES)

    ended = revoked(machine, prover.token, token_type_hint="access_token")  # noqa: S106 (a kind)
    after = prover.asks("GET", BOXES)
    told = prover.asks("POST", "/v1/clients", json={"reference": "x-1"})
    again = revoked(machine, prover.token)

    assert (before.status_code, ended.status_code, ended.content) == (200, 200, b"")
    assert again.status_code == 200
    assert_refused(after, "invalid_token")
    assert_refused(told, "invalid_token")
    assert changes(machine.services)[-1:] == [("token", "revoked", machine.application)]
    assert Prover(machine).asks("GET", BOXES).status_code == 200


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_another_process_refuses_the_token_from_its_next_request_on(
    prover: Prover, machine: Machine, clock: Clock
) -> None:
    other = build_services(machine.services.settings, clock=clock)
    elsewhere = Prover(Machine(other, machine.application, machine.key), prover.key)
    elsewhere.__dict__["token"] = prover.token
    prover.asks("GET", BOXES)
    reference = {"reference": "x-1"}
    before = [elsewhere.asks("GET", BOXES, proof=elsewhere.proof_of_token("GET", BOXES, jti="o"))]

    revoked(machine, prover.token)
    after = [
        elsewhere.asks("GET", BOXES),
        elsewhere.asks("POST", "/v1/clients", json=reference),
    ]
    other.close()

    assert [each.status_code for each in before + after] == [200, 401, 401]


def test_a_token_that_is_none_is_as_good_as_ended(machine: Machine) -> None:
    assert revoked(machine, "no.such.token").status_code == 200


def test_nobody_ends_the_token_of_another(prover: Prover, services: Services) -> None:
    stranger = machine_of(services, "vdab-gent")

    answer = revoked(stranger, prover.token)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert prover.asks("GET", BOXES).status_code == 200


def test_who_ends_a_token_says_who_it_is_once(prover: Prover, machine: Machine) -> None:
    assertion = machine.assertion()
    unsigned = revoked(machine, prover.token, client_assertion="no.such.assertion")
    first = revoked(machine, "some.other.token", client_assertion=assertion)
    second = revoked(machine, prover.token, client_assertion=assertion)

    assert [each.status_code for each in (unsigned, first, second)] == [401, 200, 401]
    assert prover.asks("GET", BOXES).status_code == 200
    assert endpoint(machine.services).post(REVOCATION, data=machine.form()).status_code == 400


@pytest.mark.case("T33")
def test_t33_a_token_of_an_application_that_was_revoked_opens_nothing(
    prover: Prover, machine: Machine
) -> None:
    before = prover.asks("GET", BOXES)

    revoke(machine.services, machine)

    assert before.status_code == 200
    assert_refused(prover.asks("GET", BOXES), "invalid_token")
    assert_refused(prover.asks("POST", QUERY, json=QUESTION), "invalid_token")


QUESTION = {
    "handover": "00000000-0000-4000-8000-000000000000",
    "purpose": "P2",
    "end_user": {"id": "u-1", "function": "f"},
    "case_reference": "z-1",
}


@pytest.mark.case("T18")
@pytest.mark.parametrize("what", ["a", "b", "c"])
def test_t18_who_may_come_in_no_more_is_told_what_an_unknown_one_is(
    services: Services, clock: Clock, what: str
) -> None:
    key = signer_from_jwk(new_signing_key())
    ends = int(clock().timestamp()) * 1_000_000 + 1_000_000 if what == "c" else None
    order = NewApplication(OrganisationId("destap-ww"), key.public_jwk(), expires_at=ends)
    done: Any = services.writer.submit(register_application, order).result(PATIENCE).value
    machine = Machine(services, done.application, key)
    unknown, before = Machine(services, "app:nobody-1", key).ask(), machine.ask()
    held = {"Authorization": f"Bearer {before.json()['access_token']}"}
    if what == "a":
        revoke(services, machine)
    elif what == "b":
        suspend(machine)
    clock.now = clock.now.replace(second=1)

    after, used = machine.ask(), endpoint(services).get(BOXES, headers=held)

    assert before.status_code == 200
    assert (after.status_code, after.content) == (unknown.status_code, unknown.content)
    assert dict(after.headers) == dict(unknown.headers)
    assert_refused(used, "invalid_token")


def test_an_application_that_was_suspended_comes_in_again_when_it_is_let(machine: Machine) -> None:
    suspend(machine)
    application = ApplicationId(machine.application)
    machine.services.writer.submit(resume_application, application).result(PATIENCE)

    assert machine.ask().status_code == 200


@pytest.mark.case("T24")
@pytest.mark.parametrize("authorised", [True, False], ids=["too", "only"])
@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [
        pytest.param("access_token={}", "application/json", "{}", id="a"),
        pytest.param("", FORM["Content-Type"], "x=1&access_token={}", id="b"),
        pytest.param("", "application/json", '{"access_token": "{}"}', id="b-json"),
    ],
)
def test_t24_a_token_where_others_may_read_it_is_ended(
    prover: Prover, query: str, kind: str, body: str, *, authorised: bool
) -> None:
    token, path = prover.token, "/v1/clients"
    headers = {"Content-Type": kind}
    if authorised:
        held = {"Authorization": f"DPoP {token}", "DPoP": prover.proof_of_token("POST", path)}
        headers |= held

    answer = prover.http.post(
        f"{path}?{query.replace('{}', token)}",
        content=body.replace('"{}"', json.dumps(token)).replace("={}", f"={token}"),
        headers=headers,
    )

    assert answer.status_code == 400
    assert answer.json()["type"] == f"{BASE}malformed-request"
    assert token not in answer.text
    assert_refused(prover.asks("GET", BOXES), "invalid_token")
    assert changes(prover.services)[-1] == ("token", "leaked", prover.machine.application)


def test_a_text_that_is_no_token_ends_nothing(prover: Prover) -> None:
    answer = prover.asks(
        "GET", f"{BOXES}?access_token=abc", proof=prover.proof_of_token("GET", BOXES)
    )

    assert answer.status_code == 400
    assert prover.asks("GET", BOXES).status_code == 200
