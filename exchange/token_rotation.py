"""Change the key that signs access tokens: the old one's tokens run out, or end at once."""

from dataclasses import replace

from consent.belgian_time import instant
from exchange.flows.rotate_keys import retire_token_key
from exchange.key_rings import key_provider
from exchange.operations import Line, OperationRefused
from exchange.security.claims import CLOCK_AHEAD
from exchange.security.keys import KeysRefused
from exchange.security.tokens import LIFETIME, new_signing_key, signer_from_jwk
from exchange.services import Services

OVERLAP = (LIFETIME + 2 * CLOCK_AHEAD) * 1_000_000
"""How long (µs) tokens of the old key can be valid, by any clock of ours."""


def rotate(services: Services, *, compromised: bool) -> Line:
    """Sign with a fresh key from now on. Tokens of a compromised one are refused at once.

    Raises `OperationRefused` where the ring can not be read or kept.
    """
    provider = key_provider(services.settings)
    new = new_signing_key()
    try:
        ring = provider.read()
        old = signer_from_jwk(ring.token_signing)
        # The ring first: a crash after it refuses tokens, one before it would sign on with the old.
        provider.keep(replace(ring, token_signing=new))
    except KeysRefused as refused:
        raise OperationRefused(str(refused)) from None
    services.tokens.rotate(signer_from_jwk(new), compromised=compromised)
    overlap = 0 if compromised else OVERLAP
    services.writer.submit(retire_token_key, old.public_jwk(), overlap).result()
    return {"use": "tokens", "key": new["kid"], "before": old.kid, "compromised": compromised}


def follow(services: Services) -> bool:
    """Take up the key in `keys.json`, when another process has retired the one used here."""
    now = instant(services.clock())
    ends = {jwk["kid"]: until for jwk, until in services.directory().token_keys}
    mine = services.tokens.kid
    if mine not in ends:
        return False
    ring = key_provider(services.settings).read()
    services.tokens.rotate(signer_from_jwk(ring.token_signing), compromised=ends[mine] <= now)
    return services.tokens.kid != mine
