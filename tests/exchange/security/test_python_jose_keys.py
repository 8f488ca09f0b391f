"""What python-jose takes for a key, and we do not.

The first half of each test shows it on the library alone, so that a change upstream is
noticed; the second half is our promise.
"""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose.backends import ECKey, RSAKey
from jose.exceptions import JWKError, JWTError

from exchange.security.public_keys import KeyFault
from exchange.security.registered_keys import register_keys
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    CLAIMS,
    CURVE_KEY,
    HEADER,
    assertion,
    b64,
    jwk,
    signing,
)
from tests.exchange.security.refusals import alone, refused_key


@pytest.mark.case("T04")
@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()], ids=["a", "b"])
def test_j10_any_curve_is_good_for_es256(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    token = forging.token(HEADER, CLAIMS, signing(key))

    assert alone(token, ECKey(key.public_key(), "ES256")) == CLAIMS
    assert refused_key(jwk(key)) == KeyFault.CURVE


@pytest.mark.case("T04")
def test_j11_a_thousand_bits_of_rsa_are_enough() -> None:
    key = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 (too short on purpose)
    token = forging.token(HEADER | {"alg": "RS256"}, CLAIMS, signing(key, "RS256"))

    assert alone(token, RSAKey(key.public_key(), "RS256"), algorithms=["RS256"]) == CLAIMS
    assert refused_key(jwk(key)) == KeyFault.WEAK_RSA


@pytest.mark.case("T04")
def test_j12_and_so_is_an_exponent_of_three() -> None:
    members = jwk(rsa.generate_private_key(3, 2_048))

    assert RSAKey(members, "RS256").to_dict()["e"] in {"Aw", b"Aw"}
    assert refused_key(members) == KeyFault.WEAK_RSA


@pytest.mark.case("T04")
@pytest.mark.parametrize("purpose", [{"use": "enc"}, {"key_ops": ["encrypt"]}], ids=str)
def test_j13_a_key_for_encryption_verifies_signatures(purpose: dict[str, Any]) -> None:
    assert alone(assertion(), jwk(**purpose)) == CLAIMS
    assert refused_key(jwk(**purpose)) == KeyFault.NOT_FOR_SIGNATURES


@pytest.mark.case("T03")
def test_j14_what_a_key_says_it_is_for_is_passed_over() -> None:
    assert alone(assertion(), jwk(alg="RS256")) == CLAIMS
    assert refused_key(jwk(alg="RS256")) == KeyFault.ALGORITHM


@pytest.mark.case("T04")
@pytest.mark.parametrize("spoil", ["{}=", "{}!", "!{}", "{} "])
def test_j15_junk_in_a_coordinate_is_passed_over(spoil: str) -> None:
    members = jwk(x=spoil.format(jwk()["x"]))

    assert alone(assertion(), members) == CLAIMS
    assert refused_key(members) == KeyFault.MALFORMED_MEMBER


@pytest.mark.case("T28")
def test_j16_a_private_key_is_taken_for_a_public_one_and_shown() -> None:
    secret = b64(CURVE_KEY.private_numbers().private_value.to_bytes(32))
    members = jwk(d=secret)

    assert ECKey(members, "ES256").to_dict()["d"] == secret
    assert refused_key(members) == KeyFault.PRIVATE_MEMBER


@pytest.mark.case("T04")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x": b64(b"\1" * 32)}, KeyFault.NOT_ON_CURVE),
        ({"x": 5}, KeyFault.MALFORMED_MEMBER),
        ({"x": "A"}, KeyFault.MALFORMED_MEMBER),
    ],
    ids=["not-on-curve", "number", "odd-length"],
)
def test_j17_a_broken_key_raises_whatever_comes(change: dict[str, Any], code: KeyFault) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        ECKey(jwk(**change), "ES256")
    assert not isinstance(raised.value, JWKError)
    assert refused_key(jwk(**change)) == code


@pytest.mark.case("T35")
@pytest.mark.parametrize(
    ("bad", "error"),
    [({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, JWTError), ({"crv": "P-999"}, KeyError)],
    ids=["okp", "curve"],
)
def test_j18_and_j19_one_bad_key_spoils_the_set(
    bad: dict[str, object], error: type[Exception]
) -> None:
    first = jwk() | bad | {"kid": "bad"}

    with pytest.raises((error, JWKError)):
        alone(assertion(), {"keys": [first, jwk()]})
    found = register_keys({"keys": [first, jwk()]}, issuer="https://partner.example")
    assert [key.kid for key in found.keys] == ["key-1"]
    assert [place for place, _ in found.refused] == [0]
