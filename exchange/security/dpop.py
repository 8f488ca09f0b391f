"""Proofs that the sender of a request holds the key that its access token is bound to."""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exchange.security.base64url import encoded
from exchange.security.claims import CLOCK_AHEAD
from exchange.security.contexts import DPOP_PROOF, TokenFault
from exchange.security.jose_profile import InvalidToken, VerifiedClaims, verify_bearing_key


class InvalidProof(InvalidToken):
    """The proof is missing, or not one for this request (`invalid_dpop_proof`)."""


class StaleNonce(InvalidProof):
    """All held but the nonce: the same again with a fresh one may pass (`use_dpop_nonce`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof that held. It counts once: `thumbprint` and `token_id` together, until `replayable`.

    From `replayable_until` on, the same proof is refused for its age.
    """

    token_id: str
    thumbprint: str
    issued_at: datetime
    replayable_until: datetime

    @property
    def name(self) -> bytes:
        """What it is remembered by: the same id from another key is another proof."""
        return hashlib.sha256(f"{self.thumbprint}\0{self.token_id}".encode()).digest()


class Nonces:
    """Nonces of ours that prove a proof to be fresh: keyed, the same in every process, not kept.

    Each counts in the `seconds` that it was given in, and in as many after. With 0 seconds
    none is asked for (RFC 9449 sections 8 and 9).
    """

    def __init__(self, key: bytes, seconds: int) -> None:
        self._key, self._seconds = key, seconds

    def fresh(self, at: datetime) -> str:
        """The one to be given now."""
        return self._nonce(int(at.timestamp()) // (self._seconds or 1))

    def good(self, at: datetime) -> tuple[str, ...]:
        """Those that a proof may hold now; without any it needs none."""
        if not self._seconds:
            return ()
        window = int(at.timestamp()) // self._seconds
        return self._nonce(window), self._nonce(window - 1)

    def _nonce(self, window: int) -> str:
        return encoded(hmac.digest(self._key, str(window).encode(), "sha256"))


def verify_proof(
    proof: str,
    *,
    method: str,
    url: str,
    access_token: str | None = None,
    thumbprint: str | None = None,
    nonces: Collection[str] = (),
    at: datetime,
) -> Proof:
    """The proof, if it was made for this request (RFC 9449, 4.3). Raises only `InvalidProof`.

    `url` is the configured public URL of the route, never that of the request. Given an
    access token, the proof must be for it; given a thumbprint, of that key; given nonces, it
    must hold one of them. It is not remembered here: record it in the commit of the
    decision, after everything held.
    """
    try:
        claims = verify_bearing_key(proof, DPOP_PROOF, at=at)
        _check_request(claims, method, url, access_token)
    except InvalidToken as refused:
        raise InvalidProof(refused.reason) from None
    if thumbprint is not None and claims.key.thumbprint != thumbprint:
        raise InvalidProof(TokenFault.BINDING)
    # Last of all: only who could have used it is told that a fresh nonce would do.
    if nonces and not any(_same(claims, "nonce", each) for each in nonces):
        raise StaleNonce(TokenFault.PROOF_NONCE)
    issued_at = datetime.fromtimestamp(claims.second("iat"), UTC)
    return Proof(
        token_id=claims.text("jti"),
        thumbprint=claims.key.thumbprint,
        issued_at=issued_at,
        replayable_until=issued_at + _MEMORY,
    )


def _check_request(claims: VerifiedClaims, method: str, url: str, access_token: str | None) -> None:
    if claims.text("htm") != method:
        raise InvalidToken(TokenFault.PROOF_METHOD)
    if _without_query(claims.text("htu")) != url:
        raise InvalidToken(TokenFault.PROOF_URL)
    if access_token is not None and not _same(claims, "ath", token_hash(access_token)):
        raise InvalidToken(TokenFault.PROOF_TOKEN)


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
