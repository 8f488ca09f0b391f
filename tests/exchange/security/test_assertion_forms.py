"""Forms that a client assertion must not have: T01 to T10."""

import json
import socket

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.security.contexts import TokenFault
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    APPLICATION,
    CLAIMS,
    CURVE_KEY,
    EDWARDS_KEY,
    HEADER,
    NOW,
    assertion,
    b64,
    hmac_with,
    jwk,
    registered,
    signing,
    without,
)
from tests.exchange.security.refusals import ours, refused


@pytest.mark.case("T01")
@pytest.mark.parametrize(
    "header",
    [HEADER | {"alg": "none"}, HEADER | {"alg": "None"}, without(HEADER, "alg")],
    ids=["a", "b", "c"],
)
@pytest.mark.parametrize("sign", [signing(CURVE_KEY), lambda _: b"\0"], ids=["signed", "not"])
def test_t01_an_assertion_without_algorithm_is_refused(
    header: dict[str, object], sign: forging.Sign
) -> None:
    assert refused(forging.token(header, CLAIMS, sign)) == TokenFault.ALGORITHM


PUBLIC = CURVE_KEY.public_key()
INFO = PublicFormat.SubjectPublicKeyInfo


@pytest.mark.case("T02")
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(PUBLIC.public_bytes(Encoding.PEM, INFO), id="a"),
        pytest.param(PUBLIC.public_bytes(Encoding.DER, INFO), id="b"),
        pytest.param(PUBLIC.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), id="c"),
        pytest.param(json.dumps(jwk()).encode(), id="d"),
    ],
)
@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_t02_a_public_key_is_no_shared_secret(secret: bytes, alg: str) -> None:
    token = forging.token(HEADER | {"alg": alg}, CLAIMS, hmac_with(secret))

    assert refused(token) in {TokenFault.ALGORITHM, TokenFault.SIGNATURE}


@pytest.mark.case("T03")
def test_t03_the_algorithm_is_that_of_the_key_whatever_the_header_says() -> None:
    edwards, curve = registered(EDWARDS_KEY), registered()
    signed_by_edwards = forging.token(HEADER, CLAIMS, signing(EDWARDS_KEY))
    named_eddsa = assertion({"alg": "EdDSA"})

    assert refused(signed_by_edwards, edwards) == TokenFault.ALGORITHM
    assert refused(named_eddsa, curve) == TokenFault.ALGORITHM


@pytest.mark.case("T05")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"crit": ["urn:x"], "urn:x": 1}, id="a"),
        pytest.param({"b64": False}, id="b"),
        pytest.param({"jku": "URL"}, id="c"),
        pytest.param({"x5u": "URL"}, id="d"),
        pytest.param({"x5c": ["MAA="]}, id="e"),
        pytest.param({"jwk": jwk()}, id="f"),
        pytest.param({"zip": "DEF"}, id="g"),
    ],
)
def test_t05_a_header_that_says_more_than_it_may_is_refused_and_nothing_is_fetched(
    header: dict[str, object],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/keys"
        named = {name: url if value == "URL" else value for name, value in header.items()}

        assert refused(assertion(named)) == TokenFault.HEADER_MEMBER
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.case("T06")
@pytest.mark.parametrize(
    ("header", "claims", "fault"),
    [
        (b'{"alg":"none","alg":"ES256","typ":"JWT","kid":"key-1"}', None, TokenFault.HEADER),
        (None, json.dumps(CLAIMS)[:-1].encode() + b',"aud":"x"}', TokenFault.CLAIMS),
    ],
    ids=["a", "b"],
)
def test_t06_two_members_with_one_name_are_refused(
    header: bytes | None, claims: bytes | None, fault: TokenFault
) -> None:
    assert refused(forging.token(header or HEADER, claims or CLAIMS)) == fault


@pytest.mark.case("T07")
@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("junk", ["!", "=", "+", " ", "\n", "%3D"], ids=repr)
def test_t07a_junk_in_any_segment_is_refused(segment: int, junk: str) -> None:
    parts = assertion().split(".")
    for place in (0, 5, len(parts[segment])):
        changed = list(parts)
        changed[segment] = parts[segment][:place] + junk + parts[segment][place:]
        assert refused(".".join(changed)) == TokenFault.SHAPE


@pytest.mark.case("T07")
@pytest.mark.parametrize("segment", [0, 1, 2])
def test_t07b_other_words_for_the_same_bytes_are_refused(segment: int) -> None:
    # One byte over a multiple of three leaves four bits unused in the last character.
    header = json.dumps(HEADER).encode()
    claims = json.dumps(CLAIMS).encode()
    header += b" " * ((1 - len(header)) % 3)
    claims += b" " * ((1 - len(claims)) % 3)
    good = forging.token(header, claims)
    parts = good.split(".")
    assert parts[segment][-1] in "AQgw"
    parts[segment] = parts[segment][:-1] + chr(ord(parts[segment][-1]) + 1)

    assert ours(good).text("sub") == APPLICATION
    assert refused(".".join(parts)) == TokenFault.SHAPE


@pytest.mark.case("T08")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(assertion() + ".e30", id="a"),
        pytest.param(assertion().rpartition(".")[0], id="b"),
        pytest.param(forging.token(HEADER, CLAIMS | {"pad": "x" * 6_900}), id="c"),
        pytest.param(assertion().replace("e", "é", 1), id="d"),
        pytest.param(assertion() + "\0", id="e"),
        pytest.param("", id="empty"),
        pytest.param("..", id="dots"),
        pytest.param(assertion() + "\n", id="newline"),
    ],
)
def test_t08_what_has_not_the_shape_of_a_token_is_refused(token: str) -> None:
    assert refused(token) == TokenFault.SHAPE


@pytest.mark.case("T09")
def test_t09_a_deep_header_is_refused_before_it_is_parsed() -> None:
    fits = b'{"alg":' + b"[" * 1_500 + b"]" * 1_500 + b"}"
    huge = b'{"alg":' + b"[" * 200_000 + b"]" * 200_000 + b"}"

    assert refused(forging.token(fits, CLAIMS)) == TokenFault.HEADER
    assert refused(f"{b64(huge)}.{b64(b'{}')}.{b64(bytes(64))}") == TokenFault.SHAPE


@pytest.mark.case("T10")
@pytest.mark.parametrize(
    "exp",
    [
        pytest.param(f'"{NOW + 60}"', id="a"),
        pytest.param(f"{NOW + 60}.0", id="b"),
        pytest.param("true", id="c"),
        pytest.param("null", id="d"),
        pytest.param("1e400", id="e"),
        pytest.param("-1", id="f"),
        pytest.param("253402300800", id="after-the-year-9999"),
    ],
)
def test_t10_an_end_that_is_no_whole_second_is_refused(exp: str) -> None:
    claims = json.dumps(without(CLAIMS, "exp"))[:-1] + f', "exp": {exp}}}'

    fault = refused(forging.token(HEADER, claims.encode()))

    assert fault == (TokenFault.CLAIMS if exp == "1e400" else TokenFault.CLAIM_TYPE)
