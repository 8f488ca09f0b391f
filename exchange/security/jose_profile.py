"""Signed tokens, with python-jose as nothing but the engine that checks and makes a signature.

What the library decides by itself is decided here before it is asked: which header members
count, which algorithm, which key, what the claims must hold. The advisories we accept, and
why none of them is in reach: GHSA-wj6h-64fc-37mp (the package `ecdsa` is never imported),
CVE-2026-85394 (no HMAC here, and no key is ever read while verifying), python-jose #413
(headers outside a short list are refused). Another library takes its place as a `Verifier`
and one line in `sign`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol, TypeAlias, final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from jose.backends import ECKey, RSAKey

from exchange.security.base64url import decoded, encoded
from exchange.security.claims import MAX_TEXT, fault_in, known_claims
from exchange.security.contexts import Context, TokenFault
from exchange.security.public_keys import KeyRefused, key_material
from exchange.security.registered_keys import RegisteredKey, is_key_id, register_key
from exchange.security.signing_keys import ALGORITHM, Signer
from exchange.security.strict_json import JsonFault, NotJson, read_json

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MAX_MEMBERS = 256
_CURVE_SIGNATURE = 64
_HEADER = frozenset({"alg", "kid", "typ"})
_HEADER_WITH_KEY = _HEADER | {"jwk"}
_PSS = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)

KeyLookup: TypeAlias = Callable[[str, str], RegisteredKey | None]
"""The one key that an issuer has under a `kid`, or nothing. What it raises is passed on."""


class InvalidToken(Exception):
    """Not well-formed, not signed by the key named, not for us, or not now.

    `reason` is for our own records: whoever sent the token never learns it.
    """

    def __init__(self, reason: TokenFault) -> None:
        super().__init__("the token is not valid")
        self.reason = reason


class Verifier(Protocol):
    """All we ask of a library, and the place where another one is put."""

    def verify(self, signing_input: bytes, signature: bytes, key: RegisteredKey) -> bool:
        """Whether the signature was made over the input by the owner of the key.

        Goes by the algorithm that the key is registered for, and may raise to say no.
        """


class PythonJose:
    """python-jose for ES256 and RS256; `cryptography` itself for what python-jose lacks."""

    backend: Final = ECKey.__name__

    def verify(self, signing_input: bytes, signature: bytes, key: RegisteredKey) -> bool:
        match key.algorithm, key.public:
            case "ES256", ec.EllipticCurvePublicKey() as public:
                engine = ECKey(public, "ES256")
                return len(signature) == _CURVE_SIGNATURE and bool(
                    engine.verify(signing_input, signature)
                )
            case "RS256", rsa.RSAPublicKey() as public:
                return bool(RSAKey(public, "RS256").verify(signing_input, signature))
            case "PS256", rsa.RSAPublicKey() as public:
                public.verify(signature, signing_input, _PSS, SHA256())
                return True
            case "EdDSA", ed25519.Ed25519PublicKey() as public:
                public.verify(signature, signing_input)
                return True
            case _:
                return False


@final
class VerifiedClaims:
    """Claims whose signature, audience and times held. Nothing but `verify` can make them."""

    __slots__ = ("_claims", "key")

    def __init__(self, seal: object, claims: Mapping[str, object], key: RegisteredKey) -> None:
        if seal is not _SEAL:
            raise TypeError("claims are verified by verify(), not by saying so")
        self._claims = claims
        self.key = key

    def all(self) -> dict[str, object]:
        """A copy, without those that this kind of token gives no meaning to."""
        return dict(self._claims)

    def get(self, name: str) -> object:
        """The claim as it stands, or `None`."""
        return self._claims.get(name)

    def text(self, name: str) -> str:
        """A claim that must be a text; anything else raises `InvalidToken`."""
        value = self._claims.get(name)
        if not isinstance(value, str):
            raise InvalidToken(TokenFault.CLAIM_TYPE)
        return value

    def second(self, name: str) -> int:
        """A claim that must be a whole number; anything else raises `InvalidToken`."""
        value = self._claims.get(name)
        if type(value) is not int:
            raise InvalidToken(TokenFault.CLAIM_TYPE)
        return value


@dataclass(frozen=True, slots=True)
class _Parts:
    """A token taken apart, of which nothing is believed yet."""

    header: Mapping[str, object]
    algorithm: str
    claims: Mapping[str, object]
    signing_input: bytes
    signature: bytes


def verify(
    token: str, context: Context, *, key_of: KeyLookup, audience: str | None = None, at: datetime
) -> VerifiedClaims:
    """The claims of a token that holds in this context, now. Raises only `InvalidToken`.

    The key is the one that `key_of` knows for issuer and `kid`; what `key_of` itself raises
    is passed on. A token of an unknown key costs a verification too, so that the time taken
    does not tell who is registered. `jti` is not remembered: that is for the caller, in the
    commit that it guards.
    """
    parts = _parts(token, context)
    issuer, kid = parts.claims.get("iss"), parts.header.get("kid")
    if not isinstance(issuer, str) or not isinstance(kid, str):
        raise InvalidToken(TokenFault.KEY_ID)
    key = key_of(issuer, kid) if is_key_id(kid) and len(issuer) <= MAX_TEXT else None
    if key and (key.issuer, key.kid) != (issuer, kid):
        key = None
    return _verified(parts, context, key, audience, at)


def verify_bearing_key(
    token: str, context: Context, *, audience: str | None = None, at: datetime
) -> VerifiedClaims:
    """The claims of a token that brings its own key. Raises only `InvalidToken`.

    It says no more than that the sender has that key: whose it is, its thumbprint must tell.
    """
    parts = _parts(token, context)
    try:
        algorithm, public, thumbprint = key_material(parts.header.get("jwk"))
    except KeyRefused:
        raise InvalidToken(TokenFault.UNKNOWN_KEY) from None
    key = RegisteredKey(
        issuer="", kid=thumbprint, algorithm=algorithm, public=public, thumbprint=thumbprint
    )
    return _verified(parts, context, key, audience, at)


def sign(context: Context, claims: Mapping[str, object], signer: Signer) -> str:
    """A token over these claims, whose `alg`, `typ` and key are set here.

    Raises `ValueError` for claims that the context lacks or does not know, and for what we
    ourselves would refuse to read.
    """
    allowed = context.required | context.optional
    if context.required - claims.keys() or not (context.open or claims.keys() <= allowed):
        raise ValueError(f"not the claims of a {context.name}")
    body = json.dumps(claims, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        _object(body.encode(), context, context.max_claims)
    except NotJson as fault:
        raise ValueError(f"not readable as a {context.name}: {fault.code}") from None
    head, middle = _head(context, signer), encoded(body.encode())
    return f"{head}.{middle}.{_signature(head, middle, signer)}"


def sign_detached(context: Context, claims: bytes, signer: Signer) -> str:
    """A signature over claims that travel beside it (RFC 7515, appendix F).

    With their bytes, in base64url, between its two full stops it is a token like any other.
    The bytes are signed as they are: that they are claims of that context is for the caller.
    """
    head = _head(context, signer)
    return f"{head}..{_signature(head, encoded(claims), signer)}"


@lru_cache(maxsize=64)
def _head(context: Context, signer: Signer) -> str:
    header: dict[str, object] = {"alg": ALGORITHM, "typ": context.types[0]}
    if context.key_in_header:
        header["jwk"] = signer.bare_jwk()
    else:
        header["kid"] = signer.kid
    return encoded(json.dumps(header, separators=(",", ":")).encode())


def _signature(head: str, middle: str, signer: Signer) -> str:
    signed: bytes = ECKey(signer.private, ALGORITHM).sign(f"{head}.{middle}".encode("ascii"))
    return encoded(signed)


def publish(keys: Iterable[Mapping[str, object]]) -> dict[str, list[dict[str, object]]]:
    """A key set for others to read. Raises `KeyRefused` when a key in it is not a public one."""
    published: list[dict[str, object]] = []
    for jwk in keys:
        register_key(jwk, issuer="", taken=[str(each["kid"]) for each in published])
        published.append(dict(jwk))
    return {"keys": published}


def _parts(token: object, context: Context) -> _Parts:
    """The token taken apart; so far only its form is good."""
    if not isinstance(token, str) or len(token) > context.max_token:
        raise InvalidToken(TokenFault.SHAPE)
    if not _SHAPE.fullmatch(token):
        raise InvalidToken(TokenFault.SHAPE)
    signing_input, _, last = token.rpartition(".")
    first, _, middle = signing_input.partition(".")
    try:
        head, body, signature = decoded(first), decoded(middle), decoded(last)
    except ValueError:
        raise InvalidToken(TokenFault.SHAPE) from None
    try:
        header = _object(head, context, context.max_header)
    except NotJson:
        raise InvalidToken(TokenFault.HEADER) from None
    try:
        claims = _object(body, context, context.max_claims)
    except NotJson:
        raise InvalidToken(TokenFault.CLAIMS) from None
    algorithm = _algorithm(header, context)
    return _Parts(header, algorithm, claims, signing_input.encode("ascii"), signature)


def _object(raw: bytes, context: Context, max_bytes: int) -> dict[str, object]:
    value = read_json(
        raw, max_bytes=max_bytes, max_depth=context.max_depth, max_members=_MAX_MEMBERS
    )
    if not isinstance(value, dict):
        raise NotJson(JsonFault.MALFORMED)
    return value


def _algorithm(header: Mapping[str, object], context: Context) -> str:
    """What the header names, if it names nothing else that the context forbids."""
    allowed = _HEADER_WITH_KEY if context.key_in_header else _HEADER
    if header.keys() - allowed:
        raise InvalidToken(TokenFault.HEADER_MEMBER)
    if header.get("typ") not in context.types:
        raise InvalidToken(TokenFault.TYPE)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in context.algorithms:
        raise InvalidToken(TokenFault.ALGORITHM)
    return algorithm


def _verified(
    parts: _Parts, context: Context, key: RegisteredKey | None, audience: str | None, at: datetime
) -> VerifiedClaims:
    usable = key is not None and key.algorithm == parts.algorithm
    # The same work for a key that we do not know: nobody may measure who is registered.
    signed = _holds(parts, key if key and usable else _NOBODY)
    if key is None:
        raise InvalidToken(TokenFault.UNKNOWN_KEY)
    if not usable:
        raise InvalidToken(TokenFault.ALGORITHM)
    if not signed:
        raise InvalidToken(TokenFault.SIGNATURE)
    if not key.in_force(at):
        raise InvalidToken(TokenFault.KEY_NOT_IN_FORCE)
    fault = fault_in(context, parts.claims, audience, at.timestamp())
    if fault:
        raise InvalidToken(fault)
    return VerifiedClaims(_SEAL, known_claims(context, parts.claims), key)


def _holds(parts: _Parts, key: RegisteredKey) -> bool:
    try:
        return _VERIFIER.verify(parts.signing_input, parts.signature, key)
    except Exception:  # noqa: BLE001 (whatever a library throws, the signature does not hold)
        return False


_SEAL: Final = object()
_VERIFIER: Final[Verifier] = PythonJose()
# The generator of the curve: a key whose private half everybody knows, and that nobody has
# registered. Whatever it verifies is refused all the same.
_NOBODY: Final = register_key(
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
        "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
        "kid": "nobody",
    },
    issuer="",
)
