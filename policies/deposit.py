"""What a holder deposits: held against the summary model, scanned, in full value envelopes.

Nothing that is refused or taken out is repeated: problems and findings are names and codes.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

from policies.insz import check_insz
from policies.summary_model import Field, SectionModel, Shape, summary_model, told_name
from policies.text_scan import Scanner
from policies.vocabulary import Section

Envelope = dict[str, Any]
"""`value`, `source`, `observed_on`, `verified`; a null value has a `missing_reason`."""

_MEMBERS = frozenset({"value", "source", "observed_on", "verified", "missing_reason"})
_SECTIONS = frozenset(Section)
_OPEN = "\n\t"
_CLOSED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"([0-9]{4})-(?:0[1-9]|1[0-2])")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,186}\.[^@\s.]{2,}")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A text that was taken out and is not kept, and the rules that it broke."""

    path: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deposited:
    """What is to be kept. Sections without a field are left out.

    `sections` hold envelopes by the short names of their fields; `stored` counts these.
    `dropped` has one name for each unknown section or field, `?` where it may not be told.
    """

    sections: Mapping[Section, Mapping[str, Envelope]]
    stored: int
    dropped: tuple[str, ...]
    quarantined: tuple[Quarantined, ...]


class ContentRefused(Exception):
    """Some values do not fit. Nothing was taken over.

    `problems` are pairs of a place (`educ.credentials.0.title`) and a code, never a value.
    """

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


class _DoesNotFit(Exception):
    def __init__(self, code: str, *path: str) -> None:
        super().__init__(code)
        self.code, self.path = code, path

    def below(self, name: str) -> "_DoesNotFit":
        return _DoesNotFit(self.code, name, *self.path)


def read_deposit(sections: Mapping[str, Any], *, today: date, scanner: Scanner) -> Deposited:
    """The deposit as it is to be kept; a bare value is the counsellor's, of today, unverified.

    Unknown sections and fields, and what the broker makes itself, are dropped and named. A
    text that the scanner stops is taken out and named. Raises `ContentRefused` with every
    field that does not fit.
    """
    reading = _Reading(scanner, today)
    model = summary_model()
    for name, held in sections.items():
        if name not in _SECTIONS:
            reading.dropped.append(told_name(name))
        elif not isinstance(held, Mapping):
            reading.problems.append((name, "not_an_object"))
        else:
            reading.read_section(model.sections[Section(name)], held)
    if reading.problems:
        raise ContentRefused(tuple(reading.problems))
    return Deposited(
        sections={section: kept for section, kept in reading.kept.items() if kept},
        stored=sum(map(len, reading.kept.values())),
        dropped=tuple(reading.dropped),
        quarantined=tuple(reading.quarantined),
    )


