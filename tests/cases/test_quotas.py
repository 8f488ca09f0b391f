"""T38, T61, T63: a flood is told to wait, costs little, and tells nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from jose.backends import ECKey

from exchange.app import create_app
from exchange.flows.administer import suspend_application
from exchange.problems import BASE
from exchange.quotas import Quotas
from exchange.services import Services, build_services
from exchange.settings import Settings
from policies.vocabulary import ApplicationId
from tests.builders import Broker, Clock, logged
from tests.cases.classes import PARTNER, queries
from tests.cases.volume import volume
from tests.exchange.machines import machine_of, revoke
from tests.exchange.provers import BOXES, QUERY, prover_of

FAILURES, REQUESTS, TOKENS = 20, 5, 3
TOKENS_AT, STOPPING = "/oauth/token", "/v1/consents/c-none/withdrawal"
LIMITED = {"failures_a_minute": FAILURES, "tokens_a_minute": TOKENS}


def limiting(settings: Settings, clock: Clock, **limits: object) -> Services:
    """Services with these quotas, for which no time goes by."""
    built = build_services(settings.model_copy(update=limits), clock=clock)
    return replace(built, quotas=Quotas(built.settings.limits, lambda: 0.0))


@pytest.fixture
def limited(settings: Settings, clock: Clock) -> Iterator[Services]:
    built = limiting(settings, clock, **LIMITED)
    yield built
    built.close()


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What python-jose was asked to verify, as it is asked."""
    asked: list[object] = []
    verify = ECKey.verify

    def noted(*of: object) -> object:
        asked.append(of)
        return verify(*of)

    monkeypatch.setattr(ECKey, "verify", noted)
    return asked


def from_address(services: Services, address: str) -> TestClient:
    return TestClient(create_app(services), client=(address, 50_000))


def assert_told_to_wait(answer: Response) -> None:
    assert answer.status_code == 429
    assert answer.json()["type"] == f"{BASE}too-many-requests"
    assert answer.headers["retry-after"] == "60"


@pytest.mark.case("T38")
def test_t38_a_flood_of_bad_signatures_costs_as_much_as_a_few(
    limited: Services, verifications: list[object]
) -> None:
    machine, flood = machine_of(limited), from_address(limited, "192.0.2.66")
    forged = machine.assertion()[:-4] + "AAAA"
    bad = machine.form(client_assertion=forged)
    stray = {"Authorization": f"Bearer {forged}"}

    half = volume("T38") // 2
    answers = [flood.post("/oauth/token", data=bad) for _ in range(half)]
    answers += [flood.get(BOXES, headers=stray) for _ in range(half)]

    refused = [401] * FAILURES + [429] * (2 * half - FAILURES)
    assert [each.status_code for each in answers] == refused
    assert len(verifications) == FAILURES
    assert_told_to_wait(answers[-1])
    honest = from_address(limited, "192.0.2.1").post("/oauth/token", data=machine.form())
    assert honest.status_code == 200


def test_who_is_asked_for_a_nonce_has_not_failed(settings: Settings, clock: Clock) -> None:
    services = limiting(settings, clock, failures_a_minute=1, dpop_nonce_seconds=60)
    prover = prover_of(services)
    given = prover.asks_for_token().headers["dpop-nonce"]
    proof = prover.proof("POST", "/oauth/token", nonce=given)
    prover.__dict__["token"] = prover.asks_for_token(proof).json()["access_token"]

    asked = [prover.asks("GET", BOXES) for _ in range(3)]
    services.close()

    assert [each.json()["type"] for each in asked] == [f"{BASE}use-dpop-nonce"] * 3


def test_who_is_told_to_wait_for_tokens_has_not_used_the_assertion(limited: Services) -> None:
    machine, other = machine_of(limited), machine_of(limited)
    answers = [machine.ask() for _ in range(TOKENS)]

    late = other.ask()  # another application of the same organisation
    stranger = machine_of(limited, "vdab-gent").ask()

    assert [each.status_code for each in answers] == [200] * TOKENS
    assert_told_to_wait(late)
    assert late.json()["error"] == "temporarily_unavailable"
    assert late.headers["content-type"] == "application/json"
    assert stranger.status_code == 200


