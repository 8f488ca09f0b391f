"""Checkpoints: what the log says it is (C2SP tlog-checkpoint), signed and cosigned.

Reading never raises: what is not good is nothing. Keys are those of `notes`.
"""

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from audit.notes import (
    SIGNATURE_BYTES,
    TIME_BYTES,
    Algorithm,
    Line,
    Parts,
    Vkey,
    is_name,
    is_text,
    is_timely,
    key_id,
    plain_base64,
    read_note,
    read_vkey,
)
from audit.tree import HASH_BYTES

_SIZES = 2**63
_DIGITS = len(str(_SIZES))
_PRIVATE = "PRIVATE+KEY+"


class Checkpoint(NamedTuple):
    """The root of a log at a size. `origin` names the log."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: origin, size and root, a line each, and nothing after them."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Signature(NamedTuple):
    """A signature that was verified, and its time in seconds (0 where it has none)."""

    key: Vkey
    line: Line
    seconds: int


class Note(NamedTuple):
    """A note of which at least one signature holds; lines of unknown keys are left out."""

    text: str
    signatures: tuple[Signature, ...]


class NotAKey(Exception):
    """Not a private key for notes, or one that this build can not sign with."""


@dataclass(frozen=True)
class NoteKey:
    """A private key with its name. Never shows the key."""

    name: str
    algorithm: Algorithm
    seed: bytes = field(repr=False)

    @cached_property
    def vkey(self) -> Vkey:
        """What others verify with."""
        return Vkey(self.name, self.algorithm, self._private.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The private key as it is kept, in one line."""
        secret = base64.b64encode(bytes((self.algorithm,)) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.vkey.id.hex()}+{secret}"

    def line(self, text: str, *, seconds: int = 0) -> Line:
        """The signature line for a note's text; `seconds` counts for the kinds with a time."""
        message = _message(self.vkey, text, seconds)
        if message is None:
            raise ValueError("This key signs checkpoints only")
        time = b"" if self.algorithm is Algorithm.ED25519 else seconds.to_bytes(TIME_BYTES)
        return Line(self.name, self.vkey.id, time + self._private.sign(message))

    @cached_property
    def _private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        try:
            if self.algorithm is Algorithm.ML_DSA_44:
                return MLDSA44PrivateKey.from_seed_bytes(self.seed)
            return Ed25519PrivateKey.from_private_bytes(self.seed)
        except (UnsupportedAlgorithm, ValueError):
            raise NotAKey("This build can not sign with such a key") from None


def new_note_key(name: str, algorithm: Algorithm = Algorithm.ED25519) -> NoteKey:
    """A fresh key. To be kept secret by the caller."""
    if not is_name(name):
        raise NotAKey("A key's name holds no blanks and no plus signs")
    return NoteKey(name, algorithm, os.urandom(32))


def read_note_key(text: str) -> NoteKey:
    """The private key in the one line that `NoteKey.text` gives. Raises `NotAKey`."""
    name, _, rest = text.removeprefix(_PRIVATE).partition("+")
    said, _, secret = rest.partition("+")
    raw = plain_base64(secret)
    if not (text.startswith(_PRIVATE) and is_name(name) and raw and raw[0] in list(Algorithm)):
        raise NotAKey("Not a private key for notes")
    key = NoteKey(name, Algorithm(raw[0]), raw[1:])
    if key.vkey.id.hex() != said:
        raise NotAKey("The key is not the one that its id names")
    return key


def read_checkpoint(text: Any) -> Checkpoint | None:
    """The three lines of a checkpoint, each in its one form; nothing for anything else."""
    if not is_text(text):
        return None
    lines = text.split("\n")
    if len(lines) != 4 or not lines[0]:  # noqa: PLR2004 - three lines, and nothing after the last
        return None
    origin, digits, said = lines[:3]
    root = plain_base64(said)
    if len(digits) > _DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    size = int(digits)
    if str(size) != digits or size >= _SIZES or root is None or len(root) != HASH_BYTES:
        return None
    return Checkpoint(origin, size, root)


