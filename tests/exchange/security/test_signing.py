"""Receipts and other things we sign: by the rules we read by."""

from typing import Any

import pytest

from exchange.security import contexts
from exchange.security.contexts import (
    ACCESS_TOKEN,
    RECEIPT,
    SIGNED_SUMMARY,
    Context,
    TokenFault,
)
from exchange.security.jose_profile import InvalidToken, VerifiedClaims, publish, sign, verify
from exchange.security.public_keys import KeyFault, KeyRefused
from exchange.security.registered_keys import register_key
from exchange.security.signing_keys import new_signing_key, signer_from_jwk
from tests.exchange.security import forging
from tests.exchange.security.forging import ISSUER, NOON, NOW, b64, jwk, only, signing, without

SIGNER = signer_from_jwk(new_signing_key())
KEY = register_key(SIGNER.public_jwk(), issuer=ISSUER)
RECEIPT_OF_A_CONSENT: dict[str, Any] = {
    "iss": ISSUER,
    "iat": NOW,
    "consent": {"id": "cs-1", "grants": [{"purpose": "P2", "sections": ["educ", "work"]}]},
    "notice": {"language": "nl", "sha256": "00" * 32},
}


def read(token: str, context: Context = RECEIPT, audience: str | None = None) -> VerifiedClaims:
    return verify(token, context, key_of=only(KEY), audience=audience, at=NOON)


def test_a_receipt_holds_whatever_was_put_in_it_and_says_what_it_is() -> None:
    token = sign(RECEIPT, RECEIPT_OF_A_CONSENT, SIGNER)

    found = read(token)

    assert found.all() == RECEIPT_OF_A_CONSENT
    assert found.key is KEY
    assert found.get("consent") == RECEIPT_OF_A_CONSENT["consent"]
    assert found.get("absent") is None


def test_a_receipt_holds_years_later_and_after_its_key_was_replaced() -> None:
    token = sign(RECEIPT, RECEIPT_OF_A_CONSENT, SIGNER)
    later = NOON.replace(year=2050)

    assert verify(token, RECEIPT, key_of=only(KEY), at=later).all() == RECEIPT_OF_A_CONSENT


def test_a_receipt_altered_in_one_word_does_not_hold() -> None:
    head, _, signature = sign(RECEIPT, RECEIPT_OF_A_CONSENT, SIGNER).split(".")
    other = forging.part(RECEIPT_OF_A_CONSENT | {"iat": NOW - 1})

    with pytest.raises(InvalidToken) as refusal:
        read(f"{head}.{other}.{signature}")
    assert refusal.value.reason == TokenFault.SIGNATURE


def test_a_receipt_is_no_summary() -> None:
    claims = RECEIPT_OF_A_CONSENT | {"aud": "org:vdab-gent"}

    assert read(sign(SIGNED_SUMMARY, claims, SIGNER), SIGNED_SUMMARY, "org:vdab-gent").key is KEY
    with pytest.raises(InvalidToken):
        read(sign(RECEIPT, claims, SIGNER), SIGNED_SUMMARY, "org:vdab-gent")


def test_a_large_receipt_holds_and_one_too_large_to_be_read_is_not_signed() -> None:
    large = RECEIPT_OF_A_CONSENT | {"text": "é" * 30_000}

    assert read(sign(RECEIPT, large, SIGNER)).text("text") == "é" * 30_000
    with pytest.raises(ValueError, match="too-large"):
        sign(RECEIPT, large | {"more": "x" * 6_000}, SIGNER)


@pytest.mark.parametrize(
    ("context", "claims"),
    [
        (RECEIPT, without(RECEIPT_OF_A_CONSENT, "iat")),
        (RECEIPT, RECEIPT_OF_A_CONSENT | {"name": "Zoe\u0308"}),
        (RECEIPT, RECEIPT_OF_A_CONSENT | {"score": float("nan")}),
        (ACCESS_TOKEN, RECEIPT_OF_A_CONSENT),
        (
            ACCESS_TOKEN,
            dict.fromkeys(ACCESS_TOKEN.required, "x") | {"admin": True},
        ),
    ],
    ids=["missing", "not-normalised", "nan", "another-context", "unknown"],
)
def test_what_we_would_not_read_we_do_not_sign(context: Context, claims: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not (the claims|readable)|JSON compliant"):
        sign(context, claims, SIGNER)


def test_a_token_of_ours_with_a_claim_we_do_not_know_is_refused() -> None:
    claims = dict.fromkeys(ACCESS_TOKEN.required, "x") | {"admin": True, "iss": ISSUER}
    header = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}
    token = forging.token(header, claims, signing(SIGNER.private))

    with pytest.raises(InvalidToken) as refusal:
        read(token, ACCESS_TOKEN, "x")
    assert refusal.value.reason == TokenFault.CLAIM_UNKNOWN


