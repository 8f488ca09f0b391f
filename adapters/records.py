"""The allowed part of a JSON record, as cells in the order of the mapping's columns."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from adapters.forms import Cell
from adapters.mapping import Part, ServiceMapping, Value

_LIST_FORMS = frozenset({"codes", "barriers"})
# Keys come from the export: one that is no plain name, or one too many, is counted without it.
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_MOST_KEYS = 500


@dataclass(slots=True)
class Kept:
    """What is left of one record."""

    client: list[Cell]
    exit: list[Cell]
    sessions: list[list[Cell]] = field(default_factory=list)
    goals: list[list[Cell]] = field(default_factory=list)
    contacts: list[list[Cell]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Columns that held a list or an object where one value is expected, or the reverse."""

    def as_json(self) -> dict[str, Any]:
        """For the spool: `Kept(**kept.as_json())` is the same again."""
        return asdict(self)


class AllowList:
    """Picks what a mapping names from a record, and counts the rest by its key."""

    def __init__(self, mapping: ServiceMapping) -> None:
        self._mapping = mapping
        counts = [column for columns in mapping.counts.values() for column in columns]
        self._flat = {*mapping.clients.columns, *mapping.exit.columns, *counts}
        self._rows = {part.place: part for part in (mapping.sessions, mapping.goals) if part.place}
        inner = [(f"{place}[].", part) for place, part in self._rows.items()]
        self._lists = {
            way: value
            for before, part in (("", mapping.clients), ("", mapping.exit), *inner)
            for way, value in _ways(before, part)
            if value.form in _LIST_FORMS
        }

    def keep(self, record: Mapping[str, Any], dropped: Counter[str]) -> Kept:
        """The allowed cells of a record; adds to `dropped` how often another key held something."""
        flat: dict[str, Cell] = {}
        rows: dict[str, list[list[Cell]]] = {}
        wrong: list[str] = []
        for way, found in _leaves(record, "", self._flat | self._rows.keys()):
            if way in self._rows:
                rows[way] = self._items(way, found, dropped, wrong)
            elif way in self._flat:
                flat[way] = self._cell(way, found, dropped, wrong)
            else:
                _drop(dropped, way, found)
        mapping = self._mapping
        return Kept(
            client=[flat.get(column, "") for column in mapping.clients.columns],
            exit=[flat.get(column, "") for column in mapping.exit.columns],
            sessions=rows.get(mapping.sessions.place, []),
            goals=rows.get(mapping.goals.place, []),
            contacts=[*_counts(mapping, flat)],
            wrong=wrong,
        )

    def _items(
        self, place: str, found: Any, dropped: Counter[str], wrong: list[str]
    ) -> list[list[Cell]]:
        part = self._rows[place]
        kept = []
        for item in found if isinstance(found, list) else [found]:
            if not isinstance(item, dict):
                if item is not None:
                    wrong.append(place)
                continue
            cells: dict[str, Cell] = {}
            for key, value in item.items():
                if key in part.columns:
                    cells[key] = self._cell(f"{place}[].{key}", value, dropped, wrong)
                else:
                    _drop(dropped, f"{place}[].{key}", value)
            kept.append([cells.get(column, "") for column in part.columns])
        return kept

    def _cell(self, way: str, found: Any, dropped: Counter[str], wrong: list[str]) -> Cell:
        value = self._lists.get(way)
        if value and isinstance(found, list):
            if value.form == "barriers":
                return [*self._graded(way, value, found, dropped, wrong)]
            texts = [_text(item) for item in found]
            if None not in texts:
                return [text for text in texts if text]
        text = _text(found)
        if text is None:
            wrong.append(way)
        return text or ""

    def _graded(
        self, way: str, value: Value, found: list[Any], dropped: Counter[str], wrong: list[str]
    ) -> Iterator[str]:
        for item in found:
            if not isinstance(item, dict):
                wrong.append(way)
                continue
            code, severity = _text(item.get(value.code)), _text(item.get(value.severity))
            yield f"{code or ''}:{severity or ''}"
            for key, other in item.items():
                if key not in (value.code, value.severity):
                    _drop(dropped, f"{way}[].{key}", other)


def _counts(mapping: ServiceMapping, flat: Mapping[str, Cell]) -> Iterator[list[Cell]]:
    for channel, columns in mapping.counts.items():
        count = next((flat[column] for column in columns if flat.get(column)), None)
        if count is not None:
            yield [channel, count]


def _ways(before: str, part: Part) -> Iterator[tuple[str, Value]]:
    for value in part.values.values():
        for column in value.columns:
            yield f"{before}{column}", value


def _leaves(record: Mapping[str, Any], before: str, stops: set[str]) -> Iterator[tuple[str, Any]]:
    """The ways into nested objects and what is there; goes no deeper than a way in `stops`."""
    for key, found in record.items():
        way = f"{before}{key}"
        if isinstance(found, dict) and way not in stops:
            yield from _leaves(found, f"{way}.", stops)
        else:
            yield way, found


def _text(found: Any) -> str | None:
    """One value as text without spaces around it; `None` for a list or an object."""
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float) and found.is_integer():
        return str(int(found))
    if isinstance(found, str):
        # Half a surrogate pair is valid JSON, and no text that anybody could store.
        return (
            found.strip() if found.isascii() else found.strip().encode("utf-8", "replace").decode()
        )
    return str(found) if isinstance(found, int | float) else None


def _drop(dropped: Counter[str], way: str, found: Any) -> None:
    if found is None or found in ("", [], {}):
        return
    plain = all(_PLAIN_KEY.fullmatch(key) for key in way.replace("[]", "").split("."))
    known = way in dropped or len(dropped) < _MOST_KEYS
    dropped[way if plain and known else "(other)"] += 1
