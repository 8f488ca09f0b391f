"""The shape of what comes in: names places and codes, never what stood there."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from consent.belgian_time import day_in

Check = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Described:
    """A check that also says in JSON Schema what passes; where that can not tell all, what may."""

    passes: Check
    schema: Mapping[str, Any]

    def __call__(self, value: object) -> bool:
        return self.passes(value)


Member = tuple[Check, bool]
"""What a member must hold, and whether it must be there."""

Problem = tuple[str, str]
"""A place (`grants.0.until`) and a code (`required`, `unknown`, `invalid`, …)."""

_PRINTABLE = r"^[^\u0000-\u001f\u007f-\u00a0\u2028\u2029]+$"
_SAYABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(slots=True)
class Problems:
    """What is wrong so far, in the order in which it was found."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: str, code: str) -> None:
        """Note one problem; the same one twice is still one."""
        if (place, code) not in self.found:
            self.found.append((place, code))

    def shaped(self, value: object, place: str, members: Mapping[str, Member]) -> bool:
        """Whether the value is an object with these members and no other."""
        before = len(self.found)
        if not isinstance(value, Mapping):
            self.add(place, "invalid")
            return False
        for name in value.keys() - members.keys():
            # The name of a stranger may itself be personal: only a plain word is repeated.
            plain = isinstance(name, str) and _SAYABLE.fullmatch(name)
            self.add(below(place, name if plain else "?"), "unknown")
        for name, (check, needed) in members.items():
            if name not in value:
                if needed:
                    self.add(below(place, name), "required")
            elif not check(value[name]):
                self.add(below(place, name), "invalid")
        return len(self.found) == before


def below(place: str, name: object) -> str:
    """The place of a member inside a place."""
    return f"{place}.{name}" if place else str(name)


def matching(pattern: str, longest: int = 200) -> Check:
    """A text that matches as a whole and is not too long."""
    compiled = re.compile(pattern)
    return Described(
        lambda value: (
            isinstance(value, str) and len(value) <= longest and bool(compiled.fullmatch(value))
        ),
        {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": longest},
    )


def one_of(words: Collection[str]) -> Check:
    """One of these words."""
    return Described(
        lambda value: isinstance(value, str) and value in words,
        {"type": "string", "enum": sorted(words)},
    )


def several(check: Check, least: int = 1, most: int = 200) -> Check:
    """A list of different texts, each of which passes."""

    def passes(value: object) -> bool:
        return (
            isinstance(value, list)
            and least <= len(value) <= most
            and all(isinstance(each, str) and check(each) for each in value)
            and len(set(value)) == len(value)
        )

    listed = {"type": "array", "items": schema_of(check), "uniqueItems": True}
    return Described(passes, listed | {"minItems": least, "maxItems": most})


def schema_of(check: Check) -> Mapping[str, Any]:
    """What passes, as JSON Schema; anything may, where a check does not say."""
    return check.schema if isinstance(check, Described) else {}


MOST_LISTED = 100

listed: Check = Described(
    lambda value: isinstance(value, list) and len(value) <= MOST_LISTED,
    {"type": "array", "maxItems": MOST_LISTED},
)
"""A list that is not absurdly long; what it holds is looked at elsewhere."""

nested: Check = Described(lambda value: isinstance(value, Mapping), {"type": "object"})
"""An object; what it holds is looked at elsewhere."""

flag: Check = Described(lambda value: isinstance(value, bool), {"type": "boolean"})
"""True or false, and not a number that passes for one."""

MOST_COUNTED = 10**6

counted: Check = Described(
    lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_COUNTED
    ),
    {"type": "integer", "minimum": 1, "maximum": MOST_COUNTED},
)
"""A whole number from one to a million."""

A_DAY_OF_A_MONTH = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
)
"""As a pattern; whether a year has a 29 February it can not tell."""

a_day: Check = Described(
    lambda value: day_in(value) is not None,
    {"type": "string", "pattern": f"^(?:(?:19|20|21)[0-9]{{2}}|2200)-{A_DAY_OF_A_MONTH}$"},
)
"""A day as YYYY-MM-DD."""


def words(longest: int) -> Check:
    """Short visible text on one line: no control, direction or surrogate characters."""
    return Described(
        lambda value: (
            isinstance(value, str)
            and 0 < len(value) <= longest
            and value.isprintable()
            and unicodedata.is_normalized("NFC", value)
        ),
        {"type": "string", "minLength": 1, "maxLength": longest, "pattern": _PRINTABLE},
    )


def shape_schema(members: Mapping[str, Member], **inner: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these members and no other, as JSON Schema; `inner` says more of some."""
    return {
        "type": "object",
        "properties": {
            name: {**schema_of(check), **inner.get(name, {})}
            for name, (check, _) in members.items()
        },
        "required": [name for name, (_, needed) in members.items() if needed],
        "additionalProperties": False,
    }
