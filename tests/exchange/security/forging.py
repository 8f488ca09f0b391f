"""Tokens as an attacker writes them: by hand, with any header, any claims and any signature."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from exchange.security.jose_profile import KeyLookup
from exchange.security.registered_keys import RegisteredKey, register_key

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
NOW = int(NOON.timestamp())
ISSUER = "https://overdracht.example"
APPLICATION = "app:vdab-gent-1"
KID = "key-1"
HEADER = {"alg": "ES256", "typ": "JWT", "kid": KID}
CLAIMS = {
    "iss": APPLICATION,
    "sub": APPLICATION,
    "aud": ISSUER,
    "iat": NOW,
    "exp": NOW + 60,
    "jti": "assertion-1",
}
ALL = frozenset({"ES256", "EdDSA", "PS256", "RS256"})

Sign: TypeAlias = Callable[[bytes], bytes]
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
EDWARDS_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_KEY = rsa.generate_private_key(65_537, 2_048)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def signed(message: bytes, key: PrivateKey, alg: str = "ES256") -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
        return key.sign(message, pss if alg == "PS256" else padding.PKCS1v15(), SHA256())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def signing(key: PrivateKey, alg: str = "ES256") -> Sign:
    return lambda message: signed(message, key, alg)


def hmac_with(secret: bytes) -> Sign:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


def part(value: Mapping[str, object] | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return b64(raw)


def token(
    header: Mapping[str, object] | bytes,
    claims: Mapping[str, object] | bytes,
    sign: Sign | None = None,
) -> str:
    sign = sign or signing(CURVE_KEY)
    signing_input = f"{part(header)}.{part(claims)}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def assertion(header: Mapping[str, object] | None = None, **claims: object) -> str:
    """A good client assertion, but for what is said to be different."""
    return token(HEADER | dict(header or {}), CLAIMS | claims)


def without(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}


def jwk(key: PrivateKey = CURVE_KEY, **more: object) -> dict[str, Any]:
    """The public JWK, as others write it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes_raw()
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), "kid": KID} | more
    if isinstance(key, rsa.RSAPrivateKey):
        whole = key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(whole.n), "e": number(whole.e), "kid": KID} | more
    point = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    x, y = b64(point.x.to_bytes(size)), b64(point.y.to_bytes(size))
    names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp256k1": "secp256k1"}
    return {"kty": "EC", "crv": names[key.curve.name], "x": x, "y": y, "kid": KID} | more


def registered(
    key: PrivateKey = CURVE_KEY, issuer: str = APPLICATION, **more: Any
) -> RegisteredKey:
    return register_key(jwk(key, **more), issuer=issuer, algorithms=ALL)


def only(*keys: RegisteredKey) -> KeyLookup:
    """A look-up that knows these keys."""
    known = {(key.issuer, key.kid): key for key in keys}
    return lambda issuer, kid: known.get((issuer, kid))
