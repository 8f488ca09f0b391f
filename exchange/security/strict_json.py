"""JSON from outside, read so that every reader downstream sees the same thing.

Two programs that read one document differently are how a check is passed by. So whatever
JSON leaves open (RFC 8259: which of two equal names counts, how big a number is, which
encoding) is refused here instead of decided.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import NoReturn


class JsonFault(StrEnum):
    """What is wrong, for our records; none of it repeats what was sent."""

    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf-8"
    BYTE_ORDER_MARK = "byte-order-mark"
    TOO_DEEP = "too-deep"
    MALFORMED = "malformed"
    DUPLICATE_MEMBER = "duplicate-member"
    TOO_MANY_MEMBERS = "too-many-members"
    NAME_TOO_LONG = "name-too-long"
    NUMBER_TOO_LONG = "number-too-long"
    NOT_A_FINITE_NUMBER = "not-a-finite-number"
    FORBIDDEN_CHARACTER = "forbidden-character"
    NOT_NORMALISED = "not-normalised"


class NotJson(Exception):
    """Not JSON as we read it. Carries a code and nothing of the document."""

    def __init__(self, code: JsonFault) -> None:
        super().__init__(code.value)
        self.code = code


# All control characters but line feed and tab; surrogates; what reorders text; what has no width.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0000-\U000e007f]"
)
# The closing quote is optional and nothing is given back: without that, a text full of
# quotes and never closed would take a time that grows with its square.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_LONGEST_FLOAT = 32


def read_json(
    raw: bytes,
    *,
    max_bytes: int,
    max_depth: int,
    max_members: int = 1_000,
    max_number_digits: int = _LONGEST_FLOAT,
    max_key: int = 256,
) -> object:
    """The value in a UTF-8 document. Raises nothing but `NotJson`.

    Strings and names are in normal form C and hold no surrogates, no control characters but
    line feed and tab, none that reorder text and none without width; names are unique in
    their object; numbers are finite. `max_members` counts one object, `max_number_digits` the
    characters of one number, `max_key` those of one name; `{}` has depth 1.
    """
    text = _decoded(raw, max_bytes)
    _check_depth(text, max_depth)
    try:
        value: object = _decoder(max_members, max_number_digits, max_key).decode(text)
    except (ValueError, RecursionError):
        raise NotJson(JsonFault.MALFORMED) from None
    _check_characters(text, value)
    return value


def _decoded(raw: bytes, max_bytes: int) -> str:
    if len(raw) > max_bytes:
        raise NotJson(JsonFault.TOO_LARGE)
    if raw.startswith(b"\xef\xbb\xbf"):
        raise NotJson(JsonFault.BYTE_ORDER_MARK)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson(JsonFault.NOT_UTF8) from None


def _check_depth(text: str, max_depth: int) -> None:
    """Before parsing: the parser calls itself for each level."""
    if text.count("{") + text.count("[") <= max_depth:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            raise NotJson(JsonFault.TOO_DEEP)


def _check_characters(text: str, value: object) -> None:
    # Where nothing is escaped, the document shows its strings as they are, and one scan in C
    # does for all. An escape can hide anything, so then the strings themselves are looked at.
    # No character composes with a line feed, so joining neither hides nor makes a fault; and a
    # carriage return in the document stands between tokens: the parser takes none in a string.
    escaped = "\\" in text
    shown = "\n".join(_strings(value)) if escaped else text.replace("\r", "")
    if _FORBIDDEN.search(shown):
        raise NotJson(JsonFault.FORBIDDEN_CHARACTER)
    if not unicodedata.is_normalized("NFC", shown):
        raise NotJson(JsonFault.NOT_NORMALISED)


def _strings(value: object) -> Iterator[str]:
    """Every string and every name, without calling itself."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            waiting.extend(each)
            waiting.extend(each.values())


def _not_a_number(_literal: str) -> NoReturn:
    raise NotJson(JsonFault.NOT_A_FINITE_NUMBER)


@lru_cache(maxsize=32)
def _decoder(max_members: int, max_number_digits: int, max_key: int) -> json.JSONDecoder:
    """Built once for each set of limits: building costs more than reading a small document."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise NotJson(JsonFault.DUPLICATE_MEMBER)
        if len(found) > max_members:
            raise NotJson(JsonFault.TOO_MANY_MEMBERS)
        if found and max(map(len, found)) > max_key:
            raise NotJson(JsonFault.NAME_TOO_LONG)
        return found

    def integer(literal: str) -> int:
        if len(literal) > max_number_digits:
            raise NotJson(JsonFault.NUMBER_TOO_LONG)
        return int(literal)

    def fraction(literal: str) -> float:
        if len(literal) > max_number_digits:
            raise NotJson(JsonFault.NUMBER_TOO_LONG)
        number = float(literal)
        if not isfinite(number):
            raise NotJson(JsonFault.NOT_A_FINITE_NUMBER)
        return number

    return json.JSONDecoder(
        object_pairs_hook=members,
        parse_int=integer,
        parse_float=fraction,
        parse_constant=_not_a_number,
    )
