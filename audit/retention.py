"""How long parts are kept, and which must outlive a wish to be erased (audit-log.md, 4.4, 16).

The classes: `erase` goes whenever its client goes; `keep-until` may not go before its time,
since it records what was done without the client's word.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

_MICROSECOND = timedelta(microseconds=1)
KEPT = timedelta(days=3653)
"""Ten years, as registers of consultations in the public sector are kept."""


class Rule(NamedTuple):
    """What holds for the parts of a kind: their class, and for how long it holds them."""

    sort: str
    span: timedelta


ERASE, KEEP_UNTIL = "erase", "keep-until"
_RULES = {"breakglass.": Rule(KEEP_UNTIL, timedelta(days=1827))}
_ELSE = Rule(ERASE, timedelta(0))


def rule_of(kind: str) -> Rule:
    """The rule for a kind of event."""
    return next((rule for start, rule in _RULES.items() if kind.startswith(start)), _ELSE)


def kept_until(entries: Iterable[tuple[str, int]], *, now: int) -> int | None:
    """Until when these entries forbid an erasure, or nothing. Kinds and times in µs."""
    ends = [
        t + rule_of(kind).span // _MICROSECOND
        for kind, t in entries
        if rule_of(kind).sort == KEEP_UNTIL
    ]
    latest = max(ends, default=now)
    return latest if latest > now else None
