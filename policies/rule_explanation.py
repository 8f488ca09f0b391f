"""Rules in words: which speak on a question and what each keeps back, and what each one says."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from policies.rule_space import Question
from policies.site_rules import Overlay, Rule


@dataclass(frozen=True, slots=True)
class Explained:
    """One rule that speaks: its words, where it comes from, and what it keeps back.

    `first`: it is the one that is named, for some of it.
    """

    id: str
    words: str
    origin: str
    keeps_back: tuple[str, ...]
    first: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule of the set, with the SHA-256 of its text in hex."""

    id: str
    words: str
    origin: str
    file: str
    line: int
    text: str
    fingerprint: str


def explained(overlay: Overlay, asked: Sequence[Question], lang: str) -> list[Explained]:
    """The rules that speak on any of these questions, in the order in which they are named."""
    spoken = {each: overlay.speaking(each).rules for each in asked}
    rules = [each for each in overlay.rules if any(each.id in said for said in spoken.values())]
    return [
        Explained(
            rule.id,
            words_of(rule, lang),
            rule.origin,
            tuple(_what(each) for each, said in spoken.items() if rule.id in said),
            any(said[:1] == (rule.id,) for said in spoken.values()),
        )
        for rule in rules
    ]


def listed(overlay: Overlay, lang: str) -> list[Listed]:
    """Every rule of the set, the base permit aside."""
    return [
        Listed(
            each.id,
            words_of(each, lang),
            each.origin,
            each.file,
            each.line,
            each.text,
            hashlib.sha256(each.text.encode()).hexdigest(),
        )
        for each in overlay.rules
        if each.origin
    ]


def words_of(rule: Rule, lang: str) -> str:
    """What the rule says of itself, in the language if it can; else nothing but its name."""
    return rule.says.get(lang) or next(iter(rule.says.values()), rule.id)


def _what(question: Question) -> str:
    return f"{question.field}={question.code}" if question.field else str(question.section)
