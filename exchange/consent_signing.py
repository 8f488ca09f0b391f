"""The signatures under what is kept of a consent, and the keys with which others check them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange.flows.give_consent import Receipts
from exchange.security.contexts import RECEIPT, RECORD
from exchange.security.jose_profile import publish, sign
from exchange.security.signing_keys import signer_from_jwk


@dataclass(frozen=True, slots=True)
class ConsentSigning(Receipts):
    """As `Receipts`; signs records too. `keys` are the public keys of both, as a JWK set."""

    sign_record: Callable[[Mapping[str, Any]], str]
    keys: Mapping[str, object]


def consent_signing(issuer: str, jwk: Mapping[str, Any]) -> ConsentSigning:
    """Signing in the name of `issuer` with this private key. Raises only `KeyRefused`."""
    signer = signer_from_jwk(jwk)
    return ConsentSigning(
        issuer,
        lambda claims: sign(RECEIPT, claims, signer),
        lambda claims: sign(RECORD, claims, signer),
        publish([signer.public_jwk()]),
    )
