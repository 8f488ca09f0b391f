"""Registering a key takes its private half: a statement that it signed (RFC 7800, section 1)."""

from datetime import datetime
from uuid import uuid4

from exchange.security.contexts import KEY_PROOF
from exchange.security.jose_profile import InvalidToken, sign, verify_bearing_key
from exchange.security.public_keys import KeyFault, KeyRefused
from exchange.security.registered_keys import RegisteredKey, register_key
from exchange.security.signing_keys import Signer


def proof_of_key(signer: Signer, *, issuer: str, organisation: str, at: datetime) -> str:
    """What the owner of a key sends along, to have it registered for an organisation."""
    claims: dict[str, object] = {"aud": issuer, "sub": organisation, "jti": str(uuid4())}
    return sign(KEY_PROOF, claims | {"iat": int(at.timestamp())}, signer)


def proven_key(
    jwk: object, proof: object, *, issuer: str, organisation: str, at: datetime
) -> RegisteredKey:
    """The key, if its owner signed within the hour that it is for this organisation, here.

    Raises nothing but `KeyRefused`.
    """
    key = register_key(jwk, issuer=organisation)
    try:
        claims = verify_bearing_key(str(proof), KEY_PROOF, audience=issuer, at=at)
    except InvalidToken:
        raise KeyRefused(KeyFault.NOT_PROVEN) from None
    if claims.key.thumbprint != key.thumbprint or claims.get("sub") != organisation:
        raise KeyRefused(KeyFault.NOT_PROVEN)
    return key
