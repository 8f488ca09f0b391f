"""What python-jose takes for claims, and we do not; and how it breaks.

The first half of each test shows it on the library alone, so that a change upstream is
noticed; the second half is our promise.
"""

import json

import pytest
from jose.exceptions import ExpiredSignatureError, JWKError, JWTError

from exchange.security.contexts import CLIENT_ASSERTION, TokenFault
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    CLAIMS,
    HEADER,
    NOW,
    assertion,
    b64,
    without,
)
from tests.exchange.security.refusals import alone, refused

ROWS: list[tuple[str, dict[str, object], TokenFault]] = [
    ("J20-text", CLAIMS | {"exp": str(NOW + 60)}, TokenFault.CLAIM_TYPE),
    ("J20-float", CLAIMS | {"exp": NOW + 60.5}, TokenFault.CLAIM_TYPE),
    ("J21", CLAIMS | {"exp": NOW}, TokenFault.EXPIRED),
    ("J25-future", CLAIMS | {"iat": NOW + 10**9}, TokenFault.NOT_YET),
    ("J25-text", CLAIMS | {"iat": str(NOW)}, TokenFault.CLAIM_TYPE),
    ("J26-exp", without(CLAIMS, "exp"), TokenFault.CLAIM_MISSING),
    ("J26-aud", without(CLAIMS, "aud"), TokenFault.CLAIM_MISSING),
]


@pytest.mark.parametrize(
    ("claims", "fault"), [pytest.param(claims, fault, id=row) for row, claims, fault in ROWS]
)
def test_j20_to_j26_claims_are_hardly_looked_at(
    claims: dict[str, object], fault: TokenFault
) -> None:
    token = forging.token(HEADER, claims)

    assert alone(token) == claims
    assert refused(token) == fault


def test_j26_no_issuer_is_no_objection() -> None:
    token = forging.token(HEADER, without(CLAIMS, "iss"))

    assert alone(token) == without(CLAIMS, "iss")
    assert refused(token) == TokenFault.KEY_ID


@pytest.mark.case("T10")
@pytest.mark.parametrize(
    ("exp", "error"),
    [
        ("true", ExpiredSignatureError),
        ("-1", ExpiredSignatureError),
        ("null", TypeError),
        ("[1]", TypeError),
        ("1e400", OverflowError),
    ],
    ids=["J22-true", "J22-negative", "J23-null", "J23-list", "J24"],
)
def test_j22_to_j24_an_odd_end_raises_whatever_comes(exp: str, error: type[Exception]) -> None:
    body = json.dumps(without(CLAIMS, "exp"))[:-1] + f', "exp": {exp}}}'
    token = forging.token(HEADER, body.encode())

    with pytest.raises(error):
        alone(token)
    assert refused(token) in {TokenFault.CLAIM_TYPE, TokenFault.CLAIMS}


@pytest.mark.case("T06")
def test_j27_of_two_claims_with_one_name_the_last_counts() -> None:
    body = json.dumps(CLAIMS)[:-1] + ', "sub": "app:somebody-else"}'
    token = forging.token(HEADER, body.encode())

    assert alone(token)["sub"] == "app:somebody-else"
    assert refused(token) == TokenFault.CLAIMS


@pytest.mark.case("T09")
def test_j28_a_deep_header_breaks_the_parser_before_any_check() -> None:
    header = b'{"alg":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    token = f"{b64(header)}.{b64(b'{}')}.{b64(bytes(64))}"

    with pytest.raises(RecursionError):
        alone(token)
    assert refused(token) == TokenFault.SHAPE


@pytest.mark.case("T09")
def test_j29_and_so_do_deep_claims() -> None:
    claims = b'{"sub":' + b"[" * 2_900 + b"]" * 2_900 + b"}"
    token = forging.token(HEADER, claims)

    with pytest.raises(RecursionError):
        alone(token)
    assert len(token) < CLIENT_ASSERTION.max_token
    assert refused(token) == TokenFault.CLAIMS


@pytest.mark.case("T08")
@pytest.mark.parametrize(
    ("token", "error"),
    [("\ud800" + assertion(), UnicodeEncodeError), (None, AttributeError)],
    ids=["J30", "J31"],
)
def test_j30_and_j31_what_is_no_text_raises_whatever_comes(
    token: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        alone(token)
    assert refused(token) == TokenFault.SHAPE


@pytest.mark.case("T01")
def test_j32_an_object_for_an_algorithm_raises_whatever_comes() -> None:
    token = assertion({"alg": {"ES256": 1}})

    with pytest.raises(TypeError):
        alone(token, algorithms=frozenset({"ES256"}))
    assert refused(token) == TokenFault.ALGORITHM


@pytest.mark.case("T01")
@pytest.mark.parametrize(
    ("header", "algorithms", "error"),
    [
        ({"alg": ["ES256"]}, ["ES256"], JWTError),
        ({"alg": "none"}, ["none", "ES256"], (JWTError, JWKError)),
    ],
    ids=["J33", "J34"],
)
def test_j33_and_j34_a_list_and_none_are_refused_by_both(
    header: dict[str, object], algorithms: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        alone(assertion(header), algorithms=algorithms)
    assert refused(assertion(header)) == TokenFault.ALGORITHM


@pytest.mark.case("T08")
def test_j35_four_segments_are_refused_by_both() -> None:
    token = assertion() + "." + b64(b"more")

    with pytest.raises(JWTError):
        alone(token)
    assert refused(token) == TokenFault.SHAPE