class _Reading:
    """One deposit while it is read."""

    def __init__(self, scanner: Scanner, today: date) -> None:
        self.scanner, self.today = scanner, today.isoformat()
        self.kept: dict[Section, dict[str, Envelope]] = {}
        self.problems: list[tuple[str, str]] = []
        self.dropped: list[str] = []
        self.quarantined: list[Quarantined] = []

    def read_section(self, model: SectionModel, held: Mapping[str, Any]) -> None:
        fields = _deposited_fields(model)
        kept = self.kept[model.id] = {}
        for name, value in held.items():
            if name not in fields:
                told = told_name(name)
                self.dropped.append("?" if told == "?" else f"{model.id}.{told}")
                continue
            try:
                kept[name] = self._envelope(fields[name], value)
            except _DoesNotFit as problem:
                self.problems.append((".".join((fields[name].id, *problem.path)), problem.code))
        self.problems += _contradictions(model, kept, held)
        for name in [*kept]:
            if name in kept:
                self._scan_field(fields[name], kept)

    def _envelope(self, field: Field, given: Any) -> Envelope:
        # Nearly always a plain dict; asking the abstract class costs as much as all that follows.
        if not ((given.__class__ is dict or isinstance(given, Mapping)) and "value" in given):
            if given is None:
                raise _DoesNotFit("missing_reason_needed")
            given = {"value": given, "source": "counsellor"}
            return self._filled(given, _fitting(field, given["value"]))
        if not _MEMBERS.issuperset(given):
            raise _DoesNotFit("unknown_member")
        _check_provenance(given)
        value = given["value"]
        if value is None and "missing_reason" not in given:
            raise _DoesNotFit("missing_reason_needed")
        if value is not None and "missing_reason" in given:
            raise _DoesNotFit("missing_reason_beside_value")
        return self._filled(given, None if value is None else _fitting(field, value))

    def _filled(self, given: Mapping[str, Any], value: Any) -> Envelope:
        return {"observed_on": self.today, "verified": False, **given, "value": value}

    def _scan_field(self, field: Field, kept: dict[str, Envelope]) -> None:
        value = kept[field.name]["value"]
        if field.scan and value is not None and self._stopped(field.id, value):
            del kept[field.name]
            # What it needed beside it says nothing without it.
            kept.pop(field.needs or "", None)
        elif field.type == "object_list" and value:
            scanned = [name for name, member in field.members.items() if member.scan]
            for name in scanned:
                for each in value:
                    if name in each and self._stopped(f"{field.id}.{name}", each[name]):
                        del each[name]
            left = [each for each in value if each]
            kept[field.name]["value"] = left
            if not left:
                del kept[field.name]

    def _stopped(self, path: str, text: str) -> bool:
        rules = self.scanner.hits(text)
        if rules:
            self.quarantined.append(Quarantined(path, rules))
        return bool(rules)


@cache
def _deposited_fields(model: SectionModel) -> Mapping[str, Field]:
    """The fields that a holder may fill, by their short names."""
    return {each.name: each for each in model.fields if not each.made_by_broker}


@cache
def _dependent_fields(model: SectionModel) -> tuple[Field, ...]:
    """The fields that may not stand alone."""
    return tuple(each for each in model.fields if each.only_when or each.needs)


