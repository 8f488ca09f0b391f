"""The mapping file of a service: which columns are read, and as what.

A mapping is an allow-list. It says nothing about what the columns hold: the code book beside the
data does, and the lists in the mapping for columns that the code book leaves out.
"""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from adapters.contract import AdapterError
from policies.yaml_files import InvalidYaml, read_yaml

SHIPPED = Path(__file__).with_name("mappings")
FORMS = frozenset(
    {"barriers", "code", "codes", "yes_no"}
    | {"country", "date", "digits", "duration_since", "email", "phone", "text", "year"}
    | {"object", "object_list"}
)
DATES = ("day/month/year", "iso")
UNITS = ("hours", "minutes")
PARTS = ("clients", "sessions", "contacts", "goals", "exit")

_T = TypeVar("_T")


class BadMapping(AdapterError):
    """The mapping file can not be used; the text says where and what is wrong."""


@dataclass(frozen=True, slots=True)
class Value:
    """How one value is read: the first of `columns` that holds something, by `form`."""

    columns: tuple[str, ...] = ()
    form: str = "code"
    list: str | None = None
    codes: Mapping[str, Any] | None = None
    source: str = "counsellor"
    none: str | None = None
    code: str | None = None
    severity: str | None = None
    asked: "Value | None" = None
    parts: "Mapping[str, Value] | None" = None

    def every_column(self) -> Iterator[str]:
        """Every column that is read for this value."""
        yield from self.columns
        for part in (self.parts or {}).values():
            yield from part.every_column()
        if self.asked:
            yield from self.asked.every_column()


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of rows: a file of its own, or a list within a client's record."""

    place: str
    """The file's name or the way to the list; empty: in the client's own record."""
    keys: Mapping[str, str]
    """What the broker calls a column: `reference changed date agreement …`."""
    values: Mapping[str, Value]
    """Values by name; those of the summary model have a dot in it."""
    columns: tuple[str, ...]
    """Every column that is read, each once."""


@dataclass(frozen=True, slots=True)
class ServiceMapping:
    """One mapping file, checked for its form."""

    service: str
    encoding: str
    code_book: str
    dates: str
    clients: Part
    sessions: Part
    contacts: Part
    goals: Part
    exit: Part
    full_when: tuple[str, ...]
    no_diploma: frozenset[str]
    lists: Mapping[str, Mapping[str, Any]]
    length_unit: str
    registered: tuple[str, ...]
    """Channels for which no row means no contact."""
    counts: Mapping[str, tuple[str, ...]]
    """Channel, then the columns of the client's record that may hold its count."""
    separator: str = ";"
    phone_prefix: str = "+32"


def load_mapping(name_or_path: str) -> ServiceMapping:
    """A mapping that is shipped, by name, or a file of the site's own.

    Raises `BadMapping` with the place in the file when a key is unknown, missing, twice or no text.
    """
    shipped = SHIPPED / f"{name_or_path}.yaml"
    if name_or_path.isidentifier() and shipped.is_file():
        return _shipped(shipped)
    return _read(Path(name_or_path))


def _read(path: Path) -> ServiceMapping:
    try:
        return _Loader(read_yaml(path.read_bytes())).mapping()
    except (OSError, InvalidYaml) as error:
        raise BadMapping(f"{path.name}: no readable YAML file: {error}") from error
    except BadMapping as error:
        raise BadMapping(f"{path.name}: {error}") from None


@cache
def _shipped(path: Path) -> ServiceMapping:
    return _read(path)


