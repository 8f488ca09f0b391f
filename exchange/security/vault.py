"""Seals what is personal under the client's own key, for one place and no other."""

import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from exchange.security.keys import KeyDestroyed

NONCE = 12
DECOY = 1200
"""About the bytes of a consent; of those for whom there is none, as many are worked on."""


class Vault:
    """Opens and seals for a client; `key_of` gives the client's 32 bytes or `KeyDestroyed`.

    The audit log seals its parts with keys derived from the same 32 bytes for other uses, so
    destroying them erases summary, consent and history at once.
    """

    def __init__(self, key_of: Callable[[bytes], bytes], *, shard: int) -> None:
        self._key_of, self._shard = key_of, shard
        self._decoy = os.urandom(DECOY)
        self._last: tuple[str, AESGCM] = ("", AESGCM(bytes(32)))

    def seal(self, client: str, plain: bytes, context: str) -> bytes:
        """Nonce and box. `context` says for which place: section and version, or table."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher(client).encrypt(nonce, plain, self._bound(client, context))

    def open(self, client: str, sealed: bytes, context: str) -> bytes:
        """What was sealed for this client and context; anything else is `KeyDestroyed`."""
        try:
            return self._cipher(client).decrypt(
                sealed[:NONCE], sealed[NONCE:], self._bound(client, context)
            )
        except (InvalidTag, ValueError):
            raise KeyDestroyed from None

    def open_decoy(self, times: int) -> None:
        """The work of opening as much for somebody: what takes no time tells who is no client."""
        for _ in range(times):
            nonce, box = self._decoy[:NONCE], self._decoy[NONCE:]
            cipher = AESGCM(hmac.digest(self._decoy[:32], b"vault", "sha256"))
            cipher.encrypt(nonce, box, b"decoy")

    def forget(self, key_id: bytes) -> None:
        """Let go of what was made from a key that is no more."""
        client, _ = self._last
        if client and bytes.fromhex(client.replace("-", "")) == key_id:
            self._last = ("", AESGCM(bytes(32)))

    def _cipher(self, client: str) -> AESGCM:
        # What is opened for one client comes in a row; one pair is replaced in one step.
        last, cipher = self._last
        if last != client:
            key = self._key_of(bytes.fromhex(client.replace("-", "")))
            cipher = AESGCM(hmac.digest(key, b"vault", "sha256"))
            self._last = (client, cipher)
        return cipher

    def _bound(self, client: str, context: str) -> bytes:
        return f"{self._shard}|{client}|{context}".encode()