def test_claims_are_not_verified_by_saying_so() -> None:
    with pytest.raises(TypeError):
        VerifiedClaims(object(), {"sub": "app:anybody"}, KEY)


def test_a_claim_of_another_kind_than_asked_for_is_an_invalid_token() -> None:
    found = read(sign(RECEIPT, RECEIPT_OF_A_CONSENT | {"count": True}, SIGNER))

    assert found.second("iat") == NOW
    for wrong in ("count", "iss", "absent"):
        with pytest.raises(InvalidToken):
            found.second(wrong)
    with pytest.raises(InvalidToken):
        found.text("iat")


def test_verified_claims_cannot_be_altered_through_their_copy() -> None:
    found = read(sign(RECEIPT, RECEIPT_OF_A_CONSENT, SIGNER))

    found.all().clear()

    assert found.all() == RECEIPT_OF_A_CONSENT


def test_a_private_key_or_two_of_one_name_are_not_published() -> None:
    with pytest.raises(KeyRefused) as private:
        publish([new_signing_key()])
    with pytest.raises(KeyRefused) as double:
        publish([SIGNER.public_jwk(), SIGNER.public_jwk()])

    assert private.value.code == KeyFault.PRIVATE_MEMBER
    assert double.value.code == KeyFault.DUPLICATE_KEY_ID


def test_a_fresh_key_is_named_by_its_thumbprint_and_signs() -> None:
    private = new_signing_key()
    signer = signer_from_jwk(private)

    assert register_key(signer.public_jwk(), issuer=ISSUER).thumbprint == private["kid"]
    assert new_signing_key()["d"] != private["d"]


@pytest.mark.parametrize(
    "change",
    [
        {"kid": None},
        {"kid": "a/b"},
        {"d": None},
        {"d": "!"},
        {"d": b64(b"\1" * 32)},
        {"d": b64(bytes(32))},
        {"d": b64(b"\0" + b"\1" * 32)},
        pytest.param({"x": jwk()["x"]}, id="of-another"),
        {"crv": "P-384"},
        {"k": "AA"},
    ],
    ids=str,
)
def test_a_private_key_that_does_not_fit_together_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(KeyRefused):
        signer_from_jwk(new_signing_key() | change)


@pytest.mark.parametrize(
    ("exp", "fault"),
    [(253_402_300_799, None), (253_402_300_800, TokenFault.CLAIM_TYPE), (0, TokenFault.CLAIM_TYPE)],
)
def test_a_time_is_a_second_between_1970_and_the_year_10000(
    exp: int, fault: TokenFault | None
) -> None:
    token = sign(RECEIPT, RECEIPT_OF_A_CONSENT | {"exp": exp}, SIGNER)

    if fault is None:
        assert read(token).second("exp") == exp
    else:
        with pytest.raises(InvalidToken) as refusal:
            read(token)
        assert refusal.value.reason == fault


def test_every_token_says_when_it_was_made_but_for_a_signature_under_an_agreement() -> None:
    known = [each for each in vars(contexts).values() if isinstance(each, Context)]

    assert [each.name for each in known if "iat" not in each.required] == ["framework-agreement"]
    assert len(known) > 10


def test_an_object_of_256_members_is_signed_and_read_and_one_more_is_not() -> None:
    most = {f"m{n}": n for n in range(256)}
    token = sign(RECEIPT, RECEIPT_OF_A_CONSENT | {"more": most}, SIGNER)

    assert read(token).get("more") == most
    with pytest.raises(ValueError, match="not readable"):
        sign(RECEIPT, RECEIPT_OF_A_CONSENT | {"more": most | {"m256": 256}}, SIGNER)
