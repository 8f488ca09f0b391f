"""Documents that two programs could read differently, or that one could choke on (T82)."""

import unicodedata
from collections.abc import Callable, Mapping

MARK = "@@@"
"""Stands in a document, as a whole string, where the fault goes."""

MEGABYTE = 1_000_000
MANY = 100_000


def _in_place(value: str) -> Callable[[str], bytes]:
    return lambda document: document.replace(f'"{MARK}"', value).encode()


def _text(text: str) -> Callable[[str], bytes]:
    return _in_place(f'"An{text}na"')


def _with_member(member: str) -> Callable[[str], bytes]:
    """One member more at the front of the whole document."""

    def made(document: str) -> bytes:
        return document.replace(MARK, "Anna").replace("{", "{" + member + ",", 1).encode()

    return made


def _again(document: str) -> bytes:
    """The first member twice, with another value the first time."""
    name = document[document.index('"') : document.index(":")]
    return document.replace(MARK, "Anna").replace("{", "{" + name + ":null,", 1).encode()


_MEMBERS = ",".join(f'"m{number}":1' for number in range(MANY))
_TWINS = ",".join(f'"{unicodedata.normalize(form, "é")}":1' for form in ("NFC", "NFD"))

FAULTS: Mapping[str, Callable[[str], bytes]] = {
    "a-900-deep": _in_place("[" * 900 + "]" * 900),
    "b-100000-deep": _in_place("[" * MANY + "]" * MANY),
    "c-5000-digits": _in_place("9" * 5000),
    "d-nan": _in_place("NaN"),
    "e-utf-16": lambda document: document.replace(MARK, "Anna").encode("utf-16"),
    "f-bom": lambda document: b"\xef\xbb\xbf" + document.replace(MARK, "Anna").encode(),
    "g-lone-surrogate": _text("\\ud800"),
    "h-nul": _text("\\u0000"),
    "i-1-mb-key": _with_member(f'"{"k" * MEGABYTE}":1'),
    "j-duplicate-keys": _again,
    "k-100000-keys": _with_member(_MEMBERS),
    "l-nfc-nfd-twins": _with_member(_TWINS),
    "m-right-to-left-override": _text("\u202e"),
    "n-zero-width": _text("\u200b"),
}

CODES: Mapping[str, str] = {
    "a-900-deep": "too-deep",
    "b-100000-deep": "too-deep",
    "c-5000-digits": "number-too-long",
    "d-nan": "not-a-finite-number",
    "e-utf-16": "not-utf-8",
    "f-bom": "byte-order-mark",
    "g-lone-surrogate": "forbidden-character",
    "h-nul": "forbidden-character",
    "i-1-mb-key": "name-too-long",
    "j-duplicate-keys": "duplicate-member",
    "k-100000-keys": "too-many-members",
    "l-nfc-nfd-twins": "not-normalised",
    "m-right-to-left-override": "forbidden-character",
    "n-zero-width": "forbidden-character",
}
"""What the sender is told: the same at every door, on every database."""
