"""What python-jose lets through in headers and signatures, and we do not.

The first half of each test shows it on the library alone, so that a change upstream is
noticed; the second half is our promise.
"""

import base64
import json
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwk as jose_jwk
from jose import jwt
from jose.backends import ECKey
from jose.backends.base import Key
from jose.constants import ALGORITHMS
from jose.exceptions import JWKError

from exchange.security.contexts import TokenFault
from exchange.security.jose_profile import PythonJose
from exchange.security.registered_keys import RegisteredKey
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    CLAIMS,
    CURVE_KEY,
    EDWARDS_KEY,
    HEADER,
    ISSUER,
    RSA_KEY,
    assertion,
    hmac_with,
    jwk,
    registered,
    signed,
    signing,
)
from tests.exchange.security.refusals import alone, ours, refused


def test_the_good_assertion_that_all_the_others_differ_from_is_accepted_by_both() -> None:
    assert alone(assertion()) == CLAIMS
    assert ours(assertion()).all() == CLAIMS


def secret_of(form: str) -> bytes:
    public = CURVE_KEY.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = json.dumps(jwk()).encode()
    return {
        "der": der, "point": point, "base64": base64.b64encode(der), "pem": pem, "empty": b"",
        "jwk": text,
    }[form]  # fmt: skip


def confused(form: str) -> str:
    return forging.token(HEADER | {"alg": "HS256"}, CLAIMS, hmac_with(secret_of(form)))


@pytest.mark.case("T01")
def test_j1_the_header_decides_when_nobody_else_does() -> None:
    token = confused("der")

    assert jwt.decode(token, secret_of("der"), audience=ISSUER) == CLAIMS
    assert refused(token) == TokenFault.ALGORITHM


@pytest.mark.case("T02")
@pytest.mark.parametrize("form", ["der", "point", "base64", "empty"])
def test_j2_and_j4_a_public_key_passes_for_a_shared_secret(form: str) -> None:
    token = confused(form)

    assert jwt.decode(token, secret_of(form), algorithms=["HS256"], audience=ISSUER) == CLAIMS
    assert refused(token) == TokenFault.ALGORITHM


@pytest.mark.case("T02")
def test_j3_only_its_pem_form_is_noticed() -> None:
    token = confused("pem")

    with pytest.raises(JWKError):
        jwt.decode(token, secret_of("pem"), algorithms=["HS256"], audience=ISSUER)
    assert refused(token) == TokenFault.ALGORITHM


@pytest.mark.case("T05")
@pytest.mark.parametrize(
    "header", [{"crit": ["urn:x"]}, {"crit": ["b64"], "b64": False}], ids=["unknown", "b64"]
)
def test_j5_what_the_header_calls_critical_is_passed_over(header: dict[str, object]) -> None:
    token = assertion(header)

    assert alone(token) == CLAIMS
    assert refused(token) == TokenFault.HEADER_MEMBER


@pytest.mark.case("T07")
@pytest.mark.parametrize("junk", ["!", "$", "\n"])
def test_j6_junk_inside_a_signature_is_passed_over(junk: str) -> None:
    token = assertion()
    altered = token[:-9] + junk * 4 + token[-9:]

    assert alone(altered) == CLAIMS
    assert refused(altered) == TokenFault.SHAPE


def other_padding(token: str) -> str:
    """The same bytes in other words: the bits that the last character has too many, set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


@pytest.mark.case("T07")
def test_j7_one_signature_has_many_texts() -> None:
    altered = other_padding(assertion())

    assert altered != assertion()
    assert alone(altered) == CLAIMS
    assert refused(altered) == TokenFault.SHAPE


def mirrored(message: bytes) -> bytes:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    signature = signed(message, CURVE_KEY)
    return signature[:32] + (order - int.from_bytes(signature[32:])).to_bytes(32)


def test_j8_a_signature_has_a_twin_so_only_the_token_id_tells_a_replay() -> None:
    token = forging.token(HEADER, CLAIMS, mirrored)

    assert alone(token) == CLAIMS
    assert ours(token).text("jti") == "assertion-1"


class EdwardsKey(Key):  # type: ignore[misc]  # the library carries no types
    """EdDSA for python-jose, as its documents say to add it."""

    def __init__(self, key: ed25519.Ed25519PublicKey, algorithm: str) -> None:
        super().__init__(key, algorithm)
        self.key = key

    def verify(self, message: bytes, signature: bytes) -> bool:
        self.key.verify(signature, message)
        return True


@pytest.fixture
def with_eddsa() -> Iterator[None]:
    jose_jwk.register_key("EdDSA", EdwardsKey)
    yield
    del ALGORITHMS.KEYS["EdDSA"]
    ALGORITHMS.SUPPORTED.discard("EdDSA")


@pytest.mark.case("T03")
@pytest.mark.usefixtures("with_eddsa")
def test_j9_the_algorithm_in_the_header_is_not_that_of_the_key() -> None:
    token = forging.token(HEADER, CLAIMS, signing(EDWARDS_KEY))
    key = EdwardsKey(EDWARDS_KEY.public_key(), "EdDSA")

    assert alone(token, key, algorithms=["ES256", "EdDSA"]) == CLAIMS
    assert refused(token, registered(EDWARDS_KEY)) == TokenFault.ALGORITHM
    good = forging.token(HEADER | {"alg": "EdDSA"}, CLAIMS, signing(EDWARDS_KEY))
    assert ours(good, registered(EDWARDS_KEY)).all() == CLAIMS


def in_der(message: bytes) -> bytes:
    raw = signed(message, CURVE_KEY)
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "63": lambda message: signed(message, CURVE_KEY)[:-1],
    "65": lambda message: signed(message, CURVE_KEY) + b"\0",
    "66": lambda message: signed(message, CURVE_KEY) + b"\0\0",
    "128": lambda message: signed(message, CURVE_KEY) * 2,
    "zero": lambda _message: bytes(64),
    "der": in_der,
}


@pytest.mark.case("T07")
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_j36_a_signature_of_another_form_holds_for_neither(spoil: forging.Sign) -> None:
    token = forging.token(HEADER, CLAIMS, spoil)
    message, _, _ = token.rpartition(".")

    assert ECKey(jwk(), "ES256").verify(message.encode(), spoil(message.encode())) is False
    assert refused(token) == TokenFault.SIGNATURE


@pytest.mark.case("T07")
@pytest.mark.parametrize("signature", [b"", "text", None], ids=repr)
def test_j36_nor_does_what_is_no_signature_at_all(signature: object) -> None:
    assert ECKey(jwk(), "ES256").verify(b"message", signature) is False
    assert refused(assertion().rpartition(".")[0] + ".") == TokenFault.SHAPE


def test_a_key_of_another_kind_than_its_algorithm_verifies_nothing() -> None:
    curve, modulus = registered(), registered(RSA_KEY)
    mixed = RegisteredKey(
        issuer="", kid="k", algorithm="PS256", public=curve.public, thumbprint=modulus.thumbprint
    )

    assert PythonJose().verify(b"message", signed(b"message", CURVE_KEY), mixed) is False
