"""Proofs that the sender of a request holds the key that its access token is bound to."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exchange.security.base64url import encoded
from exchange.security.claims import CLOCK_AHEAD
from exchange.security.contexts import DPOP_PROOF, TokenFault
from exchange.security.jose_profile import InvalidToken, VerifiedClaims, verify_bearing_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof that held. It counts once: `thumbprint` and `token_id` together, until `replayable`.

    From `replayable_until` on, the same proof is refused for its age.
    """

    token_id: str
    thumbprint: str
    issued_at: datetime
    replayable_until: datetime


def verify_proof(
    proof: str,
    *,
    method: str,
    url: str,
    access_token: str | None = None,
    thumbprint: str | None = None,
    nonce: str | None = None,
    at: datetime,
) -> Proof:
    """The proof, if it was made for this request (RFC 9449, 4.3). Raises only `InvalidToken`.

    `url` is the configured public URL of the route, never that of the request. Given an
    access token, the proof must be for it; given a thumbprint or a nonce, it must have them.
    It is not remembered here: record it in the commit of the decision, after everything held.
    """
    claims = verify_bearing_key(proof, DPOP_PROOF, at=at)
    if claims.text("htm") != method:
        raise InvalidToken(TokenFault.PROOF_METHOD)
    if _without_query(claims.text("htu")) != url:
        raise InvalidToken(TokenFault.PROOF_URL)
    if access_token is not None and not _same(claims, "ath", token_hash(access_token)):
        raise InvalidToken(TokenFault.PROOF_TOKEN)
    if nonce is not None and not _same(claims, "nonce", nonce):
        raise InvalidToken(TokenFault.PROOF_NONCE)
    if thumbprint is not None and claims.key.thumbprint != thumbprint:
        raise InvalidToken(TokenFault.BINDING)
    issued_at = datetime.fromtimestamp(claims.second("iat"), UTC)
    return Proof(
        token_id=claims.text("jti"),
        thumbprint=claims.key.thumbprint,
        issued_at=issued_at,
        replayable_until=issued_at + _MEMORY,
    )


def token_hash(access_token: str) -> str:
    """What a proof says of the token it goes with (`ath`)."""
    return encoded(hashlib.sha256(access_token.encode("ascii", "replace")).digest())


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def _same(claims: VerifiedClaims, name: str, expected: str) -> bool:
    found = claims.get(name)
    return isinstance(found, str) and hmac.compare_digest(found.encode(), expected.encode())


# Counted from `iat`, which may lie ahead of us: shorter, and a proof outlives our memory of it.
_MEMORY = timedelta(seconds=(DPOP_PROOF.max_age or 0) + CLOCK_AHEAD)