def _contradictions(
    model: SectionModel, kept: Mapping[str, Envelope], held: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Fields that may not stand without another; one that did not fit is named already."""
    for field in _dependent_fields(model):
        if field.name not in kept or kept[field.name]["value"] is None:
            continue
        for other in (field.only_when, field.needs):
            told = other in held and other not in kept
            if other and not told and kept.get(other, {}).get("value") is not True:
                yield field.id, f"needs_{other}"


def _check_provenance(given: Mapping[str, Any]) -> None:
    lists = summary_model().code_lists
    for name, codes in (("source", "value_source"), ("missing_reason", "missing_reason")):
        if name in given and given[name] not in lists[codes]:
            raise _DoesNotFit("not_a_code", name)
    if "source" not in given:
        raise _DoesNotFit("needed", "source")
    if "observed_on" in given:
        try:
            _day(given["observed_on"])
        except _DoesNotFit as problem:
            raise problem.below("observed_on") from None
    if not isinstance(given.get("verified", False), bool):
        raise _DoesNotFit("not_yes_or_no", "verified")


def _fitting(shape: Shape, value: Any) -> Any:
    """The value as it is kept: copied, its text in NFC."""
    if shape.also == "year" and isinstance(value, int):
        return _year(value)
    if shape.type == "object":
        return _object(shape, value)
    if shape.type in _LISTS:
        return _list(shape, value)
    fitted = _PLAIN[shape.type](value)
    if shape.type in ("string", "text"):
        _check_text(shape, fitted)
    elif shape.type == "code" and shape.codes is not None and fitted not in shape.codes:
        raise _DoesNotFit("not_a_code")
    elif shape.type == "integer":
        _check_bounds(shape, fitted)
    elif shape.must_be is not None and fitted is not shape.must_be:
        raise _DoesNotFit("must_be_yes")
    return fitted


def _object(shape: Shape, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _DoesNotFit("not_an_object")
    if not value:
        raise _DoesNotFit("empty")
    fitted = {}
    for name, each in value.items():
        if name not in shape.members:
            raise _DoesNotFit("unknown_member", told_name(name))
        try:
            fitted[name] = _fitting(shape.members[name], each)
        except _DoesNotFit as problem:
            raise problem.below(name) from None
    return fitted


def _list(shape: Shape, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _DoesNotFit("not_a_list")
    if len(value) > shape.max_items:
        raise _DoesNotFit("too_many")
    fitted: list[Any] = []
    for position, each in enumerate(value):
        try:
            fitted.append(_LISTS[shape.type](shape, each))
        except _DoesNotFit as problem:
            raise problem.below(str(position)) from None
    if shape.type == "code_list" and len(set(fitted)) < len(fitted):
        raise _DoesNotFit("twice")
    return fitted


def _listed_code(shape: Shape, value: Any) -> str:
    text = _text(value)
    if shape.codes is None or text not in shape.codes:
        raise _DoesNotFit("not_a_code")
    return text


def _listed_text(shape: Shape, value: Any) -> str:
    text = _text(value)
    _check_text(shape, text)
    return text


def _check_text(shape: Shape, text: str) -> None:
    if shape.max_length is not None and len(text) > shape.max_length:
        raise _DoesNotFit("too_long")
    if shape.pattern is not None and not shape.pattern.fullmatch(text):
        raise _DoesNotFit("wrong_form")
    if shape.format == "email" and not _EMAIL.fullmatch(text):
        raise _DoesNotFit("wrong_form")
    if shape.format == "insz" and check_insz(text) is None:
        raise _DoesNotFit("wrong_check_digits")


def _check_bounds(shape: Shape, number: int) -> None:
    if shape.minimum is not None and number < shape.minimum:
        raise _DoesNotFit("too_small")
    if number > (_MOST if shape.maximum is None else shape.maximum):
        raise _DoesNotFit("too_large")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _DoesNotFit("not_text")
    if value.isascii() and value.isprintable():
        return value
    if not value.isprintable() and any(
        unicodedata.category(each) in _CLOSED and each not in _OPEN for each in value
    ):
        raise _DoesNotFit("invisible_characters")
    return unicodedata.normalize("NFC", value)


def _day(value: Any) -> str:
    text = _text(value)
    if not _is_day(text):
        raise _DoesNotFit("not_a_date")
    return text


@lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    # Every value has a day on which it was observed, and an intake few such days.
    try:
        return bool(_DAY.fullmatch(text)) and (
            _FIRST_YEAR <= date.fromisoformat(text).year <= _LAST_YEAR
        )
    except ValueError:
        return False


def _instant(value: Any) -> str:
    text = _text(value)
    try:
        if _INSTANT.fullmatch(text) and datetime.fromisoformat(text).tzinfo:
            return text
    except ValueError:
        pass
    raise _DoesNotFit("not_a_time")


def _month(value: Any) -> str:
    match = _MONTH.fullmatch(_text(value))
    if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
        raise _DoesNotFit("not_a_month")
    return match[0]


def _year(value: Any) -> int:
    if _integer(value) < _FIRST_YEAR or value > _LAST_YEAR:
        raise _DoesNotFit("not_a_year")
    return _integer(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _DoesNotFit("not_a_number")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _DoesNotFit("not_yes_or_no")
    return value


# Beyond 2^53 a number is another one in the next parser.
_MOST = 2**53 - 1
_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "string": _text,
    "text": _text,
    "code": _text,
    "date": _day,
    "datetime": _instant,
    "month": _month,
    "year": _year,
    "integer": _integer,
    "boolean": _boolean,
}
_LISTS: Mapping[str, Callable[[Shape, Any], Any]] = {
    "code_list": _listed_code,
    "string_list": _listed_text,
    "object_list": _object,
}
