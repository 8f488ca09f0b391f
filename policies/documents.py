"""Strict reading of documents that people write: what is not known is refused, with its place.

A reader takes a value and the place where it stands (`parties[1].signed_on`), and answers with
the value in our own types. It raises nothing but `UnfitDocument`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

T = TypeVar("T")
Reader = Callable[[object, str], T]


class UnfitDocument(ValueError):
    """The document is not what it should be; nothing of it may be used.

    `place` says where, for instance `flows[0].precision_caps`; `problem` what is wrong there.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place or 'document'}: {problem}")
        self.place, self.problem = place, problem


def text(pattern: str = r"(?s).*\S.*") -> Reader[str]:
    """Reads a text that the pattern fits from end to end; without a pattern, any but a blank."""
    fits = re.compile(pattern).fullmatch

    def read(value: object, place: str) -> str:
        if not isinstance(value, str):
            raise UnfitDocument(place, "is not a text")
        if not fits(value):
            raise UnfitDocument(place, f"does not fit {pattern}")
        return value

    return read


def anything(value: object, place: str) -> object:
    """Reads whatever is there and looks at none of it."""
    return value


def one_of(known: Callable[[str], T]) -> Reader[T]:
    """Reads a code: what `known` makes of it, refused when that raises `ValueError`."""

    def read(value: object, place: str) -> T:
        if not isinstance(value, str):
            raise UnfitDocument(place, "is not a text")
        try:
            return known(value)
        except (ValueError, KeyError):
            raise UnfitDocument(place, "is not a known code") from None

    return read


def day(value: object, place: str) -> date:
    """Reads a date, as text (`2026-11-02`) or as the date a YAML reader made of it."""
    if type(value) is date:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise UnfitDocument(place, "is not a date")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise UnfitDocument(place, "is not a date") from None


def flag(value: object, place: str) -> bool:
    """Reads true or false, and nothing that resembles them."""
    if not isinstance(value, bool):
        raise UnfitDocument(place, "is neither true nor false")
    return value


def count(value: object, place: str) -> int:
    """Reads a whole number, zero or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UnfitDocument(place, "is not a number of things")
    return value


def maybe(read: Reader[T]) -> Reader[T | None]:
    """Reads null as nothing, and anything else as before."""
    return lambda value, place: None if value is None else read(value, place)


def many(read: Reader[T], at_least: int = 0) -> Reader[tuple[T, ...]]:
    """Reads a list, each of its items in the same way."""

    def read_all(value: object, place: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise UnfitDocument(place, "is not a list")
        if len(value) < at_least:
            raise UnfitDocument(place, f"needs {at_least} or more")
        return tuple(read(each, f"{place}[{index}]") for index, each in enumerate(value))

    return read_all


def mapping(name: Reader[T], read: Reader[str]) -> Reader[tuple[tuple[T, str], ...]]:
    """Reads a mapping whose names are codes, as pairs sorted by name."""

    def read_all(value: object, place: str) -> tuple[tuple[T, str], ...]:
        if not isinstance(value, Mapping):
            raise UnfitDocument(place, "is not a mapping")
        pairs = ((key, f"{place}.{key}") for key in sorted(value, key=str))
        return tuple((name(key, at), read(value[key], at)) for key, at in pairs)

    return read_all


def record(
    build: Callable[..., T],
    required: Mapping[str, Reader[Any]],
    optional: Mapping[str, Reader[Any]] | None = None,
) -> Reader[T]:
    """Reads a mapping with these members and no others, and builds our own value from them.

    `build` is called with a keyword for each member that is there; a member whose name is a
    word of Python gets an underscore (`from_`).
    """
    members = {**required, **(optional or {})}

    def read(value: object, place: str) -> T:
        if not isinstance(value, Mapping):
            raise UnfitDocument(place, "is not a mapping")
        for name in value:
            if name not in members:
                raise UnfitDocument(_within(place, name), "is not a known member")
        for name in required:
            if name not in value:
                raise UnfitDocument(_within(place, name), "is missing")
        read_here = {
            name: members[name](value[name], _within(place, name))
            for name in members
            if name in value
        }
        return build(
            **{f"{name}_" if name == "from" else name: it for name, it in read_here.items()}
        )

    return read


def _within(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)
