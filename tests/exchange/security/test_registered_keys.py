"""Which public keys are taken, and what becomes of a set with bad ones in it."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

from exchange.security.public_keys import KeyFault, KeyRefused, key_material
from exchange.security.registered_keys import register_key, register_keys
from tests.exchange.security.forging import (
    ALL,
    APPLICATION,
    CURVE_KEY,
    EDWARDS_KEY,
    RSA_KEY,
    PrivateKey,
    b64,
    jwk,
    number,
    without,
)
from tests.exchange.security.refusals import refused_key


@pytest.mark.parametrize(
    ("key", "algorithm", "other"),
    [(CURVE_KEY, "ES256", ECKey), (EDWARDS_KEY, "EdDSA", OKPKey), (RSA_KEY, "PS256", RSAKey)],
    ids=["EC", "OKP", "RSA"],
)
@pytest.mark.parametrize("more", [{}, {"use": "sig"}, {"key_ops": ["verify"]}], ids=str)
def test_a_good_key_serves_one_algorithm_and_is_known_by_its_thumbprint(
    key: PrivateKey, algorithm: str, other: Any, more: dict[str, Any]
) -> None:
    members = jwk(key) | more

    found = register_key(members, issuer=APPLICATION, algorithms=ALL)

    assert (found.issuer, found.kid, found.algorithm) == (APPLICATION, "key-1", algorithm)
    assert found.public == key.public_key()
    assert found.thumbprint == other.import_key(without(jwk(key), "kid")).thumbprint()
    stated = register_key(members | {"alg": algorithm}, issuer=APPLICATION, algorithms=ALL)
    assert stated == found


def test_an_rsa_key_serves_rs256_only_when_it_says_so() -> None:
    assert key_material(jwk(RSA_KEY, alg="RS256"), ALL)[0] == "RS256"
    assert refused_key(jwk(RSA_KEY, alg="RS512")) == KeyFault.ALGORITHM


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPe"
        "bWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY3"
        "68QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM"
        "4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )

    found = key_material({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}, ALL)

    assert found[2] == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


POINT = jwk()
SHORT = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 (too short on purpose)


@pytest.mark.case("T04")
@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param(jwk(ec.generate_private_key(ec.SECP384R1())), KeyFault.CURVE, id="a"),
        pytest.param(jwk(ec.generate_private_key(ec.SECP256K1())), KeyFault.CURVE, id="b"),
        pytest.param(jwk(SHORT), KeyFault.WEAK_RSA, id="c"),
        pytest.param(None, KeyFault.NOT_A_KEY, id="null"),
        pytest.param([POINT], KeyFault.NOT_A_KEY, id="list"),
        pytest.param({1: 2}, KeyFault.NOT_A_KEY, id="numbered"),
        pytest.param({}, KeyFault.KEY_TYPE, id="empty"),
        pytest.param({"kty": ["EC"]}, KeyFault.KEY_TYPE, id="type-list"),
        pytest.param({"kty": "oct", "k": "AA"}, KeyFault.KEY_TYPE, id="secret"),
        pytest.param(POINT | {"d": "AA"}, KeyFault.PRIVATE_MEMBER, id="private"),
        pytest.param(jwk(RSA_KEY, qi="AA"), KeyFault.PRIVATE_MEMBER, id="private-rsa"),
        pytest.param(POINT | {"x5c": []}, KeyFault.UNKNOWN_MEMBER, id="certificate"),
        pytest.param(POINT | {"n": "AA"}, KeyFault.UNKNOWN_MEMBER, id="of-another-type"),
        pytest.param(without(POINT, "y"), KeyFault.MISSING_MEMBER, id="half"),
        pytest.param(POINT | {"x": None}, KeyFault.MALFORMED_MEMBER, id="null-x"),
        pytest.param(POINT | {"x": ""}, KeyFault.MALFORMED_MEMBER, id="empty-x"),
        pytest.param(POINT | {"x": POINT["x"] + "AA"}, KeyFault.MALFORMED_MEMBER, id="long-x"),
        pytest.param(POINT | {"y": POINT["x"]}, KeyFault.NOT_ON_CURVE, id="other-y"),
        pytest.param(POINT | {"crv": ["P-256"]}, KeyFault.MALFORMED_MEMBER, id="curve-list"),
        pytest.param(POINT | {"use": "enc"}, KeyFault.NOT_FOR_SIGNATURES, id="use"),
        pytest.param(POINT | {"use": None}, KeyFault.NOT_FOR_SIGNATURES, id="use-null"),
        pytest.param(POINT | {"key_ops": []}, KeyFault.NOT_FOR_SIGNATURES, id="no-ops"),
        pytest.param(
            POINT | {"key_ops": ["verify", "sign"]}, KeyFault.NOT_FOR_SIGNATURES, id="ops"
        ),
        pytest.param(POINT | {"alg": "ES384"}, KeyFault.ALGORITHM, id="alg"),
        pytest.param(POINT | {"alg": None}, KeyFault.ALGORITHM, id="alg-null"),
        pytest.param(jwk(EDWARDS_KEY, crv="Ed448"), KeyFault.CURVE, id="ed448"),
        pytest.param(jwk(EDWARDS_KEY, x="AAAA"), KeyFault.MALFORMED_MEMBER, id="short-okp"),
        pytest.param(jwk(RSA_KEY, e="Aw"), KeyFault.WEAK_RSA, id="e-3"),
        pytest.param(jwk(RSA_KEY, e="AAEAAQ"), KeyFault.MALFORMED_MEMBER, id="e-zero"),
        pytest.param(jwk(RSA_KEY, n=""), KeyFault.MALFORMED_MEMBER, id="no-n"),
        pytest.param(jwk(RSA_KEY, n=number(2**8_200 + 1)), KeyFault.WEAK_RSA, id="huge-n"),
    ],
)
def test_t04_a_key_that_is_weak_private_or_not_plainly_written_is_refused(
    members: object, code: KeyFault
) -> None:
    assert refused_key(members) == code


@pytest.mark.parametrize("kid", [None, "", 1, "a/b", "a b", "k\n", "x" * 129, "é", ["k"]], ids=repr)
def test_a_key_has_a_plain_name(kid: object) -> None:
    with pytest.raises(KeyRefused) as refusal:
        register_key(jwk(kid=kid), issuer=APPLICATION)
    assert refusal.value.code == KeyFault.KEY_ID
    assert str(refusal.value) == "key-id"


@pytest.mark.case("T35")
def test_t35_one_malformed_key_in_a_set_leaves_the_others() -> None:
    good, bad = jwk(kid="good"), jwk(kid="bad", x=b64(b"\1" * 32))

    found = register_keys({"keys": [bad, good, "no key"]}, issuer="https://partner.example")

    assert [(key.kid, key.issuer) for key in found.keys] == [("good", "https://partner.example")]
    assert found.refused == ((0, KeyFault.NOT_ON_CURVE), (2, KeyFault.NOT_A_KEY))


def test_of_two_keys_with_one_name_in_a_set_neither_is_taken() -> None:
    other = jwk(ec.generate_private_key(ec.SECP256R1()))

    found = register_keys({"keys": [jwk(), other, jwk(kid="third")]}, issuer="i")

    assert [key.kid for key in found.keys] == ["third"]
    assert found.refused == ((0, KeyFault.DUPLICATE_KEY_ID), (1, KeyFault.DUPLICATE_KEY_ID))


@pytest.mark.parametrize(
    ("jwks", "code"),
    [
        (None, KeyFault.NOT_A_KEY),
        ([jwk()], KeyFault.NOT_A_KEY),
        ({"keys": jwk()}, KeyFault.NOT_A_KEY),
        ({"keys": [jwk()] * 33}, KeyFault.TOO_MANY_KEYS),
    ],
    ids=["null", "list", "one", "many"],
)
def test_what_is_no_set_of_keys_is_refused_whole(jwks: object, code: KeyFault) -> None:
    with pytest.raises(KeyRefused) as refusal:
        register_keys(jwks, issuer="i")
    assert refusal.value.code == code
