"""Take up the key that signs access tokens when another process has changed it."""

import threading
import time
from math import inf

from consent.belgian_time import instant
from exchange.key_rings import key_provider
from exchange.observability import log
from exchange.security.keys import KeysRefused
from exchange.security.tokens import signer_from_jwk
from exchange.services import Services

SECONDS = 1.0
"""How long nobody is asked again what the key is, however many unknown ones are shown."""


def follow(services: Services) -> bool:
    """Take up the key in `keys.json`, when another process has retired the one used here.

    Raises `KeysRefused` where the ring can not be read, or what the database raises.
    """
    now = instant(services.clock())
    ends = {jwk["kid"]: until for jwk, until in services.directory().token_keys}
    mine = services.tokens.kid
    if mine not in ends:
        return False
    ring = key_provider(services.settings).read()
    if ring.token_signing["kid"] == mine:
        return False  # its end stands, the next key not yet
    services.tokens.rotate(signer_from_jwk(ring.token_signing), compromised=ends[mine] <= now)
    return True


class Following:
    """Follows at once when a token shows a key that is not known here. Asked from many threads."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn, self._last = threading.Lock(), -inf

    @property
    def due(self) -> bool:
        """Whether it is worth asking: the last time is some while ago, or goes on still."""
        return time.monotonic() - self._last >= SECONDS

    def at_once(self) -> None:
        """As `follow`, at most once a second; who comes while it is done waits for it.

        A ring that can not be read is told: then all stays as it is.
        """
        with self._turn:
            if self.due:
                try:
                    follow(self._services)
                except KeysRefused as refused:
                    log.warning("key.not_followed", failure=type(refused).__name__)
                finally:
                    self._last = time.monotonic()
