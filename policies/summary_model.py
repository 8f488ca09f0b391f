"""The summary model as frozen values: sections, fields, code lists, and how each is treated."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from policies.vocabulary import FieldId, Section
from policies.yaml_files import read_yaml

_NAME = re.compile(r"(?!.*[0-9]{5})[a-z][a-z0-9_.]{0,39}")
_PLAIN = {"string", "text", "date", "datetime", "month", "year", "boolean", "integer"}
_TYPES = _PLAIN | {"code", "code_list", "string_list", "object", "object_list"}


class InvalidModel(Exception):
    """The model contradicts itself. The broker must not start with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """One code of a list. `labels` by language; `marks` map it to other lists."""

    code: str
    labels: Mapping[str, str]
    follows: Section | None = None
    """Leaves only when this section is released too (health, justice)."""
    emit_as: str | None = None
    unless: str | None = None
    """What lets the code itself leave: `named` by a grant, or a released section."""
    upto: int | None = None
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CodeList:
    """Codes of our own, or for a list kept elsewhere the pattern that its codes fit."""

    name: str
    codes: Mapping[str, Code]
    pattern: re.Pattern[str] | None = None

    def __contains__(self, code: object) -> bool:
        if not isinstance(code, str):
            return False
        return code in self.codes if self.pattern is None else bool(self.pattern.fullmatch(code))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """What a value must look like. Lengths in characters after NFC, bounds inclusive."""

    type: str
    codes: CodeList | None = None
    pattern: re.Pattern[str] | None = None
    format: str | None = None
    max_length: int | None = None
    max_items: int = 50
    minimum: int | None = None
    maximum: int | None = None
    scan: bool = False
    must_be: bool | None = None
    also: str | None = None
    members: Mapping[str, "Shape"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field(Shape):
    """One field: its shape, its class, and the rules for how it may leave."""

    id: FieldId
    section: Section
    name: str
    cls: str
    default: str
    precision: tuple[str, ...]
    """From finest to coarsest; the first is the form in which it is kept."""
    default_precision: str | None = None
    base_precision: str | None = None
    """In the base set of its section whatever its default level, at this precision."""
    required: bool = False
    """Must be known before any handover."""
    made_by_broker: bool = False
    withheld_when: frozenset[str] = frozenset()
    only_types: frozenset[str] = frozenset()
    only_when: str | None = None
    needs: str | None = None
    at_least_two_of: str | None = None
    oslo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SectionModel:
    """One section in display order, with its fields in theirs."""

    id: Section
    labels: Mapping[str, str]
    cls: str
    default: str
    fields: tuple[Field, ...]
    hidden: bool
    """When withheld, not even its name is told."""
    explicit_consent: bool
    written_evidence: bool
    art9_proxy: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanRule:
    """One rule of the text scan: a pattern, or words. `check` names the sum to be made."""

    id: str
    kind: str
    pattern: str | None = None
    words: tuple[str, ...] = ()
    check: str | None = None
    allows_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SummaryModel:
    """All of it. `fingerprint` is the SHA-256 of the file, in hex."""

    version: str
    fingerprint: str
    sections: Mapping[Section, SectionModel]
    fields: Mapping[FieldId, Field]
    code_lists: Mapping[str, CodeList]
    never_leaves: frozenset[str]
    """Names of class X: a grant may not hold them and nothing can be kept under them."""
    default_levels: tuple[str, ...]
    masked_as: str
    eu_countries: frozenset[str]
    no_country: frozenset[str]
    no_language: frozenset[str]
    scan_rules: tuple[ScanRule, ...]
    scan_allow: tuple[str, ...]


@cache
def summary_model() -> SummaryModel:
    """The model that ships with the product, read once."""
    return read_summary_model(files("policies").joinpath("summary_model.yaml").read_bytes())


SPECIAL = (Section.HEALTH, Section.JUSTICE)
"""What articles 9 and 10 of the GDPR hold apart: the sections of class 9 and 10, and no others."""


@cache
def fields_of(section: Section) -> frozenset[FieldId]:
    """The ids of all fields of a section."""
    return frozenset(each.id for each in summary_model().sections[section].fields)


def hidden(section: Section) -> bool:
    """Whether withholding this section must not show (health, justice)."""
    return summary_model().sections[section].hidden


def told_name(name: object) -> str:
    """The name of an unknown section or field as it may be repeated, or `?`.

    At most 40 of `a-z 0-9 _ .`, and no long number: a name is typed by somebody, too.
    """
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "?"


def read_summary_model(data: bytes) -> SummaryModel:
    """The model that a file holds.

    Raises `InvalidModel` for anything unknown, missing or contradictory, and `InvalidYaml`
    for what is no YAML.
    """
    raw = read_yaml(data)
    try:
        model = _model(raw, hashlib.sha256(data).hexdigest())
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise InvalidModel(repr(error)) from error
    _check(model, raw)
    return model


def _model(raw: Mapping[str, Any], fingerprint: str) -> SummaryModel:
    follows = {cls: Section(name) for cls, name in raw["follows"].items()}
    lists = {name: _code_list(name, each, follows) for name, each in raw["code_lists"].items()}
    sections = {each.id: each for each in (_section(one, lists) for one in raw["sections"])}
    fields = {each.id: each for one in sections.values() for each in one.fields}
    scanner = raw["scanner"]
    return SummaryModel(
        version=raw["version"],
        fingerprint=fingerprint,
        sections=MappingProxyType(sections),
        fields=MappingProxyType(fields),
        code_lists=MappingProxyType(lists),
        never_leaves=frozenset(raw["never_leaves"]),
        default_levels=tuple(raw["default_levels"]),
        masked_as=raw["masked_as"],
        eu_countries=frozenset(raw["eu_countries"]),
        no_country=frozenset(raw["no_country"]),
        no_language=frozenset(raw["no_language"]),
        scan_rules=tuple(
            ScanRule(**{**each, "words": tuple(each.get("words", ()))}) for each in scanner["rules"]
        ),
        scan_allow=tuple(scanner["allow"]),
    )


def _code_list(name: str, raw: Mapping[str, Any], follows: Mapping[str, Section]) -> CodeList:
    if "pattern" in raw:
        return CodeList(name, MappingProxyType({}), re.compile(raw["pattern"]))
    codes = [_code(each, follows) for each in raw["codes"]]
    known = {each.code: each for each in codes}
    if len(known) != len(codes) or not all(isinstance(code, str) for code in known):
        raise InvalidModel(f"codes of {name}")
    if any(each.emit_as not in (None, *known) for each in codes):
        raise InvalidModel(f"emit_as in {name}")
    return CodeList(name, MappingProxyType(known))


def _code(raw: Mapping[str, Any], follows: Mapping[str, Section]) -> Code:
    rest = dict(raw)
    return Code(
        code=rest.pop("code"),
        labels=MappingProxyType({language: rest.pop(language) for language in ("nl", "en", "fr")}),
        follows=follows[rest.pop("class")] if "class" in rest else None,
        emit_as=rest.pop("emit_as", None),
        unless=rest.pop("unless", None),
        upto=rest.pop("upto", None),
        marks=MappingProxyType(rest),
    )


def _section(raw: Mapping[str, Any], lists: Mapping[str, CodeList]) -> SectionModel:
    section = Section(raw["id"])
    return SectionModel(
        id=section,
        labels=MappingProxyType(raw["label"]),
        cls=raw["class"],
        default=raw["default"],
        fields=tuple(_field(section, each, lists) for each in raw["fields"]),
        hidden=raw.get("hidden_when_withheld", False),
        explicit_consent=raw.get("explicit_consent", False),
        written_evidence=raw.get("written_evidence", False),
        art9_proxy=raw.get("art9_proxy", False),
    )


def _field(section: Section, raw: Mapping[str, Any], lists: Mapping[str, CodeList]) -> Field:
    rest = dict(raw)
    name = rest.pop("id")
    return Field(
        id=FieldId(f"{section}.{name}"),
        section=section,
        name=name,
        cls=rest.pop("class"),
        precision=tuple(rest.pop("precision")),
        withheld_when=frozenset(rest.pop("withheld_when", ())),
        only_types=frozenset(rest.pop("only_types", ())),
        **_shape(rest, lists),
    )


def _shape(raw: Mapping[str, Any], lists: Mapping[str, CodeList]) -> dict[str, Any]:
    shape = dict(raw)
    if shape["type"] not in _TYPES:
        raise InvalidModel(f"type {shape['type']}")
    if "codes" in shape:
        shape["codes"] = lists[shape["codes"]]
    if "pattern" in shape:
        shape["pattern"] = re.compile(shape["pattern"])
    if "members" in shape:
        members = {name: Shape(**_shape(each, lists)) for name, each in shape["members"].items()}
        shape["members"] = MappingProxyType(members)
    return shape


def _check(model: SummaryModel, raw: Mapping[str, Any]) -> None:
    levels, known = set(raw["precision_levels"]), set(model.default_levels)
    if list(model.sections) != list(Section):
        raise InvalidModel("sections")
    if any(each.cls not in raw["classes"] for each in model.sections.values()):
        raise InvalidModel("class of a section")
    if any(
        (each.cls in raw["follows"]) != (each.id in SPECIAL) for each in model.sections.values()
    ):
        raise InvalidModel("class of a special section")
    if model.never_leaves & {*Section}:
        raise InvalidModel("class X has a section")
    count = sum(len(each.fields) for each in model.sections.values())
    if count != len(model.fields):
        raise InvalidModel("a field twice")
    for each in model.fields.values():
        siblings = {other.name for other in model.sections[each.section].fields}
        if each.default not in known or each.cls not in raw["classes"]:
            raise InvalidModel(f"default or class of {each.id}")
        if not each.precision or not levels.issuperset(each.precision):
            raise InvalidModel(f"precision of {each.id}")
        if not {each.default_precision, each.base_precision} <= {None, *each.precision}:
            raise InvalidModel(f"default precision of {each.id}")
        if not {each.only_when, each.needs, each.at_least_two_of} <= {None, *siblings}:
            raise InvalidModel(f"{each.id} needs what is not there")
