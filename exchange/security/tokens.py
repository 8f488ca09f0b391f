"""Who is calling: the access tokens that we issue and read back."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Final, Protocol, TypeAlias

from exchange.security.claims import CLOCK_AHEAD
from exchange.security.client_assertions import Assertion, ClientAssertions
from exchange.security.contexts import ACCESS_TOKEN, FOREIGN_ACCESS_TOKEN, TokenFault
from exchange.security.dpop import Proof, verify_proof
from exchange.security.jose_profile import InvalidToken, VerifiedClaims, publish, sign, verify
from exchange.security.registered_keys import RegisteredKey, register_key
from exchange.security.signing_keys import Signer, new_signing_key, signer_from_jwk

__all__ = [
    "AccessTokens",
    "Assertion",
    "Caller",
    "ClientAssertions",
    "InvalidToken",
    "RegisteredKey",
    "Signer",
    "TokenReader",
    "UnknownKey",
    "new_signing_key",
    "signer_from_jwk",
]

LIFETIME: Final = 300
"""Seconds that an access token lives: what a stolen one is worth at most."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An application that acts for an organisation.

    `token_id` is the `jti` of its token; `thumbprint` that of the key the token is bound to.
    `key` names the key that signed the token. `proof` came with the request: it is used up
    by the first command that is done for it.
    """

    application: str
    organisation: str
    scopes: frozenset[str]
    token_id: str
    thumbprint: str | None = None
    proof: Proof | None = None
    key: str = field(default="", compare=False)


class UnknownKey(InvalidToken):
    """The token says that it is ours, of a key that is not known here; another process may."""


TokenReader: TypeAlias = Callable[[str, datetime], Caller]
"""The caller behind an `Authorization` header; raises nothing but `InvalidToken`."""


class KeySource(Protocol):
    """The keys of another authorisation server; raises what it likes when it has none to tell."""

    issuer: str

    def key_of(self, kid: str) -> RegisteredKey | None: ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was verified, with which key, and the seconds between which that counts."""

    caller: Caller
    key: RegisteredKey
    issued: int
    expires: int


