"""Tokens we issue and read back: whose they are, how long, and after which change no more."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jose.backends import ECKey

from exchange.security.contexts import (
    ACCESS_TOKEN,
    CLIENT_ASSERTION,
    ID_TOKEN,
    Context,
    TokenFault,
)
from exchange.security.jose_profile import sign, verify
from exchange.security.registered_keys import register_key
from exchange.security.tokens import (
    AccessTokens,
    Caller,
    InvalidToken,
    Signer,
    new_signing_key,
    signer_from_jwk,
)
from tests.exchange.security.forging import APPLICATION, ISSUER, NOON, NOW, only

AUDIENCE = f"{ISSUER}/v1"
ORGANISATION = "org:vdab-gent"
NAME = "token-1"
OTHER = "token-2"
VDAB = Caller(APPLICATION, ORGANISATION, frozenset({"query", "handover"}), NAME)
SIGNER = signer_from_jwk(new_signing_key())
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": APPLICATION,
    "client_id": APPLICATION,
    "aud": AUDIENCE,
    "organisation": ORGANISATION,
    "scope": "query",
    "iat": NOW,
    "exp": NOW + 300,
    "jti": NAME,
}


def tokens(signer: Signer = SIGNER, **more: Any) -> AccessTokens:
    return AccessTokens(signer, **({"issuer": ISSUER, "audience": AUDIENCE} | more))


def issued(by: AccessTokens, **more: Any) -> str:
    what: dict[str, Any] = {
        "application": APPLICATION,
        "organisation": ORGANISATION,
        "scopes": ["query", "handover"],
        "at": NOON,
        "token_id": NAME,
    }
    token, _ = by.issue(**(what | more))
    return f"Bearer {token}"


def refused(by: AccessTokens, authorization: str, at: datetime = NOON) -> TokenFault:
    with pytest.raises(InvalidToken) as refusal:
        by.read(authorization, at)
    return refusal.value.reason


def forged(context: Context = ACCESS_TOKEN, **claims: Any) -> str:
    return f"Bearer {sign(context, CLAIMS | claims, SIGNER)}"


def test_a_token_tells_for_five_minutes_who_is_calling() -> None:
    desk = tokens()
    token, lives = desk.issue(
        application=APPLICATION,
        organisation=ORGANISATION,
        scopes={"query", "handover"},
        at=NOON,
        token_id=NAME,
    )

    assert lives == 300
    assert desk.read(f"Bearer {token}", NOON) == VDAB
    assert desk.read(f"bearer {token}", NOON + timedelta(seconds=299.999)) == VDAB
    assert refused(desk, f"Bearer {token}", NOON + timedelta(seconds=300)) == TokenFault.EXPIRED


def test_no_scope_is_no_scope() -> None:
    desk = tokens()

    assert desk.read(issued(desk, scopes=[]), NOON).scopes == frozenset()


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer \ud800"]
)
def test_what_is_no_bearer_token_is_refused(authorization: str) -> None:
    assert refused(tokens(), authorization) in {TokenFault.SCHEME, TokenFault.SHAPE}


def test_a_second_token_in_the_header_is_refused() -> None:
    desk = tokens()

    assert refused(desk, f"{issued(desk)}, {issued(desk)}") == TokenFault.SHAPE


@pytest.mark.parametrize("cached", [0, 10])
def test_a_remembered_token_ends_like_one_that_is_not(cached: int) -> None:
    desk = tokens(cached=cached)
    authorization = issued(desk)
    desk.read(authorization, NOON)

    assert desk.read(authorization, NOON + timedelta(seconds=299)) == VDAB
    assert refused(desk, authorization, NOON + timedelta(seconds=300)) == TokenFault.EXPIRED


@pytest.mark.case("T37")
@pytest.mark.parametrize("cached", [0, 10])
@pytest.mark.parametrize(
    ("minutes", "fault"),
    [
        pytest.param(5, TokenFault.EXPIRED, id="a"),
        pytest.param(-5, TokenFault.NOT_YET, id="b"),
    ],
)
def test_t37_a_clock_that_jumps_lets_nobody_in(
    cached: int, minutes: int, fault: TokenFault
) -> None:
    desk = tokens(cached=cached)
    authorization = issued(desk)
    desk.read(authorization, NOON)

    assert refused(desk, authorization, NOON + timedelta(minutes=minutes)) == fault


def test_a_known_token_is_not_verified_again_and_a_forgotten_one_is(
    verifications: list[object],
) -> None:
    desk = tokens(cached=2)
    first, second, third = (issued(desk, token_id=name) for name in "abc")

    for authorization in (first, second, first, first, third, first):
        desk.read(authorization, NOON)
    assert len(verifications) == 3
    desk.read(second, NOON)
    assert len(verifications) == 4


def test_a_token_altered_in_one_character_is_another_token() -> None:
    desk = tokens()
    authorization = issued(desk)
    desk.read(authorization, NOON)
    for place in range(len("Bearer "), len(authorization)):
        other = "A" if authorization[place] != "A" else "B"
        with pytest.raises(InvalidToken):
            desk.read(authorization[:place] + other + authorization[place + 1 :], NOON)


@pytest.mark.case("T31")
@pytest.mark.parametrize(
    ("written_as", "read_as"),
    [
        pytest.param(ACCESS_TOKEN, ID_TOKEN, id="a"),
        pytest.param(ID_TOKEN, ACCESS_TOKEN, id="b"),
        pytest.param(ACCESS_TOKEN, CLIENT_ASSERTION, id="access-token-as-assertion"),
        pytest.param(CLIENT_ASSERTION, ACCESS_TOKEN, id="assertion-as-access-token"),
    ],
)
def test_t31_a_token_of_one_kind_does_not_serve_as_another(
    written_as: Context, read_as: Context
) -> None:
    key = register_key(SIGNER.public_jwk(), issuer=ISSUER)
    claims = {name: CLAIMS[name] for name in written_as.required} | {"exp": NOW + 60}
    token = sign(written_as, claims, SIGNER)

    verify(token, written_as, key_of=only(key), audience=AUDIENCE, at=NOON)
    with pytest.raises(InvalidToken) as refusal:
        verify(token, read_as, key_of=only(key), audience=AUDIENCE, at=NOON)
    assert refusal.value.reason == TokenFault.TYPE


@pytest.mark.case("T32")
@pytest.mark.parametrize(
    ("elsewhere", "fault"),
    [
        pytest.param(tokens(signer_from_jwk(new_signing_key())), TokenFault.UNKNOWN_KEY, id="a"),
        pytest.param(tokens(issuer="https://b.example"), TokenFault.UNKNOWN_KEY, id="b"),
        pytest.param(tokens(audience="https://b.example"), TokenFault.AUDIENCE, id="c"),
    ],
)
def test_t32_a_token_from_elsewhere_is_refused(elsewhere: AccessTokens, fault: TokenFault) -> None:
    assert refused(tokens(), issued(elsewhere)) == fault


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"client_id": "app:somebody-else"}, TokenFault.SUBJECT),
        ({"organisation": ""}, TokenFault.CLAIM_TYPE),
        ({"organisation": 1}, TokenFault.CLAIM_TYPE),
        ({"scope": ["query"]}, TokenFault.CLAIM_TYPE),
        ({"exp": NOW + 301}, TokenFault.LIFETIME),
        ({"iat": NOW - 301, "exp": NOW - 1}, TokenFault.EXPIRED),
        ({"cnf": {"x5t#S256": "of a certificate"}}, TokenFault.BINDING),
        ({"cnf": "of something"}, TokenFault.BINDING),
        ({"cnf": {"jkt": "of a key"}}, TokenFault.BINDING),
    ],
    ids=str,
)
def test_a_token_of_ours_that_we_would_not_write_is_refused(
    claims: dict[str, Any], fault: TokenFault
) -> None:
    assert refused(tokens(), forged(**claims)) == fault


@pytest.mark.case("T34")
def test_t34a_after_a_rotation_the_old_token_lives_on_and_both_keys_are_published() -> None:
    desk, fresh = tokens(), signer_from_jwk(new_signing_key())
    old = issued(desk)

    desk.rotate(fresh)

    assert desk.read(old, NOON) == VDAB
    assert desk.read(issued(desk), NOON) == VDAB
    assert [key["kid"] for key in desk.public_keys()["keys"]] == [fresh.kid, SIGNER.kid]


@pytest.mark.case("T34")
def test_t34b_tokens_under_a_compromised_key_are_refused_at_once_also_known_ones() -> None:
    desk, fresh = tokens(), signer_from_jwk(new_signing_key())
    known, unknown = issued(desk), issued(desk, token_id=OTHER)
    desk.read(known, NOON)

    desk.rotate(fresh, compromised=True)

    assert refused(desk, known) == refused(desk, unknown) == TokenFault.UNKNOWN_KEY
    assert [key["kid"] for key in desk.public_keys()["keys"]] == [fresh.kid]


@pytest.mark.case("T39")
def test_t39_a_key_that_is_replaced_while_it_verifies_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, check = tokens(), ECKey.verify

    def replaced_meanwhile(*of: Any) -> bool:
        held = bool(check(*of))
        desk.rotate(signer_from_jwk(new_signing_key()), compromised=True)
        return held

    authorization = issued(desk)
    monkeypatch.setattr(ECKey, "verify", replaced_meanwhile)
    desk.read(authorization, NOON)
    monkeypatch.setattr(ECKey, "verify", check)

    assert refused(desk, authorization) == TokenFault.UNKNOWN_KEY


def test_tokens_under_an_earlier_key_count_also_after_a_restart() -> None:
    fresh = signer_from_jwk(new_signing_key())
    restarted = tokens(fresh, retired=[SIGNER.public_jwk()])

    assert restarted.read(issued(tokens()), NOON) == VDAB


@pytest.mark.case("T28")
def test_nothing_that_is_published_or_printed_is_secret() -> None:
    private = new_signing_key()
    signer = signer_from_jwk(private)
    desk = tokens(signer)

    assert desk.public_keys() == {"keys": [signer.public_jwk()]}
    assert set(signer.public_jwk()) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert private["d"] not in repr((signer, desk, desk.public_keys()))


def test_many_threads_read_at_once_and_all_get_the_right_answer() -> None:
    desk = tokens(cached=3)
    mine = {name: issued(desk, token_id=name) for name in "abcdefgh"}
    found: list[tuple[str, str]] = []

    def read(name: str) -> None:
        found.extend((name, desk.read(mine[name], NOON).token_id) for _ in range(20))

    threads = [threading.Thread(target=read, args=name) for name in mine]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 160
    assert all(asked == answered for asked, answered in found)


def test_a_fraction_of_a_second_neither_delays_nor_lengthens_a_token() -> None:
    desk, at = tokens(), datetime.fromtimestamp(NOW + 0.9, UTC)

    authorization = issued(desk, at=at)

    assert desk.read(authorization, at) == VDAB
    assert refused(desk, authorization, NOON + timedelta(seconds=300)) == TokenFault.EXPIRED
