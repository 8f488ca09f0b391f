"""T22, T23, T25 to T28, T30 to T32: a bound token opens nothing without a fresh proof."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exchange.problems import BASE
from exchange.security.dpop import token_hash
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import Services, build_services
from exchange.settings import Settings
from tests.builders import Clock
from tests.exchange.provers import BOXES, TOKENS, Prover, assert_refused, prover_of
from tests.exchange.security.forging import jwk

NAME = "t-1"
NONCES = {"dpop_nonce_seconds": 60}


@pytest.fixture
def prover(services: Services) -> Prover:
    return prover_of(services)


@pytest.fixture
def strict(request: pytest.FixtureRequest, settings: Settings, clock: Clock) -> Iterator[Services]:
    """Services with other settings: by default, that every token must be bound."""
    changed = getattr(request, "param", {"dpop_compulsory": True})
    built = build_services(settings.model_copy(update=changed), clock=clock)
    yield built
    built.close()


def test_a_proof_binds_the_token_and_opens_with_it(prover: Prover) -> None:
    answer = prover.asks_for_token()
    made = prover.asks("POST", "/v1/clients", json={"reference": "x-1"})

    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
    assert made.status_code == 201
    assert prover.asks("GET", BOXES).status_code == 200


@pytest.mark.case("T22")
@pytest.mark.parametrize(
    ("scheme", "error"),
    [("DPoP", "invalid_dpop_proof"), ("Bearer", "invalid_token")],
    ids=["a", "b"],
)
def test_t22_a_bound_token_opens_nothing_without_its_proof(
    prover: Prover, scheme: str, error: str
) -> None:
    answer = prover.http.get(BOXES, headers={"Authorization": f"{scheme} {prover.token}"})

    assert_refused(answer, error)


@pytest.mark.case("T22")
@pytest.mark.parametrize("_", [pytest.param(None, id="c")])
def test_t22_where_proofs_are_compulsory_no_unbound_token_is_given_or_taken(
    strict: Services, clock: Clock, _: None
) -> None:
    prover = prover_of(strict)
    held = {"application": prover.machine.application, "organisation": "destap-ww"}
    unbound, _seconds = strict.tokens.issue(**held, scopes=["handover"], at=clock(), token_id=NAME)

    answer = prover.http.get(BOXES, headers={"Authorization": f"Bearer {unbound}"})
    given = prover.machine.ask()

    assert_refused(answer, "invalid_token")
    assert "Bearer" not in answer.headers["www-authenticate"]
    assert (given.status_code, given.json()["error"]) == (400, "invalid_dpop_proof")
    assert prover.asks("GET", BOXES).status_code == 200


def test_production_makes_proofs_compulsory_whatever_else_is_set() -> None:
    production = {"profile": "production", "dpop_compulsory": False}

    assert Settings(**production).dpop_needed  # type: ignore[arg-type]  # plain words, as set
    assert not Settings().dpop_needed


@pytest.mark.case("T23")
@pytest.mark.parametrize("name", ["DPoP", "Authorization"], ids=["a", "b"])
def test_t23_a_header_that_comes_twice_is_refused(prover: Prover, name: str) -> None:
    proof = prover.proof_of_token("GET", BOXES)
    headers = [("Authorization", f"DPoP {prover.token}"), ("DPoP", proof)]
    twice = [*headers, *(each for each in headers if each[0] == name)]

    answer = prover.http.get(BOXES, headers=twice)

    assert answer.status_code == 400
    assert answer.json()["type"] == f"{BASE}malformed-request"
    assert prover.asks_for_token(proof, proof).status_code == 400


@pytest.mark.case("T25")
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"htm": "POST"}, id="a"),
        pytest.param({"htm": "get"}, id="b"),
        pytest.param({"htu": f"http://evil.example{BOXES}"}, id="c"),
        pytest.param({"htu": f"http://127.0.0.1:9{BOXES}"}, id="d"),
        pytest.param({"htu": f"https://127.0.0.1:8080{BOXES}"}, id="e"),
        pytest.param({"htu": "http://127.0.0.1:8080/v1/%68andovers"}, id="f"),
        pytest.param({"htu": "http://127.0.0.1:8080/v1/../v1/handovers"}, id="f-dots"),
    ],
)
def test_t25_a_proof_for_another_request_is_refused(prover: Prover, claims: dict[str, Any]) -> None:
    proof = prover.proof_of_token("GET", BOXES, **claims)

    assert_refused(prover.asks("GET", BOXES, proof=proof))


@pytest.mark.case("T25")
@pytest.mark.parametrize("_", [pytest.param(None, id="g")])
def test_t25_the_query_is_no_part_of_what_a_proof_is_for(prover: Prover, _: None) -> None:
    url = f"{prover.services.settings.public_base_url}{BOXES}"
    proof = prover.proof_of_token("GET", BOXES, htu=f"{url}?box=inbox")

    assert prover.asks("GET", f"{BOXES}?box=outbox", proof=proof).status_code == 200


@pytest.mark.case("T25")
@pytest.mark.parametrize("_", [pytest.param(None, id="h")])
def test_t25_the_host_that_a_request_names_changes_nothing(prover: Prover, _: None) -> None:
    host = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    theirs = prover.proof_of_token("GET", BOXES, htu=f"http://evil.example{BOXES}")

    assert_refused(prover.asks("GET", BOXES, proof=theirs, headers=host))
    assert prover.asks("GET", BOXES, headers=host).status_code == 200


@pytest.mark.case("T26")
@pytest.mark.parametrize("ath", [None, token_hash("another")], ids=["a", "b"])
def test_t26_a_proof_that_is_not_for_this_token_is_refused(prover: Prover, ath: str | None) -> None:
    proof = prover.proof_of_token("GET", BOXES, ath=ath)

    assert_refused(prover.asks("GET", BOXES, proof=proof))


@pytest.mark.case("T27")
def test_t27_anothers_own_good_proof_does_not_open_with_this_token(prover: Prover) -> None:
    thief = Prover(prover.machine)
    proof = thief.proof("GET", BOXES, ath=token_hash(prover.token))

    assert_refused(prover.asks("GET", BOXES, proof=proof))


SECRET = new_signing_key()
SMALL = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 (what must be refused)


@pytest.mark.case("T28")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"typ": "JWT"}, id="a"),
        pytest.param({"jwk": SECRET}, id="b"),
        pytest.param({"jwk": {"kty": "oct", "k": "c2VjcmV0"}}, id="c"),
        pytest.param({"jwk": jwk(SMALL)}, id="d"),
    ],
)
def test_t28_a_proof_of_another_kind_or_key_is_refused(
    prover: Prover, header: dict[str, Any]
) -> None:
    proof = prover.proof_of_token("GET", BOXES, header=header)

    assert_refused(prover.asks("GET", BOXES, proof=proof))
    answer = prover.asks_for_token(prover.proof("POST", TOKENS, header=header))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.case("T30")
@pytest.mark.parametrize("strict", [NONCES], indirect=True)
@pytest.mark.parametrize("nonce", [None, "expired", "foreign"], ids=["none", "a", "b"])
def test_t30_who_has_no_nonce_of_ours_is_given_one(
    strict: Services, clock: Clock, nonce: str | None
) -> None:
    prover = prover_of(strict)
    early = strict.nonces.fresh(clock() - timedelta(seconds=120))
    held: dict[str, Any] = {"nonce": early if nonce == "expired" else nonce}
    asked = prover.asks_for_token(prover.proof("POST", TOKENS, **held))
    given = asked.headers["dpop-nonce"]
    answer = prover.asks_for_token(prover.proof("POST", TOKENS, nonce=given))
    prover.__dict__["token"] = answer.json()["access_token"]

    refused = prover.asks("GET", BOXES, proof=prover.proof_of_token("GET", BOXES, **held))
    fresh = refused.headers["dpop-nonce"]
    clock.move(timedelta(seconds=59))
    made = prover.proof_of_token("GET", BOXES, nonce=fresh)

    assert (asked.status_code, asked.json()["error"]) == (400, "use_dpop_nonce")
    assert refused.status_code == 401
    assert refused.json()["type"] == f"{BASE}use-dpop-nonce"
    assert 'DPoP error="use_dpop_nonce"' in refused.headers["www-authenticate"]
    assert prover.asks("GET", BOXES, proof=made).status_code == 200


@pytest.mark.case("T31")
@pytest.mark.parametrize("typ", ["JWT", "dpop+jwt"], ids=["b", "c"])
def test_t31_what_is_no_access_token_opens_nothing(prover: Prover, typ: str) -> None:
    prover.__dict__["token"] = prover.machine.assertion({"typ": typ})

    assert_refused(prover.asks("GET", BOXES), "invalid_token")
    other = prover.machine.ask(client_assertion=prover.proof("POST", TOKENS))
    assert other.json()["error"] == "invalid_client"


@pytest.mark.case("T32")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"public_base_url": "https://test.example"}, id="a-b-c"),
        pytest.param({}, id="a"),
    ],
)
def test_t32_a_token_of_another_installation_opens_nothing(
    prover: Prover, settings: Settings, clock: Clock, other: dict[str, str], tmp_path: Any
) -> None:
    theirs = Settings(data_dir=tmp_path / "theirs", **other)  # type: ignore[arg-type]
    elsewhere = build_services(theirs, clock=clock)
    token, _ = elsewhere.tokens.issue(
        application=prover.machine.application,
        organisation="destap-ww",
        scopes=["handover"],
        at=clock(),
        token_id=NAME,
        thumbprint=signer_from_jwk(SECRET).kid,
    )
    elsewhere.close()
    prover.__dict__["token"] = token

    assert_refused(prover.asks("GET", BOXES), "invalid_token")