@pytest.mark.case("T61")
def test_t61_who_asks_too_much_is_told_so_alike_whoever_was_asked_about(
    broker: Broker, settings: Settings, clock: Clock
) -> None:
    asked = queries(broker)
    broker.services.close()
    few = {"public_employment_service": 1}
    answers = []
    for body in asked.values():
        services = limiting(settings, clock, requests_a_minute_of=few)
        again = Broker(services, clock, _applications=broker._applications)  # noqa: SLF001
        partner = again.as_(PARTNER)
        partner.post("/oauth/token", data=machine_form())
        pair = [partner.post(QUERY, json=body) for _ in range(2)]
        services.close()
        answers.append([(each.status_code, each.content, dict(each.headers)) for each in pair])

    assert answers[0] == answers[1] == answers[2]
    assert [each[0] for each in answers[0]] == [404, 429]


def machine_form() -> dict[str, str]:
    """A form that proves nothing, but makes the service look at its directory."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    proves = {"client_assertion_type": kind, "client_assertion": "no.such.assertion"}
    return {"grant_type": "client_credentials"} | proves


@pytest.mark.case("T63")
def test_t63_a_stolen_key_that_is_used_fast_is_used_no_more(
    settings: Settings, clock: Clock
) -> None:
    services = limiting(settings, clock, requests_a_minute=REQUESTS)
    thief, other = prover_of(services), prover_of(services)
    neighbour = prover_of(services, "vdab-gent")

    answers = [thief.asks("GET", BOXES) for _ in range(2 * REQUESTS + 1)]
    after = thief.machine.ask()
    shared, apart = other.asks("GET", BOXES), neighbour.asks("GET", BOXES)
    entry = logged(services)[-1]
    services.close()

    assert [each.status_code for each in answers] == [200] * REQUESTS + [429] * (REQUESTS + 1)
    assert_told_to_wait(answers[-1])
    assert (after.status_code, after.json()["error"]) == (401, "invalid_client")
    assert (shared.status_code, apart.status_code) == (429, 200)
    change = (entry["e"]["what"], entry["e"]["act"], entry["e"]["id"])
    assert change == ("application", "suspended", thief.machine.application)


def test_nobody_is_kept_from_stopping_by_a_quota(
    broker: Broker, settings: Settings, clock: Clock
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    broker.services.close()
    services = limiting(settings, clock, requests_a_minute=1)
    again = Broker(services, clock, _applications=broker._applications)  # noqa: SLF001
    story.broker = again
    used_up = [again.as_("destap-ww").get(BOXES).status_code for _ in range(2)]

    stopped = story.withdraw()
    services.close()

    assert used_up == [200, 429]
    assert stopped.status_code == 200


def test_who_fails_behind_a_proxy_fails_for_nobody_else_behind_it(
    settings: Settings, clock: Clock
) -> None:
    named = settings.model_validate(settings.model_dump() | {"proxies": "192.0.2.0/28"})
    services = limiting(named, clock, failures_a_minute=FAILURES)
    machine, proxy = machine_of(services), from_address(services, "192.0.2.1")
    forged = {"Authorization": f"Bearer {machine.assertion()}"}

    # What the sender wrote itself is not read, nor does the second proxy hide it.
    flood = [
        proxy.get(
            BOXES,
            headers=forged | {"X-Forwarded-For": f"203.0.113.{at}, 198.51.100.1, 192.0.2.2"},
        ).status_code
        for at in range(FAILURES + 2)
    ]
    honest = proxy.post(
        TOKENS_AT, data=machine.form(), headers={"X-Forwarded-For": "203.0.113.1, 198.51.100.2"}
    )
    services.close()

    assert flood == [401] * FAILURES + [429] * 2
    assert honest.status_code == 200


def test_nobody_but_a_named_proxy_says_for_whom_it_asks(limited: Services) -> None:
    machine, stranger = machine_of(limited), from_address(limited, "192.0.2.66")
    forged = {"Authorization": f"Bearer {machine.assertion()}"}

    flood = [
        stranger.get(BOXES, headers=forged | {"X-Forwarded-For": f"198.51.100.{at}"}).status_code
        for at in range(FAILURES + 1)
    ]

    assert flood == [401] * FAILURES + [429]


def test_strangers_at_the_same_address_keep_out_nobody_whose_token_is_known(
    limited: Services,
) -> None:
    holder, late = prover_of(limited), prover_of(limited, "vdab-gent")
    assert holder.asks("GET", BOXES).status_code == 200
    assert late.token  # given, and not brought here yet
    forged = {"Authorization": f"Bearer {holder.machine.assertion()}"}
    for _ in range(FAILURES):
        holder.http.get(BOXES, headers=forged)

    assert holder.asks("GET", BOXES).status_code == 200
    assert_told_to_wait(late.asks("GET", BOXES))
    # There is no such consent; that it is looked for is what counts.
    assert late.asks("POST", STOPPING, json={"via": "phone"}).status_code == 404


def test_a_flood_of_tokens_in_addresses_costs_as_much_as_a_few(
    limited: Services, verifications: list[object]
) -> None:
    given, flood = machine_of(limited).ask(), from_address(limited, "192.0.2.66")
    forged = given.json()["access_token"][:-4] + "AAAA"
    verifications.clear()

    answers = [flood.get(f"{BOXES}?access_token={forged}") for _ in range(FAILURES + 5)]

    assert [each.status_code for each in answers] == [400] * FAILURES + [429] * 5
    assert len(verifications) == FAILURES


def test_who_sends_a_recorded_request_again_takes_nothing_from_who_made_it(
    settings: Settings, clock: Clock
) -> None:
    services = limiting(settings, clock, requests_a_minute=REQUESTS)
    holder = prover_of(services)
    let, late = holder.proof_of_token("GET", BOXES), holder.proof_of_token("GET", BOXES)

    replays = [holder.asks("GET", BOXES, proof=let).status_code for _ in range(3 * REQUESTS)]
    fresh = [holder.asks("GET", BOXES).status_code for _ in range(REQUESTS)]
    refused = [holder.asks("GET", BOXES, proof=late).status_code for _ in range(3 * REQUESTS)]
    standing = {each.suspended for each in services.directory().applications.values()}
    services.close()

    assert replays == [200] + [401] * (3 * REQUESTS - 1)
    assert fresh == [200] * (REQUESTS - 1) + [429]
    assert refused == [429] * (3 * REQUESTS)
    assert standing == {False}


def test_a_recorded_assertion_takes_no_tokens_from_who_made_it(limited: Services) -> None:
    machine = machine_of(limited)
    form = machine.form()

    replays = [from_address(limited, "a").post(TOKENS_AT, data=form) for _ in range(TOKENS + 1)]

    assert [each.status_code for each in replays] == [200] + [401] * TOKENS
    assert [machine.ask().status_code for _ in range(TOKENS)] == [200] * (TOKENS - 1) + [429]


def test_a_machine_that_is_let_in_no_more_takes_nothing_from_its_organisation(
    settings: Settings, clock: Clock
) -> None:
    services = limiting(settings, clock, requests_a_minute=REQUESTS)
    gone, other = prover_of(services), prover_of(services)
    assert gone.token != other.token
    revoke(services, gone.machine)
    services.directory()  # read by whoever asks for a token or looks into a box

    refused = [gone.asks("GET", BOXES).status_code for _ in range(REQUESTS + 1)]
    let = [other.asks("GET", BOXES).status_code for _ in range(REQUESTS)]
    services.close()

    assert refused == [401] * (REQUESTS + 1)
    assert let == [200] * REQUESTS


def test_who_is_suspended_for_a_burst_may_withdraw_until_an_operator_says_otherwise(
    settings: Settings, clock: Clock
) -> None:
    services = limiting(settings, clock, requests_a_minute=REQUESTS, tokens_a_minute=TOKENS)
    holder = prover_of(services)
    for _ in range(2 * REQUESTS + 1):
        holder.asks("GET", BOXES)
    # There is no such consent; that it is looked for is what counts.
    stopped = holder.asks("POST", STOPPING, json={"via": "phone"}).status_code
    given = [holder.machine.ask(scope=each) for each in ("client consent", "client")]
    stopping = holder.machine.ask(scope="consent")
    spent = [holder.machine.ask(scope="consent").status_code for _ in range(TOKENS + 7)]
    other = holder.asks("GET", BOXES).status_code
    services.writer.submit(suspend_application, ApplicationId(holder.machine.application)).result()
    by_operator = holder.asks("POST", STOPPING, json={"via": "phone"}).status_code
    services.close()

    assert (stopped, other, by_operator) == (404, 401, 401)
    assert [each.status_code for each in given] == [401, 401]
    assert stopping.json()["scope"] == "consent"
    assert sorted(set(spent)) == [200, 429]
