"""How an application proves who it is, and everything that is no proof."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from exchange.security.contexts import CLIENT_ASSERTION, ID_TOKEN, TokenFault
from exchange.security.jose_profile import KeyLookup, verify
from exchange.security.public_keys import KeyFault, KeyRefused
from exchange.security.registered_keys import RegisteredKey, register_key, register_keys
from exchange.security.tokens import Assertion, ClientAssertions, InvalidToken
from tests.exchange.security import forging
from tests.exchange.security.forging import (
    APPLICATION,
    CLAIMS,
    CURVE_KEY,
    EDWARDS_KEY,
    HEADER,
    ISSUER,
    KID,
    NOON,
    NOW,
    RSA_KEY,
    assertion,
    jwk,
    only,
    registered,
    signing,
    without,
)

DOOR = ClientAssertions(ISSUER)


def read(token: str, key_of: KeyLookup | None = None, door: ClientAssertions = DOOR) -> Assertion:
    return door.read(token, key_of or only(registered()), NOON)


def refused(token: str, key_of: KeyLookup | None = None) -> TokenFault:
    with pytest.raises(InvalidToken) as refusal:
        read(token, key_of)
    return refusal.value.reason


def test_an_application_that_signs_for_us_now_is_known_by_its_id() -> None:
    expected = Assertion(APPLICATION, "assertion-1", datetime.fromtimestamp(NOW + 60, UTC))

    assert read(assertion()) == expected
    assert read(assertion({"typ": "client-authentication+jwt"})) == expected
    assert read(assertion(nbf=NOW, unheard_of="ignored")) == expected


def test_claims_that_have_no_meaning_here_are_not_handed_on() -> None:
    token = assertion(admin=True)

    found = verify(token, CLIENT_ASSERTION, key_of=only(registered()), audience=ISSUER, at=NOON)

    assert found.all() == CLAIMS


def test_a_site_may_ask_for_the_type_that_says_what_it_is() -> None:
    strict = ClientAssertions(ISSUER, typed_only=True)

    typed = read(assertion({"typ": "client-authentication+jwt"}), door=strict)

    assert typed.application == APPLICATION
    with pytest.raises(InvalidToken):
        read(assertion(), door=strict)


@pytest.mark.parametrize(
    ("key", "alg"), [(EDWARDS_KEY, "EdDSA"), (RSA_KEY, "PS256")], ids=["EdDSA", "PS256"]
)
def test_other_strong_algorithms_work_only_for_keys_that_were_let_in(
    key: forging.PrivateKey, alg: str
) -> None:
    token = forging.token(HEADER | {"alg": alg}, CLAIMS, signing(key, alg))

    assert read(token, only(registered(key))).application == APPLICATION
    with pytest.raises(KeyRefused, match="algorithm"):
        register_key(jwk(key), issuer=APPLICATION)


def test_nobody_learns_from_the_error_why_it_was_refused() -> None:
    with pytest.raises(InvalidToken) as expired:
        read(assertion(exp=NOW - 1))
    with pytest.raises(InvalidToken) as unknown:
        read(assertion({"kid": "other"}))

    assert expired.value.reason != unknown.value.reason
    assert str(expired.value) == str(unknown.value) == "the token is not valid"
    assert expired.value.__cause__ is None


@pytest.mark.case("T11")
@pytest.mark.parametrize(
    ("iat", "exp", "fault"),
    [
        pytest.param(NOW - 30, NOW, TokenFault.EXPIRED, id="a"),
        pytest.param(NOW - 30, NOW - 1, TokenFault.EXPIRED, id="b"),
        pytest.param(NOW + 10, NOW + 61, TokenFault.LIFETIME, id="c"),
        pytest.param(NOW - 1, NOW + 60, TokenFault.LIFETIME, id="longer-than-60"),
    ],
)
def test_t11_an_assertion_ends_within_a_minute_and_has_not_ended_yet(
    iat: int, exp: int, fault: TokenFault
) -> None:
    assert refused(assertion(iat=iat, exp=exp)) == fault


def test_t11_its_last_moment_is_just_before_its_end() -> None:
    last = datetime.fromtimestamp(NOW + 60, UTC) - timedelta(microseconds=1)

    assert DOOR.read(assertion(), only(registered()), last).application == APPLICATION


@pytest.mark.case("T12")
@pytest.mark.parametrize(
    ("iat", "fault"),
    [
        pytest.param(NOW + 10, None, id="a"),
        pytest.param(NOW + 61, TokenFault.NOT_YET, id="b"),
        pytest.param(NOW - 61, TokenFault.TOO_OLD, id="c"),
        pytest.param(NOW + 11, TokenFault.NOT_YET, id="between"),
        pytest.param(NOW - 59, None, id="almost"),
    ],
)
def test_t12_an_assertion_was_made_just_now(iat: int, fault: TokenFault | None) -> None:
    token = assertion(iat=iat, exp=NOW + 1)

    assert (refused(token) if fault else read(token).token_id) == (fault or "assertion-1")


def test_t12_a_beginning_that_lies_ahead_counts_like_an_issue() -> None:
    assert read(assertion(nbf=NOW + 10)).application == APPLICATION
    assert refused(assertion(nbf=NOW + 11)) == TokenFault.NOT_YET


@pytest.mark.case("T13")
@pytest.mark.parametrize(
    "aud",
    [
        pytest.param([ISSUER], id="a"),
        pytest.param(f"{ISSUER}/oauth/token", id="b"),
        pytest.param("https://other.example", id="c"),
        pytest.param(f"{ISSUER}/", id="d"),
        pytest.param("", id="empty"),
        pytest.param(None, id="null"),
    ],
)
def test_t13_the_audience_is_our_issuer_and_nothing_like_it(aud: object) -> None:
    assert refused(assertion(aud=aud)) == TokenFault.AUDIENCE


def test_t13_a_door_that_expects_nobody_lets_nobody_in() -> None:
    with pytest.raises(InvalidToken):
        read(assertion(aud=""), door=ClientAssertions(""))


@pytest.mark.case("T14")
@pytest.mark.parametrize("sub", [pytest.param("app:somebody-else", id="a")])
def test_t14_an_application_speaks_for_itself(sub: str) -> None:
    assert refused(assertion(sub=sub)) == TokenFault.SUBJECT


@pytest.mark.case("T15")
@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        pytest.param(without(CLAIMS, "jti"), TokenFault.CLAIM_MISSING, id="a"),
        pytest.param(CLAIMS | {"jti": "x" * 1_024}, TokenFault.CLAIM_TYPE, id="b"),
        pytest.param(CLAIMS | {"jti": ""}, TokenFault.CLAIM_TYPE, id="empty"),
        pytest.param(CLAIMS | {"jti": 7}, TokenFault.CLAIM_TYPE, id="number"),
    ],
)
def test_t15_an_assertion_has_a_name_that_can_be_remembered(
    claims: dict[str, object], fault: TokenFault
) -> None:
    assert refused(forging.token(HEADER, claims)) == fault


@pytest.mark.case("T17")
@pytest.mark.parametrize(
    "kid",
    [
        pytest.param("unheard-of", id="a"),
        pytest.param("../../etc/passwd", id="c"),
        pytest.param("' OR 1=1 --", id="d"),
    ],
)
def test_t17_a_kid_that_names_no_key_is_refused_and_no_path_or_query_reaches_the_look_up(
    kid: str,
) -> None:
    asked: list[tuple[str, str]] = []

    def key_of(issuer: str, kid: str) -> None:
        asked.append((issuer, kid))

    assert refused(assertion({"kid": kid}), key_of) == TokenFault.UNKNOWN_KEY
    assert asked == ([(APPLICATION, kid)] if kid == "unheard-of" else [])


@pytest.mark.case("T17")
@pytest.mark.parametrize("_", [pytest.param(None, id="b")])
def test_t17_two_keys_with_one_name_are_not_registered(_: None) -> None:
    other = jwk(ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(KeyRefused) as refusal:
        register_key(other, issuer=APPLICATION, taken={KID})
    assert refusal.value.code == KeyFault.DUPLICATE_KEY_ID
    assert register_keys({"keys": [jwk(), other]}, issuer=APPLICATION).keys == ()


@pytest.mark.case("T17")
def test_t17_an_unknown_key_costs_a_verification_like_a_known_one(
    verifications: list[object],
) -> None:
    refused(assertion({"kid": "unheard-of"}))
    refused(assertion({"kid": "../../etc/passwd"}))
    refused(assertion(), only(registered(EDWARDS_KEY)))
    refused(forging.token(HEADER, CLAIMS, lambda _: bytes(64)))

    assert len(verifications) == 4


@pytest.mark.parametrize(
    "key",
    [registered(issuer="app:somebody-else"), registered(kid="other")],
    ids=["issuer", "kid"],
)
def test_a_look_up_that_answers_with_another_key_is_not_believed(key: RegisteredKey) -> None:
    assert refused(assertion(), lambda _issuer, _kid: key) == TokenFault.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (without(HEADER, "kid"), CLAIMS),
        (HEADER | {"kid": 1}, CLAIMS),
        (HEADER, CLAIMS | {"iss": 1}),
        (HEADER, CLAIMS | {"iss": None}),
    ],
    ids=["no-kid", "kid", "iss", "null"],
)
def test_who_signed_must_be_said_in_words(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    assert refused(forging.token(header, claims)) == TokenFault.KEY_ID


def test_an_issuer_too_long_to_be_one_is_not_looked_up() -> None:
    assert refused(assertion(iss="x" * 257), lambda *_: 1 / 0) == TokenFault.UNKNOWN_KEY  # type: ignore[arg-type]  # must not be called


@pytest.mark.parametrize("typ", [None, "jwt", "at+jwt", "dpop+jwt", ["JWT"], ""], ids=repr)
def test_a_token_of_another_type_is_refused(typ: object) -> None:
    assert refused(assertion({"typ": typ})) == TokenFault.TYPE


@pytest.mark.parametrize("part", [b"[]", b"1", b'"x"', b"null"], ids=repr)
def test_header_and_claims_are_objects(part: bytes) -> None:
    assert refused(forging.token(part, CLAIMS)) == TokenFault.HEADER
    assert refused(forging.token(HEADER, part)) == TokenFault.CLAIMS


@pytest.mark.parametrize(
    ("key", "other", "alg"),
    [
        (CURVE_KEY, ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (EDWARDS_KEY, ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (RSA_KEY, rsa.generate_private_key(65_537, 2_048), "PS256"),
    ],
    ids=["ES256", "EdDSA", "PS256"],
)
def test_a_signature_by_another_key_does_not_hold(
    key: forging.PrivateKey, other: forging.PrivateKey, alg: str
) -> None:
    header = HEADER | {"alg": alg}
    theirs = forging.token(header, CLAIMS, signing(other, alg))
    with_other_padding = forging.token(header, CLAIMS, signing(key, "RS256"))

    assert refused(theirs, only(registered(key))) == TokenFault.SIGNATURE
    if key is RSA_KEY:
        assert refused(with_other_padding, only(registered(key))) == TokenFault.SIGNATURE


def test_a_provider_may_sign_with_rs256_and_an_application_may_not() -> None:
    token = forging.token(HEADER | {"alg": "RS256"}, CLAIMS, signing(RSA_KEY, "RS256"))
    key_of = only(registered(RSA_KEY, alg="RS256"))

    assert verify(token, ID_TOKEN, key_of=key_of, audience=ISSUER, at=NOON).all() == CLAIMS
    assert refused(token, key_of) == TokenFault.ALGORITHM


@pytest.mark.parametrize(
    "change",
    [{"valid_from": NOON + timedelta(seconds=1)}, {"revoked_at": NOON}],
    ids=["not-yet", "revoked"],
)
def test_a_key_counts_from_when_it_is_valid_until_it_is_revoked(
    change: dict[str, Any],
) -> None:
    key = register_key(jwk(), issuer=APPLICATION, **change)

    assert refused(assertion(), only(key)) == TokenFault.KEY_NOT_IN_FORCE


def test_a_key_counts_in_between() -> None:
    begins, ends = NOON, NOON + timedelta(microseconds=1)
    key = register_key(jwk(), issuer=APPLICATION, valid_from=begins, revoked_at=ends)

    assert read(assertion(), only(key)).application == APPLICATION


def test_what_the_look_up_raises_is_told_as_it_is() -> None:
    class Unreachable(Exception):
        pass

    def key_of(_issuer: str, _kid: str) -> None:
        raise Unreachable

    with pytest.raises(Unreachable):
        read(assertion(), key_of)


def of_length(length: int) -> str:
    """A good assertion of so many characters."""
    for spaces in range(4):
        header = json.dumps(HEADER).encode() + b" " * spaces
        for pad in range(length * 3 // 4 - 400, length):
            token = forging.token(header, CLAIMS | {"more": "x" * pad}, lambda _: bytes(64))
            if len(token) == length:
                return forging.token(header, CLAIMS | {"more": "x" * pad})
            if len(token) > length:
                break
    raise AssertionError(length)


def test_every_limit_lets_its_last_value_pass() -> None:
    longest = "a" * 256
    key_of = only(registered(issuer=longest))

    assert read(of_length(8_192)).application == APPLICATION
    assert refused(of_length(8_193)) == TokenFault.SHAPE
    assert read(assertion(iss=longest, sub=longest, jti=longest), key_of).token_id == longest
    assert refused(assertion(jti=longest + "a")) == TokenFault.CLAIM_TYPE