class AccessTokens:
    """Issues access tokens and reads them back. Used from many threads at once.

    `retired` holds public JWKs of earlier keys whose tokens still count. The last `cached`
    verified tokens are known by digest, so that a signature is checked once and not on each
    request; revocation of the application, DPoP and replay are for the caller, on each.
    With `foreign`, tokens of that authorisation server are read instead of ours.
    """

    def __init__(
        self,
        signing: Signer,
        issuer: str,
        audience: str,
        cached: int = 10_000,
        *,
        retired: Iterable[Mapping[str, object]] = (),
        foreign: KeySource | None = None,
    ) -> None:
        self._foreign = foreign
        self._signing, self._issuer, self._audience = signing, issuer, audience
        self._cached = cached
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = Lock()
        self._public: tuple[Mapping[str, object], ...] = (signing.public_jwk(), *retired)
        self._keys = self._registered()

    def issue(
        self,
        *,
        application: str,
        organisation: str,
        scopes: Iterable[str],
        at: datetime,
        token_id: str,
        thumbprint: str | None = None,
    ) -> tuple[str, int]:
        """A token, and the seconds it lives. With a thumbprint it is bound to that key."""
        issued = int(at.timestamp())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": application,
            "client_id": application,
            "aud": self._audience,
            "organisation": organisation,
            "scope": " ".join(sorted(scopes)),
            "iat": issued,
            "exp": issued + LIFETIME,
            "jti": token_id,
        }
        if thumbprint is not None:
            claims["cnf"] = {"jkt": thumbprint}
        return sign(ACCESS_TOKEN, claims, self._signing), LIFETIME

    def identified(self, token: str, at: datetime) -> Caller:
        """Whose token this is, bound or not. It lets nobody in. Raises only `InvalidToken`."""
        return self._caller(token, at)

    def knows(self, token: str) -> bool:
        """Whether its signature was verified before, so that to read it takes no other look at it.

        It lets nobody in: it may have expired since.
        """
        with self._lock:
            known = self._known.get(_digest(token))
        return known is not None and self._key(known.key.kid) is known.key

    def read(self, authorization: str, at: datetime) -> Caller:
        """The caller behind an `Authorization: Bearer` header. Raises only `InvalidToken`.

        A token bound to a key is refused here: without its proof it is worth nothing.
        """
        caller = self._caller(_token(authorization, "bearer"), at)
        if caller.thumbprint is not None:
            raise InvalidToken(TokenFault.BINDING)
        return caller

    def read_bound(
        self,
        authorization: str,
        proof: str,
        *,
        method: str,
        url: str,
        at: datetime,
        nonces: Collection[str] = (),
    ) -> Caller:
        """The caller behind an `Authorization: DPoP` header, with the proof it brought.

        Raises only `InvalidToken`. `url` is the configured public URL of the route. The proof
        is not remembered here; see `verify_proof`.
        """
        token = _token(authorization, "dpop")
        caller = self._caller(token, at)
        if caller.thumbprint is None:
            raise InvalidToken(TokenFault.BINDING)
        held = verify_proof(
            proof,
            method=method,
            url=url,
            access_token=token,
            thumbprint=caller.thumbprint,
            nonces=nonces,
            at=at,
        )
        return replace(caller, proof=held)

    @property
    def kid(self) -> str:
        """The name of the key that signs now."""
        return self._signing.kid

    def rotate(self, signing: Signer, *, compromised: bool = False) -> None:
        """Sign with another key from now on.

        Tokens of the earlier keys go on until they expire; of compromised ones, none does.
        """
        with self._lock:
            earlier = () if compromised else self._public
            self._public = (signing.public_jwk(), *earlier)
            self._signing = signing
            self._keys = self._registered()
            self._known.clear()

    def public_keys(self) -> dict[str, list[dict[str, object]]]:
        """The keys that others verify our tokens with: the one in use, and those before it."""
        return publish(self._public)

    def _registered(self) -> Mapping[str, RegisteredKey]:
        keys = (register_key(jwk, issuer=self._issuer) for jwk in self._public)
        return {key.kid: key for key in keys}

    def _caller(self, token: str, at: datetime) -> Caller:
        digest = _digest(token)
        with self._lock:
            known = self._known.get(digest)
            if known is not None:
                self._known.move_to_end(digest)
        # Verified with a key that was replaced meanwhile: it may be a compromised one.
        if known is None or self._key(known.key.kid) is not known.key:
            known = self._verified(token, at)
            self._remember(digest, known)
        now = at.timestamp()
        if known.issued > now + CLOCK_AHEAD:
            raise InvalidToken(TokenFault.NOT_YET)
        if known.expires <= now:
            raise InvalidToken(TokenFault.EXPIRED)
        return known.caller

    def _key(self, kid: str) -> RegisteredKey | None:
        return self._keys.get(kid) if self._foreign is None else self._foreign.key_of(kid)

    def _verified(self, token: str, at: datetime) -> _Known:
        foreign = self._foreign
        expected = self._issuer if foreign is None else foreign.issuer
        context = ACCESS_TOKEN if foreign is None else FOREIGN_ACCESS_TOKEN

        unknown = False

        def key_of(issuer: str, kid: str) -> RegisteredKey | None:
            nonlocal unknown
            key = self._key(kid) if issuer == expected else None
            unknown = foreign is None and issuer == expected and key is None
            return key

        try:
            claims = verify(token, context, key_of=key_of, audience=self._audience, at=at)
        except InvalidToken as refused:
            if unknown:
                raise UnknownKey(refused.reason) from None
            raise
        caller = _caller_in(claims, own=foreign is None)
        return _Known(caller, claims.key, claims.second("iat"), claims.second("exp"))

    def _remember(self, digest: bytes, known: _Known) -> None:
        with self._lock:
            self._known[digest] = known
            while len(self._known) > self._cached:
                self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _token(authorization: str, scheme: str) -> str:
    """What follows the scheme, whose case says nothing (RFC 9110 section 11.1)."""
    found, _, token = authorization.partition(" ")
    if found.lower() != scheme:
        raise InvalidToken(TokenFault.SCHEME)
    return token


def _caller_in(claims: VerifiedClaims, *, own: bool) -> Caller:
    if own and claims.text("sub") != claims.text("client_id"):
        raise InvalidToken(TokenFault.SUBJECT)
    confirmation = claims.get("cnf")
    thumbprint = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    # Bound to something that we cannot check is not the same as not bound.
    if confirmation is not None and not isinstance(thumbprint, str):
        raise InvalidToken(TokenFault.BINDING)
    return Caller(
        application=claims.text("client_id"),
        organisation=claims.text("organisation"),
        scopes=frozenset(claims.text("scope").split()),
        token_id=claims.text("jti"),
        thumbprint=thumbprint,
        key=claims.key.kid,
    )
