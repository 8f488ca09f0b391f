"""Codes that a client reads from a letter or a message and says back: 40 bits, few tries.

Eight characters of Crockford's base 32, shown as `7K4M-2QXA`: the alphabet of the match code,
in which I, L, O and U do not occur. What is kept is a keyed hash, bound to what the code is
for, so that a code for one consent, or for one act, opens no other.
"""

import hmac
import secrets
import unicodedata
from dataclasses import dataclass

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
AS_TYPED = rf"^[ -]*(?:[0-9A-TV-Za-tv-z][ -]*){{{LENGTH}}}$"
"""What `code_in` reads, as a pattern."""
MOST_TRIES = 5
"""Wrong answers before a code is worth nothing. Five of 2^40: one chance in 2 * 10^11."""

_HALF = LENGTH // 2
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """A code in the clear: for the letter or the message, and for nothing that is kept.

    Printing the object shows nothing of it; `shown` is for the letter alone.
    """

    text: str

    @property
    def shown(self) -> str:
        """As it is printed: two halves of four characters."""
        return f"{self.text[:_HALF]}-{self.text[_HALF:]}"


class Codes:
    """Keyed hashes of codes. `key` is 32 bytes; `act` names what the codes are for."""

    def __init__(self, key: bytes, act: str) -> None:
        self._key, self._act = key, act

    def digest(self, about: str, code: Code) -> bytes:
        """The 32 bytes to keep for a code that is `about` one thing, an id for instance."""
        bound = "\0".join((self._act, about, code.text))
        return hmac.digest(self._key, bound.encode(), "sha256")

    def fits(self, about: str, code: Code, kept: bytes) -> bool:
        """Whether it is the code whose digest was kept, told in constant time."""
        return hmac.compare_digest(self.digest(about, code), kept)


def make() -> Code:
    """A new code, each of 2^40 as likely as any other. Outside every transaction."""
    return Code("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def code_in(typed: str) -> Code | None:
    """The code that somebody typed; nothing for what can not be one.

    Small letters are capitals, O is 0, I and L are 1; hyphens, dashes and spaces do not count,
    and the digits of other scripts are read as ours.
    """
    text = "".join(map(_read, typed.upper())).translate(_READ_AS)
    fits = len(text) == LENGTH and all(each in ALPHABET for each in text)
    return Code(text) if fits else None


def _read(character: str) -> str:
    if character.isspace() or unicodedata.category(character) in ("Pd", "Cf"):
        return ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def worn_out(tries: int) -> bool:
    """Whether after so many wrong answers even the right one does not count any more."""
    return tries >= MOST_TRIES
