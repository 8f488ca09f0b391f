"""Change the key that signs access tokens: the old one's tokens run out, or end at once."""

from dataclasses import replace

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

    Where it fails, it is finished by asking again. Raises `OperationRefused` where the ring can
    not be read or kept, or what the writer raises.
    """
    provider = key_provider(services.settings)
    new = new_signing_key()
    try:
        ring = provider.read()
        old = signer_from_jwk(ring.token_signing)
        # First the end of the old one: a stop after it refuses tokens. Were the ring kept first,
        # a stop would leave the old key good, and the next try would end the new one.
        overlap = 0 if compromised else OVERLAP
        done = services.writer.submit(retire_token_key, old.public_jwk(), overlap).result()
        provider.keep(replace(ring, token_signing=new))
    except KeysRefused as refused:
        raise OperationRefused(str(refused)) from None
    services.tokens.rotate(signer_from_jwk(new), compromised=bool(done.value))
    return {"use": "tokens", "key": new["kid"], "before": old.kid, "compromised": compromised}
