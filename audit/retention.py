"""How long parts are kept, and which must outlive a wish to be erased (audit-log.md, 4.4, 16).

The classes: `erase` goes whenever its client goes; `keep-until` may not go before its time,
since it records what was done without the client's word. Whatever its class, a part expires.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from audit.leaf import KINDS

_MICROSECOND = timedelta(microseconds=1)
KEPT = timedelta(days=3653)
"""Ten years, as registers of consultations in the public sector are kept."""
POLICY = "retention-1"
"""What the log calls the rules below when parts expire by them. Other rules, another name."""


class Rule(NamedTuple):
    """What holds for the parts of a kind: their class, for how long it holds them, their life."""

    sort: str
    span: timedelta
    kept: timedelta = KEPT


ERASE, KEEP_UNTIL = "erase", "keep-until"
RULES: Mapping[str, Rule] = {"breakglass.": Rule(KEEP_UNTIL, timedelta(days=1827))}
"""The rules that differ from the rest, by how kinds begin."""
_ELSE = Rule(ERASE, timedelta(0))


class Due(NamedTuple):
    """The parts with these labels of these kinds, of entries from before `before` (µs)."""

    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    before: int


def longest(rules: Mapping[str, Rule] = RULES) -> timedelta:
    """How old an entry is when no rule needs it any longer."""
    return max(KEPT, *(max(rule.span, rule.kept) for rule in rules.values()))


def rule_of(kind: str, rules: Mapping[str, Rule] = RULES) -> Rule:
    """The rule for a kind of event."""
    return next((rule for start, rule in rules.items() if kind.startswith(start)), _ELSE)


def kept_until(entries: Iterable[tuple[str, int]], *, now: int) -> int | None:
    """Until when these entries forbid an erasure, or nothing. Kinds and times in µs."""
    ends = [
        t + rule_of(kind).span // _MICROSECOND
        for kind, t in entries
        if rule_of(kind).sort == KEEP_UNTIL
    ]
    latest = max(ends, default=now)
    return latest if latest > now else None


def due(now: int, rule: Callable[[str], Rule] = rule_of) -> list[Due]:
    """What has had its time at `now` (µs).

    Who and why go with their kind; a client's number goes only when no kind is kept any longer,
    so that the numbers left run on without a gap.
    """
    lives: dict[timedelta, list[str]] = {}
    for kind in sorted(KINDS):
        lives.setdefault(rule(kind).kept, []).append(kind)
    groups = [
        Due(tuple(kinds), ("a", "y"), now - kept // _MICROSECOND)
        for kept, kinds in sorted(lives.items())
    ]
    return [*groups, Due(tuple(sorted(KINDS)), ("s",), now - max(lives) // _MICROSECOND)]
