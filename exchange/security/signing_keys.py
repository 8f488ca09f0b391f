"""Our own signing keys: made, read back, and shown without what is secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from exchange.security.base64url import decoded, encoded
from exchange.security.public_keys import KeyFault, KeyRefused, key_material
from exchange.security.registered_keys import is_key_id

ALGORITHM: Final = "ES256"
_SCALAR = 32
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many points P-256 has (SEC 2, section 2.4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key on P-256 with its name. Never shows the key."""

    kid: str
    x: str
    y: str
    private: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    def public_jwk(self) -> dict[str, str]:
        """What others need to verify, and nothing that would let them sign."""
        return self.bare_jwk() | {"kid": self.kid, "alg": ALGORITHM, "use": "sig"}

    def bare_jwk(self) -> dict[str, str]:
        """The public key alone, as its thumbprint covers it."""
        return {"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y}


def new_signing_key() -> dict[str, str]:
    """A fresh private JWK for ES256, named by its thumbprint. To be kept secret by the caller."""
    return _private_jwk(ec.generate_private_key(ec.SECP256R1()))


def signer_of(secret: bytes) -> Signer:
    """The signer that 32 secret bytes make: for ever the same, and named by its thumbprint."""
    scalar = int.from_bytes(secret) % (_ORDER - 1) + 1
    return signer_from_jwk(_private_jwk(ec.derive_private_key(scalar, ec.SECP256R1())))


def _private_jwk(private: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private.private_numbers()
    point = numbers.public_numbers
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": encoded(point.x.to_bytes(_SCALAR)),
        "y": encoded(point.y.to_bytes(_SCALAR)),
    }
    kid = key_material(jwk)[2]
    secret = encoded(numbers.private_value.to_bytes(_SCALAR))
    return {**jwk, "kid": kid, "alg": ALGORITHM, "use": "sig", "d": secret}


def signer_from_jwk(jwk: Mapping[str, object]) -> Signer:
    """The signer in a private JWK as `new_signing_key` makes it. Raises only `KeyRefused`."""
    public = {name: value for name, value in jwk.items() if name != "d"}
    kid, secret = jwk.get("kid"), jwk.get("d")
    if not isinstance(kid, str) or not is_key_id(kid):
        raise KeyRefused(KeyFault.KEY_ID)
    key = key_material(public)[1]
    try:
        scalar = decoded(str(secret))
        private = ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())
    except ValueError:
        raise KeyRefused(KeyFault.MALFORMED_MEMBER) from None
    if len(scalar) != _SCALAR or private.public_key() != key:
        raise KeyRefused(KeyFault.MALFORMED_MEMBER)
    return Signer(kid=kid, x=str(jwk["x"]), y=str(jwk["y"]), private=private)
