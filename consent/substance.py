"""What of a notice matters to who agrees: whom it is for, what is passed on and for how long.

Told by the words alone: another comma, capital or line break is no other substance, another
word in one of these sections is.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PARTS = ("question", "recipients", "passed_on", "never", "how_long", "choice", "stop", "rights")
"""The sections that every notice has, in their order."""

_MATTER = ("recipients", "passed_on", "never", "how_long")
_HEADING = re.compile(r"^##[ \t]+(.+?)[ \t]*$", re.MULTILINE)
_WORD = re.compile(r"\w+")
_TATWEEL = "\u0640"


@dataclass(frozen=True, slots=True)
class Substance:
    """Purposes, types of recipients, and the words of the sections that matter."""

    purposes: frozenset[str]
    recipient_types: frozenset[str]
    words: tuple[tuple[str, ...], ...]


def substance(front: Mapping[str, Any], body: str) -> Substance:
    """What matters of a notice. One without exactly the sections of a notice matters whole."""
    found = sections_of(body)
    texts = [body]
    if len(found) == len(PARTS):
        texts = [text for part, (_, text) in zip(PARTS, found, strict=True) if part in _MATTER]
    return Substance(
        frozenset(front.get("purposes", ())),
        frozenset(front.get("recipient_types", ())),
        tuple(map(words_of, texts)),
    )


def sections_of(body: str) -> list[tuple[str, str]]:
    """Each heading of the second level with the text below it."""
    _, *rest = _HEADING.split(body)
    return list(zip(rest[::2], (text.strip() for text in rest[1::2]), strict=True))


def words_of(text: str) -> tuple[str, ...]:
    """The words in order, in one way of writing: no case, no marks, no lengthening strokes."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace(_TATWEEL, "")
    bare = (each for each in plain if unicodedata.category(each) != "Mn")
    return tuple(_WORD.findall("".join(bare)))
