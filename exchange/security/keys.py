"""The key ring: the secrets of one installation, in one file that only its owner may read.

It wraps the key of every client and actor (the key-encrypting keys, by epoch), and derives
one key a purpose from a master of its own, so that no key ever serves two uses.
"""

import base64
import hmac
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from itertools import pairwise
from pathlib import Path
from typing import Any

from audit.parts import KeyChanged, fingerprint, unwrap_key, wrap_key, wrapped_under
from exchange.security.base64url import decoded
from exchange.security.tokens import new_signing_key

FORMAT = 1
KEY_BYTES = 32
DIFFERENT = 12


class KeysRefused(Exception):
    """The key file is missing, readable by others or not ours. Names the mend, never a key."""


class KeysBehind(KeysRefused):
    """Another host has changed the key that wraps all others, and this one does not have it."""


class KeyDestroyed(Exception):
    """No key opens this any more: it was erased, or wrapped under a key that is gone."""


@unique
class Use(StrEnum):
    """Every use for which a key is derived from the master: one key each, and no other list."""

    COMMITMENTS = "commitments"
    """Finds a person again by name or number, without either being stored."""
    CURSORS = "cursors"
    """Signs the place in a list that a caller is given to go on from."""
    DPOP_NONCES = "dpop-nonces"
    """Makes the nonces that a proof must bear."""
    AUDIT_RECEIPT = "audit-receipt"
    """Makes the key of each log that signs what it promises to hold."""
    AUDIT_NOBODY = "audit-nobody"
    """Seals parts of the log that are about no person: its K_0."""
    AUDIT_INDEX = "audit-index"
    """Blinds the persons in the search index."""
    WITHDRAWAL_CODES = "withdrawal-codes"
    """Finds a consent again by the code on its letter, without that being stored."""
    ACTOR_ID = "actor-id"
    """Names the key of a person who acts."""
    SUMMARIES = "summaries"
    """Makes the key that signs released summaries."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`kek` by epoch; `epoch` is the one that wraps what is new; `master` is never used itself."""

    epoch: int
    kek: dict[int, bytes]
    master: bytes
    token_signing: dict[str, Any]
    receipt_signing: dict[str, Any]

    def derived(self, use: Use) -> bytes:
        """32 bytes for one use, for ever the same, telling nothing of those of other uses."""
        return hmac.digest(self.master, b"overdracht-use\0" + use.encode(), "sha256")

    @property
    def wrapping(self) -> tuple[int, str]:
        """Epoch and fingerprint of the key that wraps what is new."""
        return self.epoch, fingerprint(self.kek[self.epoch])

    def wrap(self, key_id: bytes, key: bytes) -> bytes:
        """The key under the newest key-encrypting key, in 65 bytes."""
        kek, nonce = self.kek[self.epoch], os.urandom(12)
        return wrap_key(kek, epoch=self.epoch, key_id=key_id, key=key, nonce=nonce)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        """The key again. Raises `KeyDestroyed` when its epoch is gone or it is not this one's."""
        try:
            kek = self.kek[wrapped_under(wrapped)]
            return unwrap_key(kek, key_id=key_id, wrapped=wrapped)
        except (KeyError, KeyChanged):
            raise KeyDestroyed from None


def new_key_ring() -> KeyRing:
    return KeyRing(
        epoch=1,
        kek={1: os.urandom(KEY_BYTES)},
        master=os.urandom(KEY_BYTES),
        token_signing=new_signing_key(),
        receipt_signing=new_signing_key(),
    )


def with_new_epoch(ring: KeyRing) -> KeyRing:
    """The ring with one more key-encrypting key, which wraps from now on."""
    epoch = ring.epoch + 1
    return replace(ring, epoch=epoch, kek=ring.kek | {epoch: os.urandom(KEY_BYTES)})


def without_older_epochs(ring: KeyRing) -> KeyRing:
    """The ring with its newest key-encrypting key alone: what others wrapped opens no more."""
    return replace(ring, kek={ring.epoch: ring.kek[ring.epoch]})


def replace_key_ring(ring: KeyRing, path: Path) -> None:
    """Put this ring in the place of the one that stands there; a crash leaves one of the two."""
    replace_document(ring_document(ring), path)


def replace_document(document: Mapping[str, Any], path: Path) -> None:
    """As `replace_key_ring`, for any file of keys."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    write_document(document, new)
    new.replace(path)
    _sync_folder(path)


def write_key_ring(ring: KeyRing, path: Path) -> None:
    """Durably, readable by its owner alone; a ring that stands there is never overwritten."""
    write_document(ring_document(ring), path)


def ring_document(ring: KeyRing) -> dict[str, Any]:
    """The ring with all its secrets, as JSON takes it."""
    return {
        "format": FORMAT,
        "epoch": ring.epoch,
        "kek": {str(epoch): _text(key) for epoch, key in ring.kek.items()},
        "master": _text(ring.master),
        "token_signing": ring.token_signing,
        "receipt_signing": ring.receipt_signing,
    }


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """A new file of keys, durable when this returns, for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(json.dumps(document, indent=1))
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def read_key_ring(path: Path) -> KeyRing:
    """The ring in a file. Raises `KeysRefused` for a file that others can read, or not ours."""
    return ring_from(read_document(path), path)


def read_document(path: Path) -> dict[str, Any]:
    """What stands in a file of keys, whatever it is. Raises `KeysRefused`."""
    try:
        mode = path.stat().st_mode
        body = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        raise KeysRefused(f"no key ring can be read from {path.name}; restore it") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysRefused(f"{path.name} can be read by others; run: chmod 600 on it")
    return body if isinstance(body, dict) else {}


def ring_from(body: Mapping[str, Any], path: Path) -> KeyRing:
    """The ring in a document that was read from `path`. Raises `KeysRefused`."""
    if body.get("format") != FORMAT:
        raise KeysRefused(f"{path.name} is no key ring of format {FORMAT}; restore it")
    try:
        ring = KeyRing(
            epoch=body["epoch"],
            kek={int(epoch): _bytes(key) for epoch, key in body["kek"].items()},
            master=_bytes(body["master"]),
            token_signing=body["token_signing"],
            receipt_signing=body["receipt_signing"],
        )
        signing = [decoded(each["d"]) for each in (ring.token_signing, ring.receipt_signing)]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise KeysRefused(f"{path.name} is damaged; restore it from its backup") from None
    if any(map(is_guessed, [ring.master, *ring.kek.values(), *signing])):
        mend = "before anything is stored, remove it and start again: a good one is made"
        raise KeysRefused(f"{path.name} has a key that anybody can guess; {mend}")
    return ring


def is_guessed(secret: bytes) -> bool:
    """Whether it is one of those that stand in examples: zeros, counting, a word again and again.

    Of 32 random bytes not one in 10^20 has so few different ones.
    """
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    return len(set(secret)) < DIFFERENT or len(steps) == 1


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _bytes(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key
