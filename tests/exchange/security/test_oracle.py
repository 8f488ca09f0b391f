"""What we accept, another library accepts too; and nothing but our own error ever escapes."""

import json
from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from exchange.security.contexts import CLIENT_ASSERTION, ID_TOKEN, RECEIPT
from exchange.security.jose_profile import InvalidToken, verify, verify_bearing_key
from exchange.security.tokens import ClientAssertions
from tests.cases.volume import volume
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    APPLICATION,
    CLAIMS,
    CURVE_KEY,
    HEADER,
    ISSUER,
    NOON,
    NOW,
    Sign,
    b64,
    hmac_with,
    jwk,
    only,
    registered,
    signing,
    without,
)

DOOR = ClientAssertions(ISSUER)
KNOWN = only(registered())
ORACLE_KEY = ECKey.import_key(without(jwk(), "kid"))
ORACLE_CLAIMS = jwt.JWTClaimsRegistry(
    now=NOW,
    leeway=10,
    iss={"essential": True, "value": APPLICATION},
    sub={"essential": True, "value": APPLICATION},
    aud={"essential": True, "value": ISSUER},
    exp={"essential": True},
    iat={"essential": True},
    jti={"essential": True},
)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=8),
    st.floats(),
    st.integers(NOW - 70, NOW + 70),
    st.sampled_from([0, -1, 10**30, str(NOW), [ISSUER], {"alg": "ES256"}, ISSUER + "/"]),
    st.sampled_from(["none", "HS256", "ES256", "ES384", "EdDSA", "RS256", "JWT", "jwt", "at+jwt"]),
)
HEADER_NAMES = ["alg", "typ", "kid", "crit", "b64", "jku", "jwk", "zip", "cty", "x5c"]
CLAIM_NAMES = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "cnf", "more"]
SIGNERS: list[Sign] = [
    signing(CURVE_KEY),
    signing(ec.derive_private_key(7, ec.SECP256R1())),
    hmac_with(json.dumps(jwk()).encode()),
    lambda _: bytes(64),
    lambda message: signing(CURVE_KEY)(message)[:-1],
]


@st.composite
def altered(draw: st.DrawFn, members: dict[str, Any], names: list[str]) -> bytes:
    """A JSON object that differs from a good one in a place or two, or in how it is written."""
    changes = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=2))
    changed = without(members, *draw(st.lists(st.sampled_from(names), max_size=1)))
    if draw(st.booleans()):
        changed, changes = members, {}
    text = json.dumps(changed | changes, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        name, value = draw(st.sampled_from(names)), json.dumps(draw(VALUES))
        text = f'{text[:-1]}, "{name}": {value}}}'
    return text.encode(draw(st.sampled_from(["utf-8"] * 9 + ["utf-16"])), "surrogatepass")


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """Mostly well signed, so that what is looked at is what comes before and after that."""
    sign = draw(st.sampled_from(SIGNERS[:1] * 9 + SIGNERS))
    header, claims = draw(altered(HEADER, HEADER_NAMES)), draw(altered(CLAIMS, CLAIM_NAMES))
    token = forging.token(header, claims, sign)
    if draw(st.integers(0, 4)):
        return token
    place = draw(st.integers(0, len(token)))
    instead = draw(st.sampled_from(["", ".", "=", "A", "_", "+", "\n", "é", "\0"]))
    return token[:place] + instead + token[place + draw(st.integers(0, 1)) :]


def we_accept(token: str) -> bool:
    try:
        DOOR.read(token, KNOWN, NOON)
    except InvalidToken:
        return False
    return True


def they_accept(token: str) -> bool:
    try:
        found = jwt.decode(token, ORACLE_KEY, algorithms=["ES256"])
        ORACLE_CLAIMS.validate(found.claims)
    except (JoseError, ValueError, TypeError, RecursionError):
        return False
    return True


@pytest.mark.case("T40")
def test_t40_what_we_accept_joserfc_accepts() -> None:
    seen: Counter[tuple[bool, bool]] = Counter()

    @settings(max_examples=volume("T40"), deadline=None, suppress_health_check=list(HealthCheck))
    @given(tokens())
    def compare(token: str) -> None:
        ours, theirs = we_accept(token), they_accept(token)
        seen[ours, theirs] += 1
        assert theirs or not ours

    compare()

    assert seen[True, True] > 100
    assert seen[False, False] > 100


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(),
        st.from_regex(r"[A-Za-z0-9_-]{1,60}\.[A-Za-z0-9_-]{1,60}\.[A-Za-z0-9_-]{1,90}"),
        st.tuples(st.binary(), st.binary(), st.binary()).map(
            lambda parts: ".".join(b64(part) for part in parts)
        ),
        tokens(),
    )
)
def test_whatever_comes_in_nothing_but_an_invalid_token_comes_out(text: str) -> None:
    for context in (CLIENT_ASSERTION, ID_TOKEN, RECEIPT):
        try:
            verify(text, context, key_of=KNOWN, audience=ISSUER, at=NOON)
        except InvalidToken as refusal:
            assert refusal.args == ("the token is not valid",)  # noqa: PT017 (it may also hold)
    with pytest.raises(InvalidToken):
        verify_bearing_key(text, CLIENT_ASSERTION, at=NOON)
