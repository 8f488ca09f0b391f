"""The rules written in Cedar. They can only take away, and anything but a clean yes is a no.

Cedar skips a `forbid` that errs, accepts an empty set and two policies with one `@id`: so all
of that is looked for before a set is used, and an answer counts only when it is free of errors
and comes from the rules we know.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cedarpy

from policies.decision import RecipientFacts
from policies.summary_model import summary_model
from policies.vocabulary import OrganisationType, Reason, Section

SHIPPED = Path(__file__).parent / "rules"
BASE = "BASE_PERMIT"
HARD_RULES = tuple(f"HARD_RULE_H{number}" for number in range(1, 11))
_REMEMBERED = 4096


class RulesRefused(Exception):
    """The rules may not be used: nothing is decided with them. `findings` says why, all of it."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class _Rule:
    file: str
    origin: str
    """The folder of the file: `hard`, `site`, or nothing for the base permit."""
    id: str
    says: str
    effect: str
    names: frozenset[tuple[str, str]]
    """Type and id of every entity it speaks of."""


class Overlay:
    """The rules, ready to be asked. Safe for many threads; answers are remembered.

    `fingerprint` is the SHA-256 of rules and schema, in hex; `ids` the rules in the order in
    which they are named when several forbid; `says` what a rule says of itself (`@says`), by id.
    """

    def __init__(
        self,
        policies: str,
        schema: str,
        ids: Sequence[str],
        says: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        digest = hashlib.sha256(json.dumps([policies, schema]).encode())
        self.fingerprint = digest.hexdigest()
        self.ids = tuple(ids)
        self.says = says
        self._policies = cedarpy.PolicySet.from_str(policies)
        self._schema = cedarpy.Schema.from_str(schema)
        self._release = lru_cache(maxsize=_REMEMBERED)(self._ask_release)
        self._emit = lru_cache(maxsize=_REMEMBERED)(self._ask_emit)
        self._all = lru_cache(maxsize=_REMEMBERED)(self._ask_all)

    def forbids(
        self,
        recipient: RecipientFacts,
        purpose: str,
        section: str,
        *,
        old_consent: bool = False,
        real_number: bool = False,
    ) -> str | None:
        """The `@id` of the first rule that keeps this section from this recipient, or nothing.

        A name that is no section of the summary model is of class X. `old_consent`: it would
        rest on a consent older than 24 months; `real_number`: see `Facts`. `GATE_FAILED` when
        there is no clean answer.
        """
        return self._release(recipient, purpose, section, old_consent, real_number)

    def forbidden(
        self, recipient: RecipientFacts, purpose: str, *, real_number: bool = False
    ) -> Mapping[Section, str]:
        """Every section that some rule keeps back, with the `@id` of the first such rule."""
        return self._all(recipient, purpose, real_number)

    def forbids_code(self, recipient: RecipientFacts, field: str, code: str) -> str | None:
        """The `@id` of the first rule against writing out this code of this field, or nothing."""
        return self._emit(recipient, field, code)

    def _ask_all(
        self,
        recipient: RecipientFacts,
        purpose: str,
        real_number: bool,  # noqa: FBT001 - a cache key
    ) -> Mapping[Section, str]:
        answers = {
            each: self.forbids(recipient, purpose, each, real_number=real_number)
            for each in Section
        }
        return MappingProxyType({each: code for each, code in answers.items() if code})

    def _ask_release(
        self,
        recipient: RecipientFacts,
        purpose: str,
        section: str,
        old_consent: bool,  # noqa: FBT001 - a cache key
        real_number: bool,  # noqa: FBT001
    ) -> str | None:
        known = section in Section.__members__.values()
        cls = summary_model().sections[Section(section)].cls if known else "X"
        context = {
            "purpose": purpose,
            "consent_older_than_24_months": old_consent,
            "real_number": real_number,
        }
        resource = _entity("Section", str(section), {"class": cls})
        return self._answer(recipient, "release", resource, context)

    def _ask_emit(self, recipient: RecipientFacts, field: str, code: str) -> str | None:
        resource = _entity("Code", f"{field}={code}", {"field": field, "code": code})
        return self._answer(recipient, "emit", resource, {})

    def _answer(
        self,
        recipient: RecipientFacts,
        action: str,
        resource: dict[str, Any],
        context: dict[str, Any],
    ) -> str | None:
        principal = _entity(
            "Recipient",
            str(recipient.type),
            {
                "accredited": recipient.accredited,
                "in_eea": recipient.in_eea,
                "insz_authorised": recipient.insz_authorised,
            },
        )
        # Structured ids only: written as text, a quote in an id could break out of it.
        request = {
            "principal": principal["uid"],
            "action": {"type": "Action", "id": action},
            "resource": resource["uid"],
            "context": context,
        }
        try:
            result = cedarpy.is_authorized(
                request, self._policies, [principal, resource], self._schema
            )
            return self._reading(result)
        except Exception:  # noqa: BLE001 - whatever went wrong, it was not a yes
            return Reason.GATE_FAILED

    def _reading(self, result: Any) -> str | None:
        told = result.diagnostics
        ids = {told.id_annotations_by_reason.get(each) for each in told.reasons}
        if told.errors or not ids <= {BASE, *self.ids}:
            return Reason.GATE_FAILED
        if result.decision is cedarpy.Decision.Allow and ids == {BASE}:
            return None
        if result.decision is cedarpy.Decision.Deny and BASE not in ids:
            return next((each for each in self.ids if each in ids), Reason.GATE_FAILED)
        return Reason.GATE_FAILED


def load_overlay(hard: Path = SHIPPED / "hard", site: Path | None = SHIPPED / "site") -> Overlay:
    """The hard rules, and those of the installation from the folder `site`, if it has any.

    `base.cedar` and `schema.cedarschema` stand beside the folder `hard`. Raises
    `RulesRefused` with every finding: a file that does not parse or does not fit the schema,
    a missing hard rule, an `@id` that is missing, of the wrong form or there twice, a permit
    besides the base one, a name that does not exist.
    """
    findings: list[str] = []
    rules: list[_Rule] = []
    texts: list[str] = []
    for path, origin in _files(hard, site, findings):
        texts.append(_text(path, findings))
        rules += _rules(path.name, origin, texts[-1], findings)
    schema = _text(hard.parent / "schema.cedarschema", findings)
    findings += [*_missing(rules), *_misnamed(rules)]
    # The very text that is parsed is validated; evaluation alone would let an error pass.
    policies = "\n".join(texts)
    validation = cedarpy.validate_policies(policies, schema)
    findings += [str(each) for each in validation.errors]
    if findings or not validation.validation_passed:
        raise RulesRefused(findings)
    says = {each.id: each.says for each in rules if each.says}
    return Overlay(policies, schema, [each.id for each in rules if each.origin], says)


def _files(hard: Path, site: Path | None, findings: list[str]) -> Iterator[tuple[Path, str]]:
    yield hard.parent / "base.cedar", ""
    for folder, origin in ((hard, "hard"), (site, "site")):
        if folder is None:
            continue
        if not folder.is_dir():
            findings.append(f"{folder}: no such folder")
        # h2 before h10: the first rule of this order is the one that is named.
        for path in sorted(folder.glob("*.cedar"), key=lambda each: (len(each.stem), each.stem)):
            yield path, origin


def _text(path: Path, findings: list[str]) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        findings.append(f"{path.name}: cannot be read")
        return ""


def _rules(file: str, origin: str, text: str, findings: list[str]) -> list[_Rule]:
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        findings.append(f"{file}: {error}")
        return []
    if parsed["templates"]:
        findings.append(f"{file}: a template says nothing by itself")
    return [
        _Rule(
            file,
            origin,
            str(each.get("annotations", {}).get("id") or ""),
            str(each.get("annotations", {}).get("says") or ""),
            each["effect"],
            frozenset(_names(each)),
        )
        for each in parsed["staticPolicies"].values()
    ]


def _names(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("type"), str) and isinstance(node.get("id"), str):
            yield node["type"], node["id"]
        for each in node.values():
            yield from _names(each)
    elif isinstance(node, list):
        for each in node:
            yield from _names(each)


def _missing(rules: Sequence[_Rule]) -> Iterator[str]:
    ids = [each.id for each in rules]
    for expected in (BASE, *HARD_RULES):
        if expected not in ids:
            yield f"{expected} is missing"
    for each in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"{each or 'no @id'} is there twice"


def _misnamed(rules: Sequence[_Rule]) -> Iterator[str]:
    known = {
        *(("Recipient", each.value) for each in OrganisationType),
        *(("Section", each.value) for each in Section),
    }
    for rule in rules:
        forms = {"": BASE, "hard": "|".join(HARD_RULES), "site": "SITE_[A-Z0-9_]{1,60}"}
        if not re.fullmatch(forms[rule.origin], rule.id):
            yield f"{rule.file}: @id {rule.id!r} does not belong here"
        if (rule.effect == "permit") != (rule.origin == ""):
            yield f"{rule.file}: only the base may permit, and must"
        for kind, name in sorted(rule.names):
            if kind in {"Recipient", "Section"} and (kind, name) not in known:
                yield f"{rule.file}: {kind} {name!r} does not exist"


def _entity(kind: str, name: str, attributes: Mapping[str, object]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": dict(attributes), "parents": []}
