"""What is sealed beside a leaf: keys, commitments, ciphertexts.

The leaf holds a salted commitment to each part. Whoever has the key can open the part and
check it; when the key is destroyed, neither ciphertext nor commitment tells anything.
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NOBODY = bytes(16)
"""The key id of what is about nobody, and is sealed under the log's own key."""

_PART = b"overdracht-audit-part-v1\x00"
_KEY = b"overdracht-audit-key-v1\x00"
_FINGERPRINT = b"overdracht-audit-kf-v1\x00"
_NONCE = bytes(12)
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_WRAP_VERSION = b"\x01"
_WRAPPED_BYTES = 65
BLIND_BYTES = 16


class PartChanged(Exception):
    """A part is not the one its leaf commits to, or the key is not the one it was sealed with."""


class KeyChanged(Exception):
    """A wrapped key does not open: it was altered, or belongs to another person or epoch."""


class Mac:
    """HMAC-SHA256 (RFC 2104) under one key of at most 64 bytes, quick for many short messages.

    The state after the key is kept and copied; a fresh HMAC costs four times as much.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(_BLOCK, b"\x00")
        self._inner = sha256(padded.translate(_INNER))
        self._outer = sha256(padded.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """The 32 bytes for a message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def salt_of(mac: Mac, label: bytes, event_id: bytes) -> bytes:
    """The secret salt of one part. Given away, it discloses that part and no other."""
    return mac.digest(b"salt\x00" + label + b"\x00" + event_id)


def commitment_of(label: bytes, event_id: bytes, salt: bytes, plaintext: bytes) -> bytes:
    """What the leaf says of a part: 32 bytes that bind its text, its label and its event."""
    return sha256(_PART + label + b"\x00" + event_id + salt + plaintext).digest()


def seal(mac: Mac, label: bytes, event_id: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """Commitment and ciphertext of a part, sealed under the person's key.

    `label` is one byte (a, s or y), `event_id` the 16 bytes of the event's UUID.
    """
    place = label + b"\x00" + event_id
    salt = mac.digest(b"salt\x00" + place)
    commitment = sha256(_PART + place + salt + plaintext).digest()
    # The nonce never changes: safe only while no event id is ever sealed twice under one key.
    return commitment, AESGCM(mac.digest(b"enc\x00" + place)).encrypt(_NONCE, plaintext, commitment)


def unseal(mac: Mac, label: bytes, event_id: bytes, commitment: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of a part; raises `PartChanged` unless the commitment holds."""
    cipher = AESGCM(mac.digest(b"enc\x00" + label + b"\x00" + event_id))
    try:
        plaintext = cipher.decrypt(_NONCE, ciphertext, commitment)
    except (InvalidTag, ValueError) as error:
        raise PartChanged from error
    # GCM does not bind its key: another key could open the same bytes to another text.
    salt = salt_of(mac, label, event_id)
    if not hmac.compare_digest(commitment_of(label, event_id, salt, plaintext), commitment):
        raise PartChanged
    return plaintext


def wrap_key(kek: bytes, *, epoch: int, key_id: bytes, key: bytes, nonce: bytes) -> bytes:
    """A person's key, sealed under the key-encryption key of an epoch: 65 bytes.

    `nonce` is 12 fresh random bytes; `epoch` fits 32 bits, `key_id` has 16 bytes.
    """
    counted = epoch.to_bytes(4, "big")
    return (
        _WRAP_VERSION + counted + nonce + AESGCM(kek).encrypt(nonce, key, _KEY + key_id + counted)
    )


def wrapped_under(wrapped: bytes) -> int:
    """The epoch whose key-encryption key opens these bytes; raises `KeyChanged` on any others."""
    if len(wrapped) != _WRAPPED_BYTES or wrapped[:1] != _WRAP_VERSION:
        raise KeyChanged
    return int.from_bytes(wrapped[1:5], "big")


def unwrap_key(kek: bytes, *, key_id: bytes, wrapped: bytes) -> bytes:
    """The 32 bytes of a person's key; raises `KeyChanged` if it is not that person's."""
    wrapped_under(wrapped)
    try:
        return AESGCM(kek).decrypt(wrapped[5:17], wrapped[17:], _KEY + key_id + wrapped[1:5])
    except InvalidTag as error:
        raise KeyChanged from error


def fingerprint(key: bytes) -> str:
    """What may be said of a destroyed key: 43 characters of base64url.

    One in 32 would begin with a sign, which no code in a leaf does: that one in hexadecimal.
    """
    digest = sha256(_FINGERPRINT + key).digest()
    text = urlsafe_b64encode(digest).decode().rstrip("=")
    return text if text[0].isalnum() else digest.hex()


def blind(mac: Mac, use: str, identifier: str) -> bytes:
    """An identifier as the search index holds it: 16 bytes, alike only within one `use`.

    `mac` is that of the index key, `use` one of sub, act, con.
    """
    return mac.digest(use.encode() + b"\x00" + identifier.encode())[:BLIND_BYTES]
