"""The members of a consent record, and what each of them must look like."""

from collections.abc import Mapping
from typing import Any

from consent.content import EVERY_SECTION
from consent.shape import (
    Described,
    Member,
    a_day,
    counted,
    flag,
    listed,
    matching,
    nested,
    one_of,
    schema_of,
    several,
    shape_schema,
    words,
)
from policies.summary_model import summary_model
from policies.vocabulary import FieldId, Operation, Section

_SHA256 = matching(r"[0-9a-f]{64}")
_NAME = matching(r"[a-z_]+(\.[a-z0-9_]+)?", 80)
_SECTIONS = several(one_of(frozenset(Section)))
_LEVELS = frozenset(
    {"exact", "day", "month", "year", "year_band5", "age_band", "municipality", "province"}
    | {"nat_group", "lang_group", "ilo", "count", "months_only", "category", "masked"}
)
_TEACH_BACK = one_of({"passed", "failed", "not_done"})
_METHODS = frozenset(
    {"digital_eID", "itsme", "portal_click", "paper_scan"}
    | {"oral_witnessed", "oral_interpreter", "proxy"}
)
_RECIPIENT = (
    r"org:[a-z0-9-]+|org-site:[a-z0-9-]+/[a-z0-9-]+|category:[a-z_]+(,[a-z0-9-]+)?"
    r"|partnership:[a-z0-9-]+@[0-9]{4}-[0-9]{2}-[0-9]{2}"
)
_DENIED = r"any|relation:(parent|family|employer)|org:[a-z0-9-]+|category:[a-z_]+"


def _precisions(value: object) -> bool:
    known = summary_model().fields
    return isinstance(value, Mapping) and all(
        isinstance(level, str) and level in _LEVELS and FieldId(field) in known
        for field, level in value.items()
    )


def _denied_sections(value: object) -> bool:
    return value == EVERY_SECTION or _SECTIONS(value)


def _freedom_check(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() <= _ASKED_FREELY
        and all(map(flag, value.values()))
    )


_ASKED_FREELY = frozenset({"asked_alone", "no_effect_on_regime_stated"})
_FREEDOM_CHECK = {
    "type": "object",
    "properties": dict.fromkeys(sorted(_ASKED_FREELY), schema_of(flag)),
    "additionalProperties": False,
}
_DENIED_SECTIONS = {"anyOf": [{"const": EVERY_SECTION}, schema_of(_SECTIONS)]}
_PRECISIONS = {
    "type": "object",
    "propertyNames": {"enum": sorted(summary_model().fields)},
    "additionalProperties": {"enum": sorted(_LEVELS)},
}

RECORD: Mapping[str, Member] = {
    "functions": (
        several(one_of({"gdpr_basis", "secrecy_release", "explicit_mandate", "tracking"})),
        True,
    ),
    "capacity": (nested, True),
    "notice": (nested, True),
    "evidence": (nested, True),
    "grants": (listed, True),
    "denials": (listed, False),
    "refused": (listed, False),
    "preview": (_SHA256, False),
}

CAPACITY: Mapping[str, Member] = {
    "type": (one_of({"adult", "capable_minor", "minor_with_parent", "guardian"}), True),
    "assessed_by": (words(60), False),
    "on": (a_day, False),
    "parents": (one_of({"informed", "not_informed_at_minors_request", "co_signed"}), False),
    "mandate": (nested, False),
}

MANDATE: Mapping[str, Member] = {
    "sha256": (_SHA256, True),
    "until": (a_day, False),
    "purposes": (several(matching(r"P[0-9]{1,3}")), True),
    "sections": (_SECTIONS, False),
}

NOTICE: Mapping[str, Member] = {
    "id": (matching(r"N-[A-Za-z0-9-]+", 60), True),
    "version": (matching(r"[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?"), True),
    "lang": (matching(r"[a-z]{2,3}(-[a-z]{1,10})?"), True),
    "channel": (matching(r"[a-z_]+(\+[a-z_]+)*", 60), True),
    "interpreter": (words(40), False),
    "teach_back": (_TEACH_BACK, False),
    "interpreter_kind": (one_of({"certified", "relative", "none"}), False),
    "sha256": (_SHA256, False),
}

EVIDENCE: Mapping[str, Member] = {
    "method": (one_of(_METHODS), True),
    "auth": (words(40), False),
    "place": (words(60), False),
    "witness": (words(60), False),
    "sha256": (_SHA256, False),
    "freedom_check": (Described(_freedom_check, _FREEDOM_CHECK), False),
}

GRANT: Mapping[str, Member] = {
    "id": (matching(r"g[0-9]{1,6}"), False),
    "purpose": (matching(r"P[0-9]{1,3}"), True),
    "recipient": (matching(_RECIPIENT), True),
    "sections": (several(_NAME), True),
    "fields": (several(_NAME), False),
    "include": (several(_NAME), False),
    "exclude": (several(_NAME, least=0), False),
    "ops": (several(one_of(frozenset(Operation))), True),
    "precision": (Described(_precisions, _PRECISIONS), False),
    "from": (a_day, False),
    "until": (a_day, False),
    "until_event": (
        one_of({"first_contact", "trajectory_closed", "age_18", "release"}),
        False,
    ),
    "max_uses": (counted, False),
    "onward": (flag, False),
    "teach_back": (_TEACH_BACK, False),
}

DENIAL: Mapping[str, Member] = {
    "sections": (Described(_denied_sections, _DENIED_SECTIONS), True),
    "recipient": (matching(_DENIED), True),
}

REFUSAL: Mapping[str, Member] = {
    "purpose": (matching(r"P[0-9]{1,3}"), True),
    "recipient": (matching(f"any|{_RECIPIENT}"), True),
}

RENEWAL: Mapping[str, Member] = {
    "notice": (nested, True),
    "evidence": (nested, True),
    "until": (a_day, False),
    "preview": (_SHA256, False),
}


_ASSESSED = {
    "anyOf": [
        {"properties": {"type": {"not": {"const": "capable_minor"}}}},
        {"required": ["assessed_by", "on"]},
    ]
}
_ENDS = {"anyOf": [{"required": ["until"]}, {"required": ["until_event"]}]}
_SAID = ("grants", "denials", "refused")
"""A consent says something: one of these is not empty."""


def record_schema() -> dict[str, Any]:
    """A consent record as it is sent, in JSON Schema made from the tables that it is held to."""
    record = shape_schema(
        RECORD,
        capacity=shape_schema(CAPACITY, mandate=shape_schema(MANDATE)) | _ASSESSED,
        notice=shape_schema(NOTICE),
        evidence=shape_schema(EVIDENCE),
        grants={"items": shape_schema(GRANT) | _ENDS},
        denials={"items": shape_schema(DENIAL)},
        refused={"items": shape_schema(REFUSAL)},
    )
    said = ({"properties": {name: {"minItems": 1}}, "required": [name]} for name in _SAID)
    return record | {"anyOf": list(said)}


def renewal_schema() -> dict[str, Any]:
    """A renewal as it is sent, in JSON Schema made from the tables that it is held to."""
    said = {"notice": shape_schema(NOTICE), "evidence": shape_schema(EVIDENCE)}
    return shape_schema(RENEWAL, **said)
