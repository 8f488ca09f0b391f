"""What a simulation comes to, for who applies the document: numbers, and nobody by name.

Fewer than `FEW` of something are told as few: by purpose, recipient and field, such a number
could be somebody.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from exchange.simulating import Affected
from exchange.supposing import Lane
from policies.vocabulary import AgreementId, FieldId, OrganisationId, Reason
from policies.what_if import Effect, asks_renewal

FEW = 5
UNCHANGED = "unchanged"

_Key = tuple[Lane, AgreementId | None, str, Reason | None]


@dataclass(slots=True)
class _Count:
    consents: int = 0
    handovers: int = 0
    fields: set[FieldId] = field(default_factory=set)


class Summed:
    """Adds up what becomes of consents and handovers, lane by lane, without keeping whose."""

    def __init__(self) -> None:
        self._counts: dict[_Key, _Count] = {}
        self._renewals: Counter[OrganisationId] = Counter()

    def add(self, affected: Iterable[Affected]) -> None:
        """What becomes of some clients; all of one client come together, one after the other."""
        for _, of_one in groupby(affected, key=lambda each: each.client):
            renewed: set[str] = set()
            for each in of_one:
                self._add(each)
                if asks_renewal(each.change):
                    renewed.update(each.consents)
                holder = each.lane.holder
            self._renewals[holder] += len(renewed)

    def _add(self, each: Affected) -> None:
        change = each.change
        nothing: tuple[str, frozenset[FieldId]] = (UNCHANGED, frozenset())
        for effect, fields in change.effects.items() or (nothing,):
            reason = change.reason if effect == Effect.BROKEN else None
            key = (each.lane, change.agreement, effect, reason)
            count = self._counts.setdefault(key, _Count())
            count.consents += len(each.consents)
            count.handovers += len(each.handovers)
            count.fields.update(fields)

    @property
    def changes(self) -> bool:
        """Whether anything would be otherwise, or asked for anew."""
        return any(effect != UNCHANGED for _, _, effect, _ in self._counts)

    def document(self) -> dict[str, Any]:
        """Rows in the order of lanes, and how many consents of whom want a renewed word."""
        return {
            "changes": self.changes,
            "rows": [_row(key, self._counts[key]) for key in sorted(self._counts, key=_order)],
            "renew": {holder: told(n) for holder, n in sorted(self._renewals.items()) if n},
        }


def told(number: int) -> int | str:
    """The number, or that it is small."""
    return f"<{FEW}" if 0 < number < FEW else number


def _row(key: _Key, count: _Count) -> dict[str, Any]:
    lane, agreement, effect, reason = key
    # What a handful may share says what they share.
    shown = max(count.consents, count.handovers) >= FEW
    return {
        "holder": lane.holder,
        "recipient": lane.recipient,
        "purpose": lane.purpose,
        "agreement": agreement,
        "effect": effect,
        "reason": reason,
        "consents": told(count.consents),
        "handovers": told(count.handovers),
        "fields": sorted(count.fields) if shown else None,
    }


def _order(key: _Key) -> tuple[str, ...]:
    lane, agreement, effect, reason = key
    return (lane.holder, lane.recipient, lane.purpose, agreement or "", effect, reason or "")
