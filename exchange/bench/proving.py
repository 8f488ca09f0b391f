"""Proofs to measure with: one for each request, since each counts once."""

from datetime import UTC, datetime
from uuid import uuid4

from exchange.security.contexts import DPOP_PROOF
from exchange.security.dpop import token_hash
from exchange.security.jose_profile import sign
from exchange.security.tokens import Signer


def proof(signer: Signer, url: str, token: str = "") -> str:
    """A proof for one POST, made now; with a token, for that token."""
    claims: dict[str, object] = {"jti": str(uuid4()), "htm": "POST", "htu": url}
    claims["iat"] = int(datetime.now(UTC).timestamp())
    if token:
        claims["ath"] = token_hash(token)
    return sign(DPOP_PROOF, claims, signer)