class _Loader:
    def __init__(self, raw: object) -> None:
        self._raw = _table(raw, "the file")
        self._source = str(self._raw.get("source", "counsellor"))

    def mapping(self) -> ServiceMapping:
        raw = dict(self._raw)
        raw.pop("source", None)
        clients, sessions, contacts, goals, leaving = (
            _table(raw.pop(part, {}), part) for part in PARTS
        )
        length = _table(sessions.get("length", {}), "sessions.length")
        counts = _table(contacts.pop("counts", {}), "contacts.counts")
        raw |= {
            "full_when": _texts(clients.pop("full_when", []), "clients.full_when"),
            "no_diploma": frozenset(_texts(raw.get("no_diploma", []), "no_diploma")),
            "lists": {
                name: _codes(codes, f"lists.{name}")
                for name, codes in _table(raw.get("lists", {}), "lists").items()
            },
            "length_unit": str(length.get("unit", "minutes")),
            "registered": _texts(contacts.pop("registered", []), "contacts.registered"),
            "counts": {
                channel: _texts(columns, f"contacts.counts.{channel}")
                for channel, columns in counts.items()
            },
        }
        sessions["length"] = length.get("column", "")
        extra = raw["full_when"], [each for columns in raw["counts"].values() for each in columns]
        raw["clients"] = self._part("clients", clients, [*extra[0], *extra[1]])
        for part, table in zip(PARTS[1:], (sessions, contacts, goals, leaving), strict=True):
            raw[part] = self._part(part, table, [])
        return _checked(_filled(ServiceMapping, raw, "the file"))

    def _part(self, name: str, table: dict[str, Any], extra: list[str]) -> Part:
        place, keys, values = str(table.pop("from", "")), {}, {}
        for key, raw in table.items():
            where = f"{name}.{key}"
            if isinstance(raw, str):
                keys[key] = raw
            elif isinstance(raw, dict) and not {"column", "columns"} & raw.keys():
                # A group: the fields of a client, the topics of a session, the parts of a goal.
                for member, value in raw.items():
                    full = member if key == "fields" else f"{key}.{member}"
                    values[full] = self._value(value, f"{where}.{member}")
            else:
                values[key] = self._value(raw, where)
        columns = [*keys.values(), *extra]
        for value in values.values():
            columns.extend(value.every_column())
        return Part(place, keys, values, tuple(dict.fromkeys(filter(None, columns))))

    def _value(self, raw: object, where: str) -> Value:
        table = _table(raw, where)
        if "column" in table:
            table["columns"] = [table.pop("column")]
        table["columns"] = _texts(table.get("columns", []), f"{where}.columns")
        table.setdefault("source", self._source)
        if "codes" in table:
            table["codes"] = _codes(table["codes"], f"{where}.codes")
        if "asked" in table:
            table["asked"] = self._value(table["asked"], f"{where}.asked")
        if "parts" in table:
            table["parts"] = {
                name: self._value(part, f"{where}.parts.{name}")
                for name, part in _table(table["parts"], f"{where}.parts").items()
            }
        value = _filled(Value, table, where)
        if value.form not in FORMS:
            raise BadMapping(f"{where}.form: must be one of {', '.join(sorted(FORMS))}")
        if not value.columns and not value.parts:
            raise BadMapping(f"{where}: a column is needed")
        if value.form in {"code", "codes", "barriers", "yes_no"} and not (
            value.list or value.codes
        ):
            raise BadMapping(f"{where}: a list or codes are needed")
        return value


def _checked(mapping: ServiceMapping) -> ServiceMapping:
    """The mapping, if all that reading relies on is there."""
    needed = {"clients": {"reference", "changed"}}
    needed |= {"sessions": {"date", "length"}} if mapping.sessions.columns else {}
    needed |= {"contacts": {"reference", "count"}} if mapping.contacts.place else {}
    for name, keys in needed.items():
        part: Part = getattr(mapping, name)
        for key in sorted(keys - part.keys.keys()):
            raise BadMapping(f"{name}: {key} is needed")
    if mapping.contacts.place and "channel" not in mapping.contacts.values:
        raise BadMapping("contacts: channel is needed")
    if mapping.dates not in DATES:
        raise BadMapping(f"dates: must be one of {', '.join(DATES)}")
    if mapping.length_unit not in UNITS:
        raise BadMapping(f"sessions.length.unit: must be one of {', '.join(UNITS)}")
    try:
        codecs.lookup(mapping.encoding)
    except LookupError:
        raise BadMapping("encoding: no encoding has this name") from None
    return mapping


def _filled(kind: type[_T], table: dict[str, Any], where: str) -> _T:
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # always a dataclass
    for key in table:
        if key not in known:
            raise BadMapping(f"{where}: {key} is not known")
    try:
        return kind(**table)
    except TypeError as error:
        raise BadMapping(
            f"{where}: {str(error).partition(':')[2].strip() or 'incomplete'}"
        ) from None


def _table(raw: object, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise BadMapping(f"{where}: names and values are needed; quote numbers, true and false")
    return dict(raw)


def _texts(raw: object, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
        raise BadMapping(f"{where}: a list of texts is needed; quote numbers, true and false")
    return tuple(raw)


def _codes(raw: object, where: str) -> Mapping[str, Any]:
    """A table of codes; a plain list stands for codes that are used as they are."""
    if isinstance(raw, list):
        return {each: each for each in _texts(raw, where)}
    return _table(raw, where)
