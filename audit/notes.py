"""Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.

Forms only; whether a signature holds is asked in `checkpoints`. Standard library only.
"""

import base64
import binascii
import hashlib
import re
from enum import IntEnum
from typing import Any, Final, NamedTuple

MAX_BYTES: Final = 65_536
"""Longer notes are not read."""
MAX_SIGNATURES: Final = 100
"""More lines are not read; C2SP asks readers for at least 16."""
TIME_BYTES: Final = 8
_NAME_BYTES = 255
_LATEST = 2**63


class Algorithm(IntEnum):
    """How a key signs; the first byte of the key's public form says which.

    `ED25519` signs the text, `COSIGNATURE` the text at a time, `ML_DSA_44` a checkpoint at a
    time (C2SP signed-note and tlog-cosignature).
    """

    ED25519 = 0x01
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06


PUBLIC_BYTES: Final = {
    Algorithm.ED25519: 32,
    Algorithm.COSIGNATURE: 32,
    Algorithm.ML_DSA_44: 1312,
}
SIGNATURE_BYTES: Final = {
    Algorithm.ED25519: 64,
    Algorithm.COSIGNATURE: TIME_BYTES + 64,
    Algorithm.ML_DSA_44: TIME_BYTES + 2420,
}


class Vkey(NamedTuple):
    """What a signature is verified with; the name is part of the key's identity."""

    name: str
    algorithm: Algorithm
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that signature lines begin with."""
        return key_id(self.name, bytes((self.algorithm,)) + self.public)

    @property
    def text(self) -> str:
        """The key as it stands in policy files."""
        key = bytes((self.algorithm,)) + self.public
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(key).decode()}"


class Line(NamedTuple):
    """One signature line: who is said to have signed, and with what."""

    name: str
    id: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"— {self.name} {base64.b64encode(self.id + self.signature).decode()}\n"

    @property
    def seconds(self) -> int:
        """The time that a signature with a time begins with, in seconds since 1970."""
        return int.from_bytes(self.signature[:TIME_BYTES])


class Parts(NamedTuple):
    """A note taken apart; nothing of it is verified."""

    text: str
    lines: tuple[Line, ...]


def key_id(name: str, key: bytes) -> bytes:
    """SHA-256 over name, newline and key (its type before it), the first four bytes."""
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]


def is_name(name: str) -> bool:
    """Whether a key may be called so: text without blanks, plus signs and control characters."""
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(raw) <= _NAME_BYTES and not re.search(r"[\s+\x00-\x1f]", name)


def read_vkey(text: Any) -> Vkey | None:
    """The key in `<name>+<id>+<key>`, or nothing: also when its id is not that of the key."""
    if not isinstance(text, str) or text.count("+") < 2:  # noqa: PLR2004 - the two between the three
        return None
    name, _, rest = text.partition("+")
    raw = plain_base64(rest.partition("+")[2])
    if not is_name(name) or not raw or raw[0] not in list(Algorithm):
        return None
    key = Vkey(name, Algorithm(raw[0]), raw[1:])
    fits = len(key.public) == PUBLIC_BYTES[key.algorithm]
    return key if fits and key.text == text else None


def is_text(text: Any) -> bool:
    """Whether this can be the text of a note: UTF-8, no control character but newline."""
    if not isinstance(text, str) or not text.endswith("\n"):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def read_note(note: Any) -> Parts | None:
    """A note taken apart at its last empty line, or nothing when it is none."""
    text = _decoded(note)
    if text is None or not is_text(text):
        return None
    body, gap, tail = text.rpartition("\n\n")
    if not gap or not tail:
        return None
    lines = read_lines(tail)
    return None if lines is None else Parts(body + "\n", lines)


def read_lines(text: str) -> tuple[Line, ...] | None:
    """Signature lines, each with its newline; nothing when one of them is none."""
    said = text.split("\n")
    if said.pop() or not 0 < len(said) <= MAX_SIGNATURES:
        return None
    lines = [_line(each) for each in said]
    found = [each for each in lines if each is not None]
    return tuple(found) if len(found) == len(lines) else None


def plain_base64(text: str) -> bytes | None:
    """Standard base64 in its one form: padded, nothing else in it, spare bits zero."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def is_timely(line: Line) -> bool:
    """Whether a signature that begins with a time has one that a clock can show."""
    return len(line.signature) > TIME_BYTES and line.seconds < _LATEST


def _line(text: str) -> Line | None:
    dash, _, rest = text.partition(" ")
    name, _, said = rest.partition(" ")
    raw = plain_base64(said)
    if dash != "—" or not is_name(name) or raw is None or len(raw) <= 4:  # noqa: PLR2004 - the key id
        return None
    return Line(name, raw[:4], raw[4:])


def _decoded(note: Any) -> str | None:
    if not isinstance(note, str | bytes):
        return None
    try:
        raw = note.encode() if isinstance(note, str) else note
        return raw.decode() if len(raw) <= MAX_BYTES else None
    except UnicodeError:
        return None