def open_note(note: Any, keys: Iterable[Vkey | str]) -> Note | None:
    """The note, if some known key signed it and no signature of a known key is bad.

    `keys` may be given as their text; one that is no key makes every note no good. Never raises.
    """
    parts, known = read_note(note), _known(keys)
    if parts is None or known is None:
        return None
    found: dict[Vkey, Signature] = {}
    for line in parts.lines:
        key = known.get((line.name, line.id))
        if key is None:
            continue
        signature = verified(line, parts.text, key)
        if signature is None:
            return None
        found.setdefault(key, signature)
    return Note(parts.text, tuple(found.values())) if found else None


def sign_note(key: NoteKey | str, text: str, *, seconds: int = 0) -> str:
    """The text with one signature under it. Raises `ValueError` for what can be no note."""
    if not is_text(text):
        raise ValueError("The text of a note ends in a newline and holds no control characters")
    signer = read_note_key(key) if isinstance(key, str) else key
    return with_lines(text, [signer.line(text, seconds=seconds)])


def with_lines(text: str, lines: Sequence[Line]) -> str:
    """A note of a text and its signature lines."""
    return text + "\n" + "".join(each.text for each in lines)


def verified(line: Line, text: str, key: Vkey) -> Signature | None:
    """The signature in a line, if it is the key's over this text."""
    if (line.name, line.id) != (key.name, key.id):
        return None
    if len(line.signature) != SIGNATURE_BYTES[key.algorithm]:
        return None
    timed = key.algorithm is not Algorithm.ED25519
    if timed and not is_timely(line):
        return None
    seconds = line.seconds if timed else 0
    message = _message(key, text, seconds)
    signature = line.signature[TIME_BYTES:] if timed else line.signature
    if message is None or not _holds(key, signature, message):
        return None
    return Signature(key, line, seconds)


def grease(count: int = 1) -> list[Line]:
    """Lines of keys that nobody knows, so that readers really do ignore those they do not know."""
    lines = []
    for _ in range(count):
        name, raw = f"grease.invalid/{os.urandom(4).hex()}", os.urandom(36)
        lines.append(Line(name, key_id(name, raw), raw))
    return lines


def checkpoint_in(parts: Parts | Note | None) -> Checkpoint | None:
    """The checkpoint that a note holds, if it holds one."""
    return None if parts is None else read_checkpoint(parts.text)


def _known(keys: Any) -> dict[tuple[str, bytes], Vkey] | None:
    """Keys by name and id; nothing when one of them is none."""
    known: dict[tuple[str, bytes], Vkey] = {}
    if not isinstance(keys, Iterable):
        return None
    for each in keys:
        key = read_vkey(each) if isinstance(each, str) else each
        if not isinstance(key, Vkey):
            return None
        known[key.name, key.id] = key
    return known


def _message(key: Vkey, text: str, seconds: int) -> bytes | None:
    """The bytes that a key signs (C2SP signed-note; tlog-cosignature for those with a time)."""
    if key.algorithm is Algorithm.ED25519:
        return text.encode()
    if key.algorithm is Algorithm.COSIGNATURE:
        return f"cosignature/v1\ntime {seconds}\n{text}".encode()
    checkpoint = read_checkpoint(text)
    if checkpoint is None or len(checkpoint.origin.encode()) > 255:  # noqa: PLR2004 - its length takes one byte
        return None
    name, origin = key.name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes((len(name),)) + name,
            seconds.to_bytes(TIME_BYTES),
            bytes((len(origin),)) + origin,
            (0).to_bytes(8),
            checkpoint.size.to_bytes(8),
            checkpoint.root,
        )
    )


def _holds(key: Vkey, signature: bytes, message: bytes) -> bool:
    try:
        if key.algorithm is Algorithm.ML_DSA_44:
            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
