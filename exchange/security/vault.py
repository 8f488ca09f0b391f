"""Seals what is personal under the client's own key, for one place and no other."""

import os
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.parts import Mac
from consent.codes import Codes
from exchange.security.keys import KeyDestroyed

NONCE = 12


class Vault:
    """Opens and seals for a client; `key_of` gives the client's 32 bytes or `KeyDestroyed`.

    The audit log seals its parts with keys derived from the same 32 bytes for other uses, so
    destroying them erases summary, consent and history at once.
    """

    def __init__(self, key_of: Callable[[bytes], bytes], *, shard: int) -> None:
        self._key_of, self._shard = key_of, shard
        self._decoy = os.urandom(32)
        self._decoys: dict[bytes, bytes] = {}
        self._last: tuple[str, AESGCM] = ("", AESGCM(bytes(32)))

    def seal(self, client: str, plain: bytes, context: str) -> bytes:
        """Nonce and box. `context` says for which place: section and version, or table."""
        return self.seal_all(client, {context: plain})[context]

    def seal_all(self, client: str, plain: Mapping[str, bytes]) -> dict[str, bytes]:
        """As `seal`, for several places of one client, each by its context."""
        cipher, chance = self._cipher(client), os.urandom(NONCE * len(plain))
        nonces = (chance[at : at + NONCE] for at in range(0, len(chance), NONCE))
        return {
            context: nonce + cipher.encrypt(nonce, text, self._bound(client, context))
            for nonce, (context, text) in zip(nonces, plain.items(), strict=True)
        }

    def open(self, client: str, sealed: bytes, context: str) -> bytes:
        """What was sealed for this client and context; anything else is `KeyDestroyed`."""
        try:
            return self._cipher(client).decrypt(
                sealed[:NONCE], sealed[NONCE:], self._bound(client, context)
            )
        except (InvalidTag, ValueError):
            raise KeyDestroyed from None

    def codes(self, client: str) -> Codes:
        """The keyed hashes of the codes with which a client confirms: erased with the client."""
        key = self._key_of(bytes.fromhex(client.replace("-", "")))
        return Codes(Mac(key).digest(b"codes"), "confirmation")

    def open_decoy(self, plain: bytes) -> bytes:
        """`plain`, at the cost of opening it for somebody: what takes no time tells who is none.

        It is sealed once, under a key of this process alone. `plain` is one of few constants.
        """
        cipher = AESGCM(Mac(self._decoy).digest(b"vault"))
        nonce, context = self._decoy[:NONCE], self._bound("0" * 32, "decoy")
        sealed = self._decoys.get(plain)
        if sealed is None:
            sealed = self._decoys[plain] = cipher.encrypt(nonce, plain, context)
        return cipher.decrypt(nonce, sealed, context)

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
            cipher = AESGCM(Mac(key).digest(b"vault"))
            self._last = (client, cipher)
        return cipher

    def _bound(self, client: str, context: str) -> bytes:
        return f"{self._shard}|{client}|{context}".encode()
