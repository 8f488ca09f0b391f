"""What a public JWK must be before we build a key from it (RFC 7517, RFC 7518, RFC 8037)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from exchange.security.base64url import decoded, encoded

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

ES256_ONLY: Final = frozenset({"ES256"})
"""What keys may be for, unless a setting allows `EdDSA`, `PS256` or (providers only) `RS256`."""

_COORDINATE = 32
_RSA_BITS = range(2_048, 8_193)
_RSA_EXPONENT = 65_537
_MATERIAL: Mapping[str, frozenset[str]] = {
    "EC": frozenset({"crv", "kty", "x", "y"}),
    "OKP": frozenset({"crv", "kty", "x"}),
    "RSA": frozenset({"e", "kty", "n"}),
}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_DESCRIPTION = frozenset({"alg", "key_ops", "kid", "use"})


class KeyFault(StrEnum):
    """Why a key was refused; fit for the operator of the application that owns it."""

    NOT_A_KEY = "not-a-key"
    KEY_TYPE = "key-type"
    PRIVATE_MEMBER = "private-member"
    UNKNOWN_MEMBER = "unknown-member"
    MISSING_MEMBER = "missing-member"
    MALFORMED_MEMBER = "malformed-member"
    CURVE = "curve"
    NOT_ON_CURVE = "not-on-curve"
    WEAK_RSA = "weak-rsa"
    ALGORITHM = "algorithm"
    NOT_FOR_SIGNATURES = "not-for-signatures"
    KEY_ID = "key-id"
    DUPLICATE_KEY_ID = "duplicate-key-id"
    TOO_MANY_KEYS = "too-many-keys"
    NOT_PROVEN = "not-proven"


class KeyRefused(Exception):
    """The key was not registered. Carries a code, and nothing of the key."""

    def __init__(self, code: KeyFault) -> None:
        super().__init__(code.value)
        self.code = code


def key_material(
    jwk: object, algorithms: frozenset[str] = ES256_ONLY
) -> tuple[str, PublicKey, str]:
    """Algorithm, key and thumbprint of a public JWK. Raises nothing but `KeyRefused`."""
    members = jwk_members(jwk)
    material = _material(members)
    _check_purpose(members)
    algorithm = _algorithm(members)
    if algorithm not in algorithms:
        raise KeyRefused(KeyFault.ALGORITHM)
    return algorithm, *_built(tuple(sorted(material.items())))


def jwk_members(jwk: object) -> Mapping[str, object]:
    """The members of a JSON object; anything else raises `KeyRefused`."""
    if not isinstance(jwk, Mapping) or not all(isinstance(name, str) for name in jwk):
        raise KeyRefused(KeyFault.NOT_A_KEY)
    return jwk


def _material(members: Mapping[str, object]) -> dict[str, str]:
    kind = members.get("kty")
    needed = _MATERIAL.get(kind) if isinstance(kind, str) else None
    if needed is None:
        raise KeyRefused(KeyFault.KEY_TYPE)
    if _PRIVATE & members.keys():
        raise KeyRefused(KeyFault.PRIVATE_MEMBER)
    if members.keys() - needed - _DESCRIPTION:
        raise KeyRefused(KeyFault.UNKNOWN_MEMBER)
    if needed - members.keys():
        raise KeyRefused(KeyFault.MISSING_MEMBER)
    material = {name: members[name] for name in needed}
    texts = {name: value for name, value in material.items() if isinstance(value, str)}
    if len(texts) != len(material):
        raise KeyRefused(KeyFault.MALFORMED_MEMBER)
    return texts


def _check_purpose(members: Mapping[str, object]) -> None:
    if members.get("use", "sig") != "sig" or members.get("key_ops", ["verify"]) != ["verify"]:
        raise KeyRefused(KeyFault.NOT_FOR_SIGNATURES)


def _algorithm(members: Mapping[str, object]) -> str:
    """The one algorithm that a key serves; what its `alg` says must agree."""
    kind, stated = members["kty"], members.get("alg")
    serves = {"EC": ("ES256",), "OKP": ("EdDSA",), "RSA": ("PS256", "RS256")}[str(kind)]
    if "alg" not in members:
        return serves[0]
    if not isinstance(stated, str) or stated not in serves:
        raise KeyRefused(KeyFault.ALGORITHM)
    return stated


# A proof brings its key along in every request: this spares the building of a known one.
@lru_cache(maxsize=4_096)
def _built(material: Sequence[tuple[str, str]]) -> tuple[PublicKey, str]:
    members = dict(material)
    try:
        public = _BUILDERS[members["kty"]](members)
    except ValueError:
        raise KeyRefused(KeyFault.NOT_ON_CURVE) from None
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return public, encoded(hashlib.sha256(canonical.encode()).digest())


def _curve_key(members: Mapping[str, str]) -> PublicKey:
    if members["crv"] != "P-256":
        raise KeyRefused(KeyFault.CURVE)
    x, y = (int.from_bytes(_bytes(members[name], _COORDINATE)) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def _edwards_key(members: Mapping[str, str]) -> PublicKey:
    if members["crv"] != "Ed25519":
        raise KeyRefused(KeyFault.CURVE)
    return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(members["x"], _COORDINATE))


def _rsa_key(members: Mapping[str, str]) -> PublicKey:
    modulus, exponent = _bytes(members["n"]), _bytes(members["e"])
    # A leading zero would give one key two thumbprints.
    if not modulus or not exponent or not modulus[0] or not exponent[0]:
        raise KeyRefused(KeyFault.MALFORMED_MEMBER)
    n, e = int.from_bytes(modulus), int.from_bytes(exponent)
    if n.bit_length() not in _RSA_BITS or e != _RSA_EXPONENT:
        raise KeyRefused(KeyFault.WEAK_RSA)
    return rsa.RSAPublicNumbers(e, n).public_key()


def _bytes(text: str, length: int | None = None) -> bytes:
    try:
        data = decoded(text)
    except ValueError:
        raise KeyRefused(KeyFault.MALFORMED_MEMBER) from None
    if length is not None and len(data) != length:
        raise KeyRefused(KeyFault.MALFORMED_MEMBER)
    return data


_BUILDERS = {"EC": _curve_key, "OKP": _edwards_key, "RSA": _rsa_key}
