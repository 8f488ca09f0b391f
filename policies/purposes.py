"""The closed list of purposes: what each may use, who may receive for it, and for how long."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from policies.summary_model import fields_of, summary_model
from policies.vocabulary import ConsentState, FieldId, Operation, OrganisationType, Section
from policies.yaml_files import read_yaml

PROHIBITED = frozenset({"P90", "P91", "P92", "P93", "P94", "P95"})
"""Hard rule H3, here too: so that no file, ours or another, can take one of them off the list."""


class InvalidPurposes(Exception):
    """The list contradicts itself or the summary model. The broker must not start with it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Purpose:
    """One purpose that data may be used for.

    `default` and `optional` are the sections and fields it may use: the first as soon as they
    are granted, the second only when the grant names them. `validity` is what is offered to
    the client, counted from the moment consent is given: an ISO 8601 duration, `programme` or
    `statutory`; `months` the same as a number, where it is one. `refusal_costs` are the kinds
    of controllers at which saying no would cost the client a service: consent is no basis there.
    """

    code: str
    labels: Mapping[str, str]
    dpv: tuple[str, ...]
    org_types: frozenset[OrganisationType]
    partnerships_allowed: bool
    own_org_only: bool
    categories_allowed: bool
    default: tuple[str, ...]
    optional: tuple[str, ...]
    default_fields: frozenset[FieldId]
    optional_fields: frozenset[FieldId]
    validity: str
    months: int | None
    until_event: str | None
    until_event_grace: str | None
    aggregate_only: bool
    log_only: bool
    functions_needed: tuple[str, ...]
    legal_basis: Mapping[str, tuple[str, ...]]
    refusal_costs: frozenset[OrganisationType] = frozenset()

    def accepts(
        self, recipient: OrganisationType, *, in_partnership: bool = False, own: bool = False
    ) -> bool:
        """Whether a grant for this purpose may name such a recipient.

        `own`: the recipient is the organisation that keeps the record itself.
        """
        if self.own_org_only and not own:
            return False
        return recipient in self.org_types or (in_partnership and self.partnerships_allowed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prohibited:
    """A use that cannot be configured, granted, requested or mapped to."""

    code: str
    labels: Mapping[str, str]
    dpv: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PurposeList:
    """The whole list, with the terms (DPV 2.2) that receipts and exports are written in."""

    version: str
    purposes: Mapping[str, Purpose]
    prohibited: Mapping[str, Prohibited]
    """By code and by alias."""
    prefixes: Mapping[str, str]
    operation_terms: Mapping[Operation, str]
    implied: Mapping[Operation, frozenset[Operation]]
    """For each operation those that allow it, itself included."""
    functions: Mapping[str, str]
    data_categories: Mapping[Section, tuple[str, ...]]
    state_terms: Mapping[ConsentState, tuple[str, str]]
    """The DPV term and the OSLO ToestemmingStatus, which says less."""


@cache
def purpose_list() -> PurposeList:
    """The list that ships with the product, read once."""
    return read_purposes(files("policies").joinpath("purposes.yaml").read_bytes())


def purpose(code: str) -> Purpose | None:
    """The purpose with this code, or nothing: prohibited and unknown codes have none."""
    return purpose_list().purposes.get(code)


def is_prohibited(code: str) -> bool:
    """Whether this is the code (P90 to P95) or another name of a prohibited use."""
    return code in purpose_list().prohibited


def implied_by(operation: Operation) -> frozenset[Operation]:
    """The operations any of which allows this one: who may download may view too."""
    return purpose_list().implied[operation]


@lru_cache(maxsize=4096)
def may_use(code: str, named: frozenset[str]) -> frozenset[FieldId]:
    """What a purpose may use of a grant that names these sections and fields.

    Its default fields, and those of its optional ones that the grant names, by themselves or
    by their section (gdpr-minimise). Nothing when the purpose is unknown.
    """
    use = purpose(code)
    if use is None:
        return frozenset()
    return use.default_fields | {
        each for each in use.optional_fields if each in named or each.partition(".")[0] in named
    }


@lru_cache(maxsize=256)
def profile(code: str) -> frozenset[FieldId]:
    """All that a purpose could ever use: default and optional. Nothing when it is unknown."""
    use = purpose(code)
    return use.default_fields | use.optional_fields if use else frozenset()


@lru_cache(maxsize=256)
def asked_by_default(code: str) -> frozenset[Section]:
    """The sections that are asked for when a request names none: all the purpose may use."""
    return frozenset(Section(each.partition(".")[0]) for each in profile(code))


def read_purposes(data: bytes) -> PurposeList:
    """The list that a file holds.

    Raises `InvalidPurposes` for anything unknown, missing or contradictory, and `InvalidYaml`
    for what is no YAML.
    """
    raw = read_yaml(data)
    try:
        return _list(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidPurposes(repr(error)) from error


def _list(raw: Mapping[str, Any]) -> PurposeList:
    prohibited = [_prohibited(code, each) for code, each in raw["prohibited"].items()]
    named = {name: each for each in prohibited for name in (each.code, *each.aliases)}
    if lost := PROHIBITED - named.keys():
        raise InvalidPurposes(f"no longer prohibited: {sorted(lost)}")
    if overlap := named.keys() & raw["purposes"].keys():
        raise InvalidPurposes(f"both allowed and prohibited: {sorted(overlap)}")
    terms = frozenset[str]().union(*(each.dpv for each in prohibited))
    for code, each in raw["purposes"].items():
        if meant := terms.intersection(each["dpv"]):
            raise InvalidPurposes(f"{code} is a prohibited use by its terms: {sorted(meant)}")
    operations = {Operation(name): each for name, each in raw["operations"].items()}
    implies = {
        name: {*map(Operation, each.get("implies", ()))} for name, each in operations.items()
    }
    return PurposeList(
        version=raw["version"],
        purposes=MappingProxyType(
            {code: _purpose(code, each) for code, each in raw["purposes"].items()}
        ),
        prohibited=MappingProxyType(named),
        prefixes=MappingProxyType(raw["prefixes"]),
        operation_terms=MappingProxyType({name: each["dpv"] for name, each in operations.items()}),
        implied=MappingProxyType(
            {
                each: frozenset({each, *(other for other in implies if each in implies[other])})
                for each in Operation
            }
        ),
        functions=MappingProxyType(raw["functions"]),
        data_categories=MappingProxyType(
            {each: tuple(raw["data_categories"][each]) for each in Section}
        ),
        state_terms=MappingProxyType(
            {
                each: (raw["states"][each]["dpv"], raw["states"][each]["oslo"])
                for each in ConsentState
            }
        ),
    )


def _prohibited(code: str, raw: Mapping[str, Any]) -> Prohibited:
    return Prohibited(
        code=code,
        labels=MappingProxyType(raw["label"]),
        dpv=tuple(raw["dpv"]),
        aliases=tuple(raw["aliases"]),
    )


def _purpose(code: str, raw: Mapping[str, Any]) -> Purpose:
    recipients = raw["recipients"]
    default, optional = _fields(raw["default"]), _fields(raw["optional"])
    if default & optional:
        raise InvalidPurposes(f"{code}: both default and optional")
    duration = re.fullmatch(r"P([1-9][0-9]?)M", raw["validity"])
    if not duration and raw["validity"] not in {"programme", "statutory"}:
        raise InvalidPurposes(f"{code}: validity")
    return Purpose(
        code=code,
        labels=MappingProxyType(raw["label"]),
        dpv=tuple(raw["dpv"]),
        org_types=frozenset(map(OrganisationType, recipients["org_types"])),
        partnerships_allowed=recipients.get("partnerships_allowed", False),
        own_org_only=recipients.get("own_org_only", False),
        categories_allowed=recipients.get("categories_allowed", False),
        default=tuple(raw["default"]),
        optional=tuple(raw["optional"]),
        default_fields=default,
        optional_fields=optional,
        validity=raw["validity"],
        months=int(duration[1]) if duration else None,
        until_event=raw.get("until_event"),
        until_event_grace=raw.get("until_event_grace"),
        aggregate_only=raw.get("aggregate_only", False),
        log_only=raw.get("log_only", False),
        functions_needed=tuple(raw["functions_needed"]),
        legal_basis=MappingProxyType(
            {kind: tuple(each) for kind, each in raw["legal_basis"].items()}
        ),
        refusal_costs=frozenset(map(OrganisationType, raw.get("refusal_costs", ()))),
    )


def _fields(names: Iterable[str]) -> frozenset[FieldId]:
    """The fields behind names of sections and of single fields."""
    found: set[FieldId] = set()
    for name in names:
        section, _, field = name.partition(".")
        found |= (
            {summary_model().fields[FieldId(name)].id} if field else fields_of(Section(section))
        )
    return frozenset(found)
