"""What our policies and views in JSON-LD are written with: names of ours, and pinned contexts."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from policies.agreement_document import Flow
from policies.purposes import Prohibited, Purpose, purpose_list
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, Operation, Section

PROFILE = "urn:overdracht:odrl:1"
"""Our profile of ODRL 2.2: purposes, sections, fields, operations and precisions are ours."""

_URN = "urn:overdracht:"
SUMMARY = f"{_URN}summary"
CLIENT = f"{_URN}party:client"
ORGANISATION = f"{_URN}recipient:org:"
_WITHIN = {Operation.AGGREGATE: "aggregate", Operation.ONWARD: "distribute"}


@cache
def context(name: str) -> Mapping[str, Any]:
    """A JSON-LD context of ours, read once. It stands in the document: nothing is fetched."""
    text = files("policies").joinpath(f"contexts/{name}.json").read_text("utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


def purpose_iri(code: str) -> str:
    """Our name for a purpose, allowed or prohibited."""
    return f"{_URN}purpose:{code}"


def field_iri(field: str) -> str:
    """Our name for a field of the summary."""
    return f"{_URN}field:{field}"


def action_iri(operation: Operation) -> str:
    """Our name for what a recipient may do."""
    return f"{_URN}action:{operation}"


def precision_iri(field: str) -> str:
    """What a limit on a field's precision is compared with; its levels go from coarse to fine."""
    return f"{_URN}precision:{field}"


def assets(fields: Iterable[FieldId]) -> list[str]:
    """The fields as assets: a section where all of it is meant, else field by field."""
    held = frozenset(fields)
    whole = [each for each in Section if fields_of(each) <= held]
    covered = frozenset[FieldId]().union(*map(fields_of, whole))
    return [f"{_URN}section:{each}" for each in whole] + [
        field_iri(each) for each in sorted(held - covered)
    ]


def limit(operand: str, operator: str, value: object) -> dict[str, Any]:
    """One constraint: the operand compared with a value, or with any of some."""
    return {"leftOperand": operand, "operator": operator, "rightOperand": value}


def for_purposes(codes: Iterable[str]) -> dict[str, Any]:
    """The constraint that something is done for one of these purposes."""
    return limit("purpose", "isAnyOf", [{"@id": purpose_iri(each)} for each in codes])


def on_days(first: date | None, last: date | None) -> list[dict[str, Any]]:
    """The constraints to the days from first to last, both included."""
    bounds = (("gteq", first), ("lteq", last))
    return [
        limit("dateTime", operator, {"@value": day.isoformat(), "@type": "xsd:date"})
        for operator, day in bounds
        if day is not None
    ]


def vocabulary(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every word of ours that these rules use, with the terms of DPV that it stands under."""
    used = set(_words(rules))
    told = [*_assets(used), *_purposes(used), *_actions(used)]
    operands = sorted(each for each in used if each.startswith(precision_iri("")))
    return told + [{"@id": each, "@type": "LeftOperand"} for each in operands]


def _words(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _words(each)
    elif isinstance(value, Iterable):
        for each in value:
            yield from _words(each)


def _assets(used: set[str]) -> Iterable[dict[str, Any]]:
    if SUMMARY in used:
        yield {"@id": SUMMARY, "@type": "AssetCollection"}
    for section in Section:
        single = sorted(each for each in used if each.startswith(field_iri(f"{section}.")))
        name = f"{_URN}section:{section}"
        if name in used or single:
            terms = list(purpose_list().data_categories[section])
            yield {"@id": name, "@type": "AssetCollection", "dpv:hasPersonalData": terms} | {
                "partOf": SUMMARY
            }
        yield from ({"@id": each, "@type": "Asset", "partOf": name} for each in single)


def _purposes(used: set[str]) -> Iterable[dict[str, Any]]:
    known = purpose_list()
    uses: dict[str, Purpose | Prohibited] = {**known.purposes}
    uses |= {each.code: each for each in known.prohibited.values()}
    for code, use in uses.items():
        if purpose_iri(code) in used:
            labels = [{"@language": lang, "@value": text} for lang, text in use.labels.items()]
            yield {
                "@id": purpose_iri(code),
                "@type": "dpv:Purpose",
                "skos:prefLabel": labels,
                "skos:broader": list(use.dpv),
            }


def _actions(used: set[str]) -> Iterable[dict[str, Any]]:
    for operation, term in purpose_list().operation_terms.items():
        if action_iri(operation) in used:
            yield {
                "@id": action_iri(operation),
                "@type": "Action",
                "includedIn": _WITHIN.get(operation, "use"),
                "skos:broader": term,
            }


def said_beside(flow: Flow) -> dict[str, Any]:
    """What neither form has a word for: how many persons, how long, and in whose name."""
    known = {"term:personsPerYear": flow.persons_per_year, "term:keepMonths": flow.keep_months}
    instructs = {"term:instructs": True} if flow.instructs else {}
    return {name: held for name, held in known.items() if held is not None} | instructs
