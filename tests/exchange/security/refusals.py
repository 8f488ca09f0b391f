"""What we, and python-jose alone, say of a client assertion or a key."""

from typing import Any

import pytest
from jose import jwt

from exchange.security.contexts import CLIENT_ASSERTION, TokenFault
from exchange.security.jose_profile import InvalidToken, VerifiedClaims, verify
from exchange.security.public_keys import KeyFault, KeyRefused, key_material
from exchange.security.registered_keys import RegisteredKey
from tests.exchange.security.forging import ALL, ISSUER, NOON, jwk, only, registered


def ours(token: Any, key: RegisteredKey | None = None) -> VerifiedClaims:
    return verify(
        token, CLIENT_ASSERTION, key_of=only(key or registered()), audience=ISSUER, at=NOON
    )


def refused(token: Any, key: RegisteredKey | None = None) -> TokenFault:
    with pytest.raises(InvalidToken) as refusal:
        ours(token, key)
    return refusal.value.reason


def refused_key(members: Any) -> KeyFault:
    with pytest.raises(KeyRefused) as refusal:
        key_material(members, ALL)
    return refusal.value.code


def alone(token: Any, key: Any = None, **options: Any) -> dict[str, Any]:
    """The claims that python-jose accepts, told no more than its users tell it."""
    options = {"algorithms": ["ES256"], "audience": ISSUER} | options
    claims: dict[str, Any] = jwt.decode(token, key or jwk(), **options)
    return claims
