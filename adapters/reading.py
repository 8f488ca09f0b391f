"""Cells of one row become values in envelopes, as the mapping says."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adapters import forms
from adapters.codebook import CodeBook
from adapters.contract import Problem, ProblemCode
from adapters.forms import Cell, Parser, Unread
from adapters.mapping import BadMapping, Part, ServiceMapping, Value

Mutable = dict[str, dict[str, dict[str, Any]]]
"""Sections in the making: section, field, envelope."""

_LONGEST_NAME = 100


class Context(NamedTuple):
    """Which row is read: where it stands, from when it is, and where problems go."""

    where: str
    observed: str | None
    problems: list[Problem]

    def problem(self, code: ProblemCode, column: str) -> None:
        """Report a cell."""
        self.problems.append(Problem(self.where, code, column))


class Place(NamedTuple):
    at: int
    column: str


class Cells:
    """Reads one value of a row: its parser, and the places where it may stand."""

    __slots__ = ("absent", "parse", "places")

    def __init__(self, parse: Parser, places: Sequence[Place], absent: object = None) -> None:
        self.parse = parse
        self.places = tuple(places)
        self.absent = absent

    def read(self, cells: Sequence[Cell], context: Context) -> Any:
        """The value, what an empty cell means (mostly `None`), or what is left of a bad one."""
        for at, column in self.places:
            cell = cells[at]
            if cell != "":
                value = self.parse(cell)
                if value.__class__ is not Unread:
                    return value
                context.problem(value.code, column)
                return value.rest
        return self.absent

    def filled(self, cells: Sequence[Cell]) -> bool:
        """Whether the export holds anything here."""
        return any(cells[at] != "" for at, _ in self.places)


class Compound:
    """Reads an object from several columns, or a list of at most one such object."""

    __slots__ = ("asked", "many", "parts")

    def __init__(self, parts: Mapping[str, Cells], asked: Cells | None, *, many: bool) -> None:
        self.parts = parts
        self.asked = asked
        self.many = many

    def read(self, cells: Sequence[Cell], context: Context) -> Any:
        """The object; `None` when nothing is known of it, an empty list when asked and none."""
        found = {name: part.read(cells, context) for name, part in self.parts.items()}
        found = {name: value for name, value in found.items() if value is not None}
        if not self.many:
            return found or None
        if found:
            return [found]
        return [] if self.asked and self.asked.read(cells, context) is False else None

    def filled(self, cells: Sequence[Cell]) -> bool:
        """Whether the export holds anything here."""
        return any(part.filled(cells) for part in self.parts.values())


class Readers:
    """Makes readers for the values of a mapping. Raises `BadMapping` for a list nobody has."""

    def __init__(self, mapping: ServiceMapping, book: CodeBook) -> None:
        self._mapping = mapping
        self._book = book
        self.day = forms.iso_day if mapping.dates == "iso" else forms.day_month_year
        self._plain: Mapping[str, Parser] = {
            "country": forms.country,
            "date": self.day,
            "digits": forms.digits,
            "duration_since": self.day,
            "email": forms.email,
            "phone": forms.phone(mapping.phone_prefix),
            "text": forms.text(_LONGEST_NAME),
            "year": forms.year,
        }

    def value(self, part: Part, name: str) -> Cells | None:
        """The reader for one value of a part, or `None` when the mapping has none."""
        found = part.values.get(name)
        return self._cells(part, found) if found else None

    def group(self, part: Part, prefix: str) -> dict[str, Cells]:
        """The readers for `prefix.name`, by name."""
        return {
            name.removeprefix(prefix): self._cells(part, value)
            for name, value in part.values.items()
            if name.startswith(prefix)
        }

    def fields(self, part: Part) -> list["Field"]:
        """The readers for all values of a part that are fields of the summary model."""
        return [
            Field(section, name, self._field(part, value), value.source)
            for full, value in part.values.items()
            for section, dot, name in [full.partition(".")]
            if dot
        ]

    def _field(self, part: Part, value: Value) -> Cells | Compound:
        if value.parts is None:
            return self._cells(part, value)
        parts = {name: self._cells(part, each) for name, each in value.parts.items()}
        asked = self._cells(part, value.asked) if value.asked else None
        return Compound(parts, asked, many=value.form == "object_list")

    def _cells(self, part: Part, value: Value) -> Cells:
        places = [Place(part.columns.index(column), column) for column in value.columns]
        listed = self._codes(value) if value.list or value.codes else {}
        return Cells(self._parser(value, listed), places, listed.get(""))

    def _parser(self, value: Value, codes: Mapping[str, Any]) -> Parser:
        match value.form:
            case "code" | "yes_no":
                return forms.code(codes)
            case "codes":
                return forms.code_list(codes)
            case "barriers":
                return forms.barriers(codes, value.none)
            case other:
                return self._plain[other]

    def _codes(self, value: Value) -> Mapping[str, Any]:
        then = {"J": True, "N": False} if value.form == "yes_no" else value.codes
        if value.list is None:
            return then or {}
        listed = self._mapping.lists.get(value.list) or self._book.get(value.list)
        if listed is None:
            raise BadMapping(f"the list {value.list} is in neither mapping nor code book")
        if then is None:
            return listed
        return {typed: then[code] for typed, code in listed.items() if code in then}


class Field(NamedTuple):
    """One field of the summary model and how it is read."""

    section: str
    name: str
    reader: Cells | Compound
    source: str


def read_into(
    sections: Mutable, fields: Sequence[Field], cells: Sequence[Cell], context: Context
) -> None:
    """Read fields from one row and put their envelopes into their sections."""
    for section, name, reader, source in fields:
        value = reader.read(cells, context)
        made: dict[str, Any] = {"value": value, "source": source, "verified": False}
        if context.observed:
            made["observed_on"] = context.observed
        if value is None:
            made["missing_reason"] = "unknown" if reader.filled(cells) else "not_asked"
        if section in sections:
            sections[section][name] = made
        else:
            sections[section] = {name: made}


def envelope(value: object, source: str, observed: str | None, reason: str) -> dict[str, Any]:
    """A value with its provenance; `reason` counts only when there is no value."""
    made: dict[str, Any] = {"value": value, "source": source, "verified": False}
    if observed:
        made["observed_on"] = observed
    if value is None:
        made["missing_reason"] = reason
    return made
