"""What an operator does about rules: show those in force, and put a checked set in their place.

One function a verb, as in `operations`: plain JSON in, one result out.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from exchange.flows.apply_rules import NewRules, apply_rules
from exchange.hearing import hear
from exchange.operations import Line, OperationRefused
from exchange.ruling import require_folder
from exchange.services import Services
from exchange.settings import Profile
from policies.decision import Refused
from policies.rule_cases import read_cases, run_cases, without_case
from policies.rule_checks import examine
from policies.rule_texts import Finding, Level, RulesRefused
from policies.site_rules import load_overlay

_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59}"


def found_in(files: Mapping[str, str], cases: Mapping[str, str]) -> list[Finding]:
    """All that is wrong with a set and the cases beside it, of any level.

    Raises `RulesRefused` when the set can not even be loaded.
    """
    overlay = load_overlay(site=files)
    findings = [*examine(overlay)]
    read = read_cases(cases, findings)
    return [*findings, *run_cases(overlay, read), *without_case(overlay, read)]


def errors(findings: Sequence[Finding]) -> list[Finding]:
    return [each for each in findings if each.level is Level.ERROR]


def rules_show(services: Services, _asked: Mapping[str, Any]) -> Iterator[Line]:
    """The installation's own rules that are in force at this moment, as text by file."""
    hear(services)
    ruling = services.ruling
    yield {"files": dict(ruling.own), "set": ruling.overlay.site, "policy": ruling.policy}


def rules_apply(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Put `files` in force when they and their `cases` hold, as said by `operator`."""
    operator, files = str(asked.get("operator") or ""), asked["files"]
    two = services.settings.profile is Profile.PRODUCTION
    if two and not operator:
        raise OperationRefused("say who you are (--operator): two operators must say the same")
    if operator and not re.fullmatch(_CODE, operator):
        raise OperationRefused("an operator is a number or code, never a name")
    try:
        wrong = errors(found_in(files, asked["cases"]))
    except RulesRefused as refused:
        raise OperationRefused(f"nothing has changed: {refused}") from None
    if wrong:
        raise OperationRefused(f"nothing has changed: {'; '.join(map(str, wrong))}")
    order = NewRules(files, services.ruling.rest, operator, two)
    done = services.writer.submit(apply_rules, order).result().value
    if isinstance(done, Refused):
        raise OperationRefused("another operator must say it too; you have said it already")
    hear(services)
    yield {
        "done": done.done,
        "changed": done.changed,
        "set": done.fingerprint,
        "folder": _folder(services, files) if done.done else None,
    }


def _folder(services: Services, files: Mapping[str, str]) -> str | None:
    """The folder that holds another set than is in force now: the next start would be refused."""
    try:
        require_folder(services.settings.rules_folder, files)
    except RulesRefused:
        return str(services.settings.rules_folder)
    return None


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "rules show": rules_show,
    "rules apply": rules_apply,
}
