"""A proof is for one request, one token, one key and one minute."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from exchange.security.contexts import CLIENT_ASSERTION, DPOP_PROOF, TokenFault
from exchange.security.dpop import Proof, token_hash, verify_proof
from exchange.security.jose_profile import sign, verify
from exchange.security.tokens import AccessTokens, InvalidToken, new_signing_key, signer_from_jwk
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    APPLICATION,
    CURVE_KEY,
    EDWARDS_KEY,
    ISSUER,
    NOON,
    NOW,
    RSA_KEY,
    b64,
    jwk,
    only,
    registered,
    signing,
    without,
)

URL = "https://broker.example/v1/summaries/query"
BARE = without(jwk(), "kid")
HEADER = {"alg": "ES256", "typ": "dpop+jwt", "jwk": BARE}
NAME = "proof-1"
CLAIMS: dict[str, Any] = {"jti": NAME, "htm": "POST", "htu": URL, "iat": NOW}
THUMBPRINT = registered().thumbprint
TOKEN = "an.access.token"  # noqa: S105 (nobody's)


def proof(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return forging.token(HEADER | (header or {}), CLAIMS | claims)


def check(text: str, **more: Any) -> Proof:
    request: dict[str, Any] = {"method": "POST", "url": URL, "at": NOON}
    return verify_proof(text, **(request | more))


def refused(text: str, **more: Any) -> TokenFault:
    with pytest.raises(InvalidToken) as refusal:
        check(text, **more)
    return refusal.value.reason


def test_a_proof_tells_who_made_it_and_how_long_it_must_be_remembered() -> None:
    found = check(proof(ath=token_hash(TOKEN)), access_token=TOKEN, thumbprint=THUMBPRINT)

    assert (found.token_id, found.thumbprint, found.issued_at) == (NAME, THUMBPRINT, NOON)
    assert found.replayable_until == NOON + timedelta(seconds=70)


def test_the_hash_of_a_token_is_that_of_rfc_9449() -> None:
    example = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"  # the token of section 7.1

    assert token_hash(example) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_a_signer_of_ours_makes_proofs_that_hold() -> None:
    signer = signer_from_jwk(new_signing_key())

    assert check(sign(DPOP_PROOF, CLAIMS, signer)).thumbprint == signer.kid


@pytest.mark.case("T25")
@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        pytest.param({"htm": "GET"}, TokenFault.PROOF_METHOD, id="a"),
        pytest.param({"htm": "post"}, TokenFault.PROOF_METHOD, id="b"),
        pytest.param({"htu": URL.replace("broker", "other")}, TokenFault.PROOF_URL, id="c"),
        pytest.param({"htu": URL.replace("example", "example:8443")}, TokenFault.PROOF_URL, id="d"),
        pytest.param({"htu": URL.replace("https", "http")}, TokenFault.PROOF_URL, id="e"),
        pytest.param({"htu": URL.replace("query", "%71uery")}, TokenFault.PROOF_URL, id="f"),
        pytest.param({"htu": URL.replace("v1", "v1/../v1")}, TokenFault.PROOF_URL, id="f-dots"),
        pytest.param({"htu": f"{URL}?page=2#top"}, None, id="g"),
        pytest.param({"htu": 1}, TokenFault.CLAIM_TYPE, id="number"),
    ],
)
def test_t25_a_proof_is_for_one_method_and_one_address(
    claims: dict[str, Any], fault: TokenFault | None
) -> None:
    text = proof(**claims)

    assert (refused(text) if fault else check(text).token_id) == (fault or NAME)


@pytest.mark.case("T26")
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="a"),
        pytest.param({"ath": token_hash("another.access.token")}, id="b"),
    ],
)
def test_t26_a_proof_goes_with_one_token(claims: dict[str, Any]) -> None:
    assert refused(proof(**claims), access_token=TOKEN) == TokenFault.PROOF_TOKEN


@pytest.mark.case("T27")
def test_t27_a_good_proof_does_not_make_somebody_elses_token_mine() -> None:
    text = proof(ath=token_hash(TOKEN))

    assert refused(text, access_token=TOKEN, thumbprint="theirs") == TokenFault.BINDING


SHORT = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 (too short on purpose)
SECRET = b64(CURVE_KEY.private_numbers().private_value.to_bytes(32))


@pytest.mark.case("T28")
@pytest.mark.parametrize(
    ("header", "fault"),
    [
        pytest.param({"typ": "JWT"}, TokenFault.TYPE, id="a"),
        pytest.param({"jwk": BARE | {"d": SECRET}}, TokenFault.UNKNOWN_KEY, id="b"),
        pytest.param({"jwk": {"kty": "oct", "k": "AA"}}, TokenFault.UNKNOWN_KEY, id="c"),
        pytest.param({"jwk": without(jwk(SHORT), "kid")}, TokenFault.UNKNOWN_KEY, id="d"),
        pytest.param({"jwk": without(jwk(RSA_KEY), "kid")}, TokenFault.UNKNOWN_KEY, id="rsa"),
        pytest.param({"jwk": without(jwk(EDWARDS_KEY), "kid")}, TokenFault.UNKNOWN_KEY, id="okp"),
        pytest.param({"jwk": None}, TokenFault.UNKNOWN_KEY, id="none"),
        pytest.param({"jwk": "key-1"}, TokenFault.UNKNOWN_KEY, id="name"),
        pytest.param({"alg": "HS256"}, TokenFault.ALGORITHM, id="hmac"),
        pytest.param({"x5c": []}, TokenFault.HEADER_MEMBER, id="certificate"),
    ],
)
def test_t28_a_proof_brings_a_strong_public_key_and_says_what_it_is(
    header: dict[str, object], fault: TokenFault
) -> None:
    assert refused(proof(header)) == fault


def test_a_proof_signed_by_another_key_than_it_brings_does_not_hold() -> None:
    other = ec.generate_private_key(ec.SECP256R1())

    assert refused(forging.token(HEADER, CLAIMS, signing(other))) == TokenFault.SIGNATURE


@pytest.mark.case("T29")
@pytest.mark.parametrize("iat", [pytest.param(NOW, id="b"), pytest.param(NOW + 10, id="ahead")])
def test_t29_as_long_as_a_proof_would_be_accepted_it_must_be_remembered(iat: int) -> None:
    text = proof(iat=iat)
    must_remember = check(text).replayable_until

    assert refused(text, at=must_remember) == TokenFault.TOO_OLD


@pytest.mark.case("T30")
@pytest.mark.parametrize(
    "claims", [pytest.param({}, id="a"), pytest.param({"nonce": "foreign"}, id="b")]
)
def test_t30_a_proof_without_the_nonce_we_gave_says_so(claims: dict[str, Any]) -> None:
    assert refused(proof(**claims), nonces=["ours"]) == TokenFault.PROOF_NONCE
    assert check(proof(nonce="ours"), nonces=["other", "ours"]).token_id == NAME


@pytest.mark.case("T31")
@pytest.mark.parametrize("_", [pytest.param(None, id="c")])
def test_t31_a_proof_is_no_client_assertion(_: None) -> None:
    whole = forging.CLAIMS | CLAIMS
    text = forging.token(forging.HEADER | {"typ": "dpop+jwt"}, whole)

    with pytest.raises(InvalidToken) as refusal:
        verify(text, CLIENT_ASSERTION, key_of=only(registered()), audience=ISSUER, at=NOON)
    assert refusal.value.reason == TokenFault.TYPE


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"iat": NOW - 60}, None),
        ({"iat": NOW - 61}, TokenFault.TOO_OLD),
        ({"iat": NOW + 10}, None),
        ({"iat": NOW + 11}, TokenFault.NOT_YET),
        ({"exp": NOW}, TokenFault.EXPIRED),
        ({"nbf": NOW + 11}, TokenFault.NOT_YET),
        ({"jti": ""}, TokenFault.CLAIM_TYPE),
        ({"pad": "x" * 3_000}, TokenFault.SHAPE),
    ],
    ids=str,
)
def test_a_proof_was_made_just_now(claims: dict[str, Any], fault: TokenFault | None) -> None:
    text = proof(**claims)

    assert (refused(text) if fault else check(text).token_id) == (fault or NAME)


def desk_and_token(thumbprint: str | None) -> tuple[AccessTokens, str]:
    desk = AccessTokens(signer_from_jwk(new_signing_key()), ISSUER, ISSUER)
    token, _ = desk.issue(
        application=APPLICATION,
        organisation="org:vdab-gent",
        scopes=["query"],
        at=NOON,
        token_id=NAME,
        thumbprint=thumbprint,
    )
    return desk, token


def read_bound(
    desk: AccessTokens, token: str, text: str, scheme: str = "DPoP", at: datetime = NOON
) -> str:
    caller = desk.read_bound(f"{scheme} {token}", text, method="POST", url=URL, at=at)
    assert caller.proof is not None
    return f"{caller.thumbprint} {caller.proof.token_id}"


def test_a_bound_token_and_its_proof_are_read_together() -> None:
    desk, token = desk_and_token(THUMBPRINT)

    assert read_bound(desk, token, proof(ath=token_hash(token))) == f"{THUMBPRINT} {NAME}"


@pytest.mark.case("T22")
def test_t22_a_bound_token_is_worth_nothing_alone_and_an_unbound_one_nothing_with_a_proof() -> None:
    desk, bound = desk_and_token(THUMBPRINT)
    other_desk, unbound = desk_and_token(None)

    with pytest.raises(InvalidToken):
        read_bound(desk, bound, "")
    with pytest.raises(InvalidToken):
        desk.read(f"Bearer {bound}", NOON)
    with pytest.raises(InvalidToken):
        desk.read(f"DPoP {bound}", NOON)
    with pytest.raises(InvalidToken):
        read_bound(desk, bound, proof(ath=token_hash(bound)), scheme="Bearer")
    with pytest.raises(InvalidToken):
        read_bound(other_desk, unbound, proof(ath=token_hash(unbound)))
