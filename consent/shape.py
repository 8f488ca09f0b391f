"""The shape of what comes in: names places and codes, never what stood there."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from consent.belgian_time import day_in

Check = Callable[[object], bool]
Member = tuple[Check, bool]
"""What a member must hold, and whether it must be there."""

Problem = tuple[str, str]
"""A place (`grants.0.until`) and a code (`required`, `unknown`, `invalid`, …)."""

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
    return lambda value: (
        isinstance(value, str) and len(value) <= longest and bool(compiled.fullmatch(value))
    )


def one_of(words: Collection[str]) -> Check:
    """One of these words."""
    return lambda value: isinstance(value, str) and value in words


def several(check: Check, least: int = 1, most: int = 200) -> Check:
    """A list of different texts, each of which passes."""

    def passes(value: object) -> bool:
        return (
            isinstance(value, list)
            and least <= len(value) <= most
            and all(isinstance(each, str) and check(each) for each in value)
            and len(set(value)) == len(value)
        )

    return passes


def listed(value: object) -> bool:
    """A list that is not absurdly long; what it holds is looked at elsewhere."""
    return isinstance(value, list) and len(value) <= 100  # noqa: PLR2004 - said in the line above


def nested(value: object) -> bool:
    """An object; what it holds is looked at elsewhere."""
    return isinstance(value, Mapping)


def flag(value: object) -> bool:
    """True or false, and not a number that passes for one."""
    return isinstance(value, bool)


def counted(value: object) -> bool:
    """A whole number from one to a million."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**6


def a_day(value: object) -> bool:
    """A day as YYYY-MM-DD."""
    return day_in(value) is not None


def words(longest: int) -> Check:
    """Short visible text on one line: no control, direction or surrogate characters."""
    return lambda value: (
        isinstance(value, str)
        and 0 < len(value) <= longest
        and value.isprintable()
        and unicodedata.is_normalized("NFC", value)
    )
