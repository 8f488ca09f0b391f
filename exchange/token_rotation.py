"""Change the key that signs access tokens: the old one's tokens run out, or end at once."""

from dataclasses import replace

from consent.belgian_time import instant
from exchange.flows.rotate_keys import retire_token_key
from exchange.operations import Line
from exchange.security.claims import CLOCK_AHEAD
from exchange.security.keys import read_key_ring, replace_key_ring
from exchange.security.tokens import LIFETIME, new_signing_key, signer_from_jwk
from exchange.services import Services

OVERLAP = (LIFETIME + 2 * CLOCK_AHEAD) * 1_000_000
"""How long (µs) tokens of the old key can be valid, by any clock of ours."""


def rotate(services: Services, *, compromised: bool) -> Line:
    """Sign with a fresh key from now on. Tokens of a compromised one are refused at once."""
    path = services.settings.data_dir / "keys.json"
    ring = read_key_ring(path)
    old, new = signer_from_jwk(ring.token_signing), new_signing_key()
    # The file first: a crash after it refuses tokens, one before it would sign on with the old.
    replace_key_ring(replace(ring, token_signing=new), path)
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
    ring = read_key_ring(services.settings.data_dir / "keys.json")
    services.tokens.rotate(signer_from_jwk(ring.token_signing), compromised=ends[mine] <= now)
    return services.tokens.kid != mine
