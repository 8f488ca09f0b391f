"""Rules of an installation in one line, and what is found wrong with them."""

from policies.rule_checks import examine
from policies.rule_texts import RulesRefused
from policies.site_rules import Overlay, load_overlay

FORBID = 'forbid (principal, action == Action::"release", resource)'
WORDS = '@en("words")'


def a_rule(name: str, when: str = "true", *, head: str = FORBID, words: str = WORDS) -> str:
    return f'@id("SITE_{name}") {words} {head} when {{ {when} }};'


def with_own(*rules: str) -> Overlay:
    return load_overlay(site={"own.cedar": "\n".join(rules)} if rules else None)


def refused(*rules: str) -> list[str]:
    """What stops these rules from being loaded at all."""
    try:
        with_own(*rules)
    except RulesRefused as refusal:
        return list(refusal.findings)
    return []


def found(*rules: str) -> list[tuple[str, str]]:
    """What is found wrong with rules that load: level, and file, line and words."""
    return [(each.level.value, str(each)) for each in examine(with_own(*rules))]
