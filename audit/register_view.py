"""Entries in the form of a register of consultations: who, about whom, what, why, when.

`register_event` is our own form (schema audit-event), `registration` the body that MAGDA's
Auditregister takes; its names are in auditregister.json, since not all of them are certain.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.views import House, Shown

MAPPING = Path(__file__).with_name("auditregister.json")
_DECISIONS = {"permit": "allow", "deny": "deny"}
_CODES = (
    "OK OK_FILTERED NO_ACTIVE_PROTOCOL RECIPIENT_NOT_ACCREDITED NO_CARE_RELATION PURPOSE_UNKNOWN"
    " PURPOSE_PROHIBITED NO_CONSENT CONSENT_REFUSED CONSENT_WITHDRAWN CONSENT_EXPIRED"
    " CONSENT_STALE_NOTICE CAPACITY_MISSING CAPACITY_CHANGED_AGE18 EXPLICIT_DENIAL"
    " HARD_RULE_H1 HARD_RULE_H2 HARD_RULE_H3 HARD_RULE_H4 HARD_RULE_H5 HARD_RULE_H6 HARD_RULE_H7"
    " HARD_RULE_H8 HARD_RULE_H9 HARD_RULE_H10 SUBJECT_RESTRICTED QUARANTINED USES_EXHAUSTED"
    " RATE_LIMITED UNKNOWN_CLIENT GATE_FAILED CONSENT_SUSPENDED CONSENT_NOT_FOUND"
    " ALREADY_WITHDRAWN"
)
REASONS = frozenset(_CODES.split())
"""The reasons that the register's form knows."""
_FORMS = {
    "protocol": re.compile(r"PR-[0-9]{4}-[0-9]{3}"),
    "consent": re.compile(r"c-[0-9a-z-]{4,40}"),
    "grant": re.compile(r"g[0-9]+"),
    "purpose": re.compile(r"P([1-9]|10|9[0-5])"),
}
_is_uuid = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
).fullmatch
_LONGEST_POLICY, _LONGEST_APPLICATION, _LONGEST_WORD = 40, 80, 40


def register_event(entry: Shown, house: House) -> dict[str, Any] | None:
    """The entry as the register knows it; nothing for one about the log, which is about nobody.

    What is sealed and not shown is left out: a refusal then has the reason that says no more.
    """
    if not entry.personal:
        return None
    body, handover = entry.body, str(entry.detail.get("handover", ""))
    return {
        "seq": entry.index + 1,
        "prev_hash": entry.before.hex(),
        "hash": entry.leaf_hash.hex(),
        "time": entry.time,
        "correlation_id": handover if _is_uuid(handover) else body["q"],
        "tracing_id": body["q"],
        "request_id": body["id"],
        "event": entry.kind,
        "decision": _DECISIONS.get(body["o"], "none"),
        "reason": _reason(entry),
        "who": _who(entry, house),
        "about": house.pseudonym("sub", entry.client) if entry.client else None,
        "what": _what(entry),
        "why": _why(entry),
        "subject_under_inquiry": bool(entry.client) and house.under_inquiry(str(entry.client)),
        "policy_version": body["pv"][:_LONGEST_POLICY],
    }


def registration(entry: Shown, house: House) -> dict[str, Any] | None:
    """The body of POST /audit/v1/registraties for the entry; nothing for one about the log."""
    event = register_event(entry, house)
    if event is None:
        return None
    names: Mapping[str, str] = json.loads(MAPPING.read_text("utf-8"))
    body: dict[str, Any] = {}
    for name, source in names.items():
        value: Any = event
        for step in source.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            *folders, last = name.split(".")
            into = body
            for folder in folders:
                into = into.setdefault(folder, {})
            into[last] = value
    return body


def _reason(entry: Shown) -> str:
    if entry.body["o"] != "deny":
        said = entry.detail.get("reason")
        return said if said in ("OK", "OK_FILTERED") else "OK"
    said = entry.detail.get("reason")
    return said if said in REASONS else "GATE_FAILED"


def _who(entry: Shown, house: House) -> dict[str, Any]:
    actor = entry.actor
    who = {
        "org": entry.acting or house.organisation,
        "app": entry.body["ap"].removeprefix("app:")[:_LONGEST_APPLICATION],
    }
    if actor.get("user"):
        who["user"] = house.pseudonym("act", actor["user"])
    if actor.get("capacity"):
        who["capacity"] = actor["capacity"][:_LONGEST_WORD]
    return who


def _what(entry: Shown) -> dict[str, Any]:
    detail = entry.detail
    what: dict[str, Any] = {}
    if "d" in entry.body:
        what["sections_requested"] = entry.body["d"]
    if "fields" in detail:
        what["fields_released"] = detail["fields"]
    if "filtered" in detail:
        what["fields_filtered_count"] = detail["filtered"]
    return what


def _why(entry: Shown) -> dict[str, Any]:
    detail = entry.detail
    said = {
        "protocol": detail.get("protocol"),
        "consent": detail.get("consent") or next(iter(detail.get("consents", ())), None),
        "grant": next(iter(detail.get("grants", ())), None),
        # As asked: what was refused may be no purpose at all.
        "purpose": entry.body.get("u"),
    }
    why = {
        name: value for name, value in said.items() if value and _FORMS[name].fullmatch(str(value))
    }
    if detail.get("basis"):
        why["legal_context"] = detail["basis"][:64]
    return why
