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
from typing import Any, NamedTuple

import cedarpy

from policies.decision import RecipientFacts
from policies.rule_space import Mentions, Question, class_of, mentions_in
from policies.rule_texts import (
    Finding,
    RulesRefused,
    fingerprint_of,
    in_order,
    read_set,
    statements,
)
from policies.vocabulary import OrganisationType, Reason, Section

SHIPPED = Path(__file__).parent / "rules"
BASE = "BASE_PERMIT"
HARD_RULES = tuple(f"HARD_RULE_H{number}" for number in range(1, 11))
_REMEMBERED = 4096
_AT_FAULT = re.compile(r"`policy([0-9]+)`")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it was read. `says` has its words by language (`@en`, `@fr`, `@nl`)."""

    file: str
    line: int
    text: str
    origin: str
    """`hard`, `site`, or nothing for the base permit."""
    id: str
    effect: str
    says: Mapping[str, str]
    mentions: Mentions
    only_to: str | None
    """The one kind of recipient that it is about by its head, if it is about one."""


class Spoken(NamedTuple):
    """The rules that forbid, in order, and those that erred. `clean`: it can be relied on."""

    rules: tuple[str, ...]
    erred: tuple[str, ...]
    clean: bool


class _Slice(NamedTuple):
    """The rules whose head lets them be about one kind of recipient, parsed, and their ids."""

    policies: Any
    ids: tuple[str, ...]
    sections: frozenset[str] = frozenset(Section)
    """Those that they write down: all others of one class are one to them."""


class _Kept(NamedTuple):
    sections: Mapping[Section, str]
    failing: tuple[str, ...]


class Overlay:
    """The rules, ready to be asked. Safe for many threads; answers are remembered.

    `fingerprint` is the SHA-256 of rules and schema, in hex; `ids` the rules in the order in
    which they are named when several forbid; `rules` are those that it was read from, and
    `site` the fingerprint of the installation's own.
    """

    def __init__(
        self,
        policies: str,
        schema: str,
        ids: Sequence[str],
        rules: Sequence[Rule] = (),
        site: str = "",
    ) -> None:
        digest = hashlib.sha256(json.dumps([policies, schema]).encode())
        self.fingerprint = digest.hexdigest()
        self.ids, self.rules, self.site = tuple(ids), tuple(rules), site
        self._whole = _Slice(cedarpy.PolicySet.from_str(policies), tuple(each.id for each in rules))
        self._slices = _sliced(rules)
        self._schema = cedarpy.Schema.from_str(schema)
        self._release = lru_cache(maxsize=_REMEMBERED)(self._ask_release)
        self._emit = lru_cache(maxsize=_REMEMBERED)(self._ask_emit)
        self._all = lru_cache(maxsize=_REMEMBERED)(self._ask_all)

    @property
    def says(self) -> Mapping[str, Mapping[str, str]]:
        """What rules say of themselves: by id, then by language."""
        return {each.id: each.says for each in self.rules if each.says}

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
        return self._all(recipient, purpose, real_number).sections

    def failing(
        self, recipient: RecipientFacts, purpose: str, *, real_number: bool = False
    ) -> tuple[str, ...]:
        """The rules that erred when `forbidden` was answered: each was a no, and is an alarm."""
        return self._all(recipient, purpose, real_number).failing

    def forbids_code(self, recipient: RecipientFacts, field: str, code: str) -> str | None:
        """The `@id` of the first rule against writing out this code of this field, or nothing."""
        return self._emit(recipient, field, code)

    def speaking(self, question: Question) -> Spoken:
        """Every rule that forbids it, not the first alone. Nothing is remembered."""
        return self._ask(question.recipient, [question])[0]

    def _ask_all(
        self,
        recipient: RecipientFacts,
        purpose: str,
        real_number: bool,  # noqa: FBT001 - a cache key
    ) -> _Kept:
        named = self._slices.get(recipient.type, self._whole).sections
        like = {each: each.value if each in named else class_of(each) for each in Section}
        one_of_each = {alike: each for each, alike in like.items()}
        questions = [
            Question(recipient, purpose, each, real_number=real_number)
            for each in one_of_each.values()
        ]
        answers = self._ask(recipient, questions)
        first = {alike: _first(each) for alike, each in zip(one_of_each, answers, strict=True)}
        told = {each: first[alike] for each, alike in like.items()}
        unclean = any(not each.clean for each in answers)
        erred = dict.fromkeys(id for each in answers for id in each.erred)
        failing = tuple(erred) or ("cedar",)
        sections = {each: code for each, code in told.items() if code}
        return _Kept(MappingProxyType(sections), failing if unclean else ())

    def _ask_release(
        self,
        recipient: RecipientFacts,
        purpose: str,
        section: str,
        old_consent: bool,  # noqa: FBT001 - a cache key
        real_number: bool,  # noqa: FBT001
    ) -> str | None:
        asked = Question(recipient, purpose, section, old_consent, real_number)
        return _first(self.speaking(asked))

    def _ask_emit(self, recipient: RecipientFacts, field: str, code: str) -> str | None:
        return _first(self.speaking(Question(recipient, field=field, code=code)))

    def _ask(self, recipient: RecipientFacts, questions: Sequence[Question]) -> list[Spoken]:
        """An answer to each, all about one recipient; one crossing into Cedar for all of them."""
        part = self._slices.get(recipient.type, self._whole)
        about = [_entities(each) for each in questions]
        known = {(each["uid"]["type"], each["uid"]["id"]): each for pair in about for each in pair}
        try:
            results = cedarpy.is_authorized_batch(
                [_request(each, *pair) for each, pair in zip(questions, about, strict=True)],
                part.policies,
                list(known.values()),
                self._schema,
            )
            answers = [self._reading(each, part.ids) for each in results]
        except Exception:  # noqa: BLE001 - whatever went wrong, it was not a yes
            answers = []
        whole = len(answers) == len(questions)
        return answers if whole else [Spoken((), (), clean=False)] * len(questions)

    def _reading(self, result: Any, asked: Sequence[str]) -> Spoken:
        told = result.diagnostics
        ids = {told.id_annotations_by_reason.get(each) for each in told.reasons}
        rules = tuple(each for each in self.ids if each in ids)
        positions = [int(at) for each in told.errors for at in _AT_FAULT.findall(each)]
        erred = tuple(asked[at] if at < len(asked) else "cedar" for at in positions)
        allowed = result.decision is cedarpy.Decision.Allow and ids == {BASE}
        denied = result.decision is cedarpy.Decision.Deny and bool(rules) and ids <= {*self.ids}
        return Spoken(rules, erred, clean=not told.errors and (allowed or denied))


def load_overlay(
    hard: Path = SHIPPED / "hard", site: Path | Mapping[str, str] | None = None
) -> Overlay:
    """The hard rules, and those of the installation: a folder, or the text of files by name.

    `base.cedar` and `schema.cedarschema` stand beside the folder `hard`. Raises
    `RulesRefused` with every finding: a file that does not parse or does not fit the schema,
    a missing hard rule, an `@id` that is missing, of the wrong form or there twice, a permit
    besides the base one, a name that does not exist.
    """
    findings: list[Finding] = []
    base = _text(hard.parent / "base.cedar", findings)
    schema = _text(hard.parent / "schema.cedarschema", findings)
    sets = [({"base.cedar": base}, ""), (_files(hard, findings), "hard")]
    own = _files(site, findings)
    texts, rules = [], list[Rule]()
    for files, origin in (*sets, (own, "site")):
        for name, text in in_order(files):
            texts.append(text)
            rules += _rules(name, origin, text, schema, findings)
    if not any(each.origin == "site" for each in rules) and own:
        findings += [Finding(name, 0, "there is no rule in it") for name in own]
    findings += [*_missing(rules), *_misnamed(rules)]
    # The very text that is parsed is validated; evaluation alone would let an error pass.
    policies = "\n".join(texts)
    validation = cedarpy.validate_policies(policies, schema)
    if findings or not validation.validation_passed:
        raise RulesRefused(findings or [str(each) for each in validation.errors])
    ids = [each.id for each in rules if each.origin]
    return Overlay(policies, schema, ids, rules, fingerprint_of(own))


def only(overlay: Overlay, rules: Sequence[Rule]) -> Overlay:
    """These rules of a set and its base permit, without the others: to try them by themselves."""
    chosen = [each for each in overlay.rules if not each.origin] + list(rules)
    schema = (SHIPPED / "schema.cedarschema").read_text("utf-8")
    text = "\n".join(each.text for each in chosen)
    return Overlay(text, schema, [each.id for each in rules], chosen)


def _sliced(rules: Sequence[Rule]) -> Mapping[OrganisationType, _Slice]:
    """For each kind of recipient the rules that can be about it: the others cost time alone.

    A policy whose head names another principal neither applies nor errs (Cedar, policy slicing).
    """
    parsed = dict[tuple[int, ...], _Slice]()
    slices = dict[OrganisationType, _Slice]()
    for kind in OrganisationType if rules else ():
        of_kind = tuple(at for at, each in enumerate(rules) if each.only_to in (None, kind))
        if of_kind not in parsed:
            text = "\n".join(rules[at].text for at in of_kind)
            ids = tuple(rules[at].id for at in of_kind)
            said = frozenset[tuple[str, str]]().union(
                *(rules[at].mentions.entities for at in of_kind)
            )
            sections = frozenset(id for type, id in said if type == "Section")
            parsed[of_kind] = _Slice(cedarpy.PolicySet.from_str(text), ids, sections)
        slices[kind] = parsed[of_kind]
    return slices


def _head(parsed: Mapping[str, Any]) -> str | None:
    principal = parsed["principal"]
    return str(principal["entity"]["id"]) if principal["op"] == "==" else None


def _first(spoken: Spoken) -> str | None:
    if spoken.clean:
        return spoken.rules[0] if spoken.rules else None
    # What a hard rule forbids stays that, whichever rule beside it has erred.
    return next((each for each in spoken.rules if each in HARD_RULES), Reason.GATE_FAILED)


def _files(source: Path | Mapping[str, str] | None, findings: list[Finding]) -> Mapping[str, str]:
    if not isinstance(source, Path):
        return source or {}
    try:
        return read_set(source)
    except RulesRefused as refused:
        findings += refused.found
        return {}


def _text(path: Path, findings: list[Finding]) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        findings.append(Finding(path.name, 0, "cannot be read"))
        return ""


def _rules(
    file: str, origin: str, text: str, schema: str, findings: list[Finding]
) -> Iterator[Rule]:
    """The rules of one file that can be read; what is wrong with one stands at its line."""
    for each in statements(text):
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(each.text))
        except ValueError as error:
            findings.append(Finding(file, each.line, str(error)))
            continue
        if parsed["templates"]:
            findings.append(Finding(file, each.line, "a template says nothing by itself"))
        validation = cedarpy.validate_policies(each.text, schema)
        findings += [Finding(file, each.line, str(error)) for error in validation.errors]
        for policy in parsed["staticPolicies"].values():
            said = policy.get("annotations", {})
            says = {lang: str(said[lang]) for lang in ("en", "fr", "nl") if said.get(lang)}
            id, effect = str(said.get("id") or ""), policy["effect"]
            mentions = mentions_in(policy)
            yield Rule(
                file, each.line, each.text, origin, id, effect, says, mentions, _head(policy)
            )


def _missing(rules: Sequence[Rule]) -> Iterator[Finding]:
    known = {each.id for each in rules}
    for expected in (BASE, *HARD_RULES):
        if expected not in known:
            yield Finding("rules", 0, f"{expected} is missing")
    first = dict[str, Rule]()
    for each in rules:
        other = first.setdefault(each.id, each)
        if other is not each:
            name = each.id or "no @id"
            where = f"{other.file}:{other.line}"
            yield Finding(each.file, each.line, f"{name} is there twice; the first: {where}")


def _misnamed(rules: Sequence[Rule]) -> Iterator[Finding]:
    known = {
        *(("Recipient", each.value) for each in OrganisationType),
        *(("Section", each.value) for each in Section),
    }
    for rule in rules:
        forms = {"": BASE, "hard": "|".join(HARD_RULES), "site": "SITE_[A-Z0-9_]{1,60}"}
        if not re.fullmatch(forms[rule.origin], rule.id):
            yield Finding(rule.file, rule.line, f"@id {rule.id!r} does not belong here")
        if (rule.effect == "permit") != (rule.origin == ""):
            yield Finding(rule.file, rule.line, "only the base may permit, and must")
        for kind, name in sorted(rule.mentions.entities - known):
            if kind in {"Recipient", "Section"}:
                yield Finding(rule.file, rule.line, f"{kind} {name!r} does not exist")


def _request(
    question: Question, principal: dict[str, Any], resource: dict[str, Any]
) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if not question.field:
        context = {
            "purpose": question.purpose,
            "consent_older_than_24_months": question.old_consent,
            "real_number": question.real_number,
        }
    action = {"type": "Action", "id": "emit" if question.field else "release"}
    # Structured ids only: written as text, a quote in an id could break out of it.
    who, what = principal["uid"], resource["uid"]
    return {"principal": who, "action": action, "resource": what, "context": context}


def _entities(question: Question) -> tuple[dict[str, Any], dict[str, Any]]:
    recipient = question.recipient
    facts = {
        "accredited": recipient.accredited,
        "in_eea": recipient.in_eea,
        "insz_authorised": recipient.insz_authorised,
    }
    principal = _entity("Recipient", str(recipient.type), facts)
    if question.field:
        about = {"field": question.field, "code": question.code}
        return principal, _entity("Code", f"{question.field}={question.code}", about)
    section = str(question.section)
    return principal, _entity("Section", section, {"class": class_of(section)})


def _entity(kind: str, name: str, attributes: Mapping[str, object]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": dict(attributes), "parents": []}
