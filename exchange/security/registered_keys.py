"""Keys that belong to somebody, checked once when they come in; nothing is left to check later."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from exchange.security.public_keys import (
    ES256_ONLY,
    KeyFault,
    KeyRefused,
    PublicKey,
    jwk_members,
    key_material,
)

_MAX_SET = 32
# No slash: nothing may mistake the name of a key for a path.
_KEY_ID = re.compile(r"[A-Za-z0-9._:~=+@-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredKey:
    """A public key that belongs to one issuer and serves one algorithm.

    `thumbprint` is that of RFC 7638. In force while `valid_from <= at < revoked_at`.
    """

    issuer: str
    kid: str
    algorithm: str
    public: PublicKey
    thumbprint: str
    valid_from: datetime | None = None
    revoked_at: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        begun = self.valid_from is None or self.valid_from <= at
        return begun and (self.revoked_at is None or at < self.revoked_at)


@dataclass(frozen=True, slots=True)
class RegisteredSet:
    """What became of a key set: the good keys, and for each refused one its place and why."""

    keys: tuple[RegisteredKey, ...]
    refused: tuple[tuple[int, KeyFault], ...]


def register_key(
    jwk: object,
    *,
    issuer: str,
    algorithms: frozenset[str] = ES256_ONLY,
    taken: Collection[str] = (),
    valid_from: datetime | None = None,
    revoked_at: datetime | None = None,
) -> RegisteredKey:
    """The key in a public JWK, given as parsed JSON. Raises nothing but `KeyRefused`.

    `taken` holds the `kid`s that the issuer has already. EC keys on P-256 serve ES256, Ed25519
    keys EdDSA, RSA keys of 2048 bits and more PS256 unless their `alg` says RS256. Private
    and unknown members are refused (RFC 7517, RFC 8725 section 3).
    """
    members = jwk_members(jwk)
    kid = members.get("kid")
    if not is_key_id(kid):
        raise KeyRefused(KeyFault.KEY_ID)
    if kid in taken:
        raise KeyRefused(KeyFault.DUPLICATE_KEY_ID)
    algorithm, public, thumbprint = key_material(members, algorithms)
    return RegisteredKey(
        issuer=issuer,
        kid=str(kid),
        algorithm=algorithm,
        public=public,
        thumbprint=thumbprint,
        valid_from=valid_from,
        revoked_at=revoked_at,
    )


def register_keys(
    jwks: object, *, issuer: str, algorithms: frozenset[str] = ES256_ONLY
) -> RegisteredSet:
    """The good keys of a key set; a bad one never spoils the others.

    Of two keys with one `kid` neither is taken: which was meant, nobody can tell. Raises
    `KeyRefused` only when it is no key set at all, or one of more than 32 keys.
    """
    found = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(found, list):
        raise KeyRefused(KeyFault.NOT_A_KEY)
    if len(found) > _MAX_SET:
        raise KeyRefused(KeyFault.TOO_MANY_KEYS)
    kids = [each.get("kid") if isinstance(each, dict) else None for each in found]
    keys, refused = [], []
    for place, each in enumerate(found):
        others = [kid for kid in kids[:place] + kids[place + 1 :] if isinstance(kid, str)]
        try:
            keys.append(register_key(each, issuer=issuer, algorithms=algorithms, taken=others))
        except KeyRefused as fault:
            refused.append((place, fault.code))
    return RegisteredSet(tuple(keys), tuple(refused))


def is_key_id(kid: object) -> bool:
    """Whether a text can be the name of a key at all."""
    return isinstance(kid, str) and _KEY_ID.fullmatch(kid) is not None
