"""Cases beside the rules: a question, and the rule that must speak first, or `nothing`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.decision import RecipientFacts
from policies.rule_space import FOREIGN, Question, codes, purposes
from policies.rule_texts import Finding, in_order
from policies.site_rules import Overlay
from policies.vocabulary import OrganisationType, Section
from policies.yaml_files import InvalidYaml, item_lines, read_yaml

NOTHING = "nothing"
_RELEASE = {"recipient", "purpose", "section", "old_consent", "real_number", "expect"}
_EMIT = {"recipient", "field", "code", "expect"}
_FACTS = {"accredited", "in_eea", "insz_authorised"}
_LINE = re.compile(r"line ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, and what must come of it: the `@id` that is named, or `nothing`."""

    file: str
    line: int
    question: Question
    expect: str


class _Unfit(Exception):
    """The case can not be asked. Says why."""


def read_cases(files: Mapping[str, str], findings: list[Finding]) -> list[Case]:
    """The cases of all files; what can not be read, or contradicts another, is a finding."""
    cases: list[Case] = []
    for name, text in in_order(files):
        cases += _cases(name, text, findings)
    first = dict[Question, Case]()
    for each in cases:
        before = first.setdefault(each.question, each)
        if before.expect != each.expect:
            where = f"{before.file}:{before.line}"
            words = f"it expects {each.expect}, and the same at {where} expects {before.expect}"
            findings.append(Finding(each.file, each.line, words))
    return cases


def run_cases(overlay: Overlay, cases: Iterable[Case]) -> Iterator[Finding]:
    """The cases that come to something else."""
    for each in cases:
        if each.expect not in {NOTHING, *overlay.ids}:
            yield Finding(each.file, each.line, f"there is no rule {each.expect}")
            continue
        spoken = overlay.speaking(each.question)
        come = "an error" if not spoken.clean else (spoken.rules or (NOTHING,))[0]
        if come != each.expect:
            words = f"{each.question}: expected {each.expect}, and it comes to {come}"
            yield Finding(each.file, each.line, words)


def without_case(
    overlay: Overlay, cases: Iterable[Case], origin: str = "site"
) -> Iterator[Finding]:
    """The rules that no case expects."""
    expected = {each.expect for each in cases}
    for rule in overlay.rules:
        if rule.origin == origin and rule.id not in expected:
            yield Finding(rule.file, rule.line, f"no case expects {rule.id}")


def _cases(name: str, text: str, findings: list[Finding]) -> Iterator[Case]:
    try:
        lines, items = item_lines(text), read_yaml(text)
    except InvalidYaml as error:
        found = _LINE.search(str(error))
        findings.append(Finding(name, int(found[1]) if found else 0, f"no YAML: {error}"))
        return
    if not isinstance(items, list) or len(lines) != len(items):
        findings.append(Finding(name, 1, "it must be a list of cases"))
        return
    for line, item in zip(lines, items, strict=True):
        try:
            yield Case(name, line, _question(item), _expected(item))
        except _Unfit as error:
            findings.append(Finding(name, line, str(error)))


def _question(item: Any) -> Question:
    if not isinstance(item, dict):
        raise _Unfit("a case has members: recipient, purpose, section, expect")
    allowed = _EMIT if "field" in item or "code" in item else _RELEASE
    if extra := sorted(map(str, item.keys() - allowed)):
        raise _Unfit(f"unknown member: {', '.join(extra)}")
    recipient = _recipient(item.get("recipient"))
    if allowed is _EMIT:
        pair = (item.get("field"), item.get("code"))
        if pair not in codes():
            raise _Unfit(f"{pair[0]}={pair[1]} is no code of the summary model")
        return Question(recipient, field=str(pair[0]), code=str(pair[1]))
    purpose = _one_of(item, "purpose", purposes())
    section = _one_of(item, "section", (*Section, FOREIGN))
    old, real = _flag(item, "old_consent", usual=False), _flag(item, "real_number", usual=False)
    return Question(recipient, purpose, section, old, real)


def _recipient(said: Any) -> RecipientFacts:
    facts = said if isinstance(said, dict) else {"type": said}
    if extra := sorted(map(str, facts.keys() - _FACTS - {"type"})):
        raise _Unfit(f"unknown member of recipient: {', '.join(extra)}")
    kind = OrganisationType(_one_of(facts, "type", tuple(OrganisationType)))
    return RecipientFacts(
        kind,
        accredited=_flag(facts, "accredited", usual=True),
        in_eea=_flag(facts, "in_eea", usual=True),
        insz_authorised=_flag(facts, "insz_authorised", usual=True),
        secrecy=False,
    )


def _expected(item: Mapping[str, Any]) -> str:
    expect = item.get("expect")
    if not isinstance(expect, str):
        raise _Unfit(f"expect one thing: the @id of a rule, or {NOTHING}")
    return expect


def _one_of(item: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    said = item.get(name)
    if not isinstance(said, str) or said not in known:
        raise _Unfit(f"{name} {said!r} does not exist" if name in item else f"{name} is missing")
    return str(said)


def _flag(item: Mapping[str, Any], name: str, *, usual: bool) -> bool:
    said = item.get(name, usual)
    if not isinstance(said, bool):
        raise _Unfit(f"{name} is true or false")
    return said
