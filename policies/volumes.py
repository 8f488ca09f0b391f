"""How many persons an agreement is for in a year, and what is done when there are more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from policies.decision import FlowFacts

NEARLY, WHOLLY = 80, 100
"""Per cent of what was agreed at which somebody is told."""
REFUSED_AT = 150
"""Per cent from which on nobody new is let in: what was agreed is an estimate."""


def scopes(flow: FlowFacts, purpose: str, year: int) -> tuple[tuple[str, int | None], ...]:
    """What a person counts in when the flow lets something go, and how many were agreed.

    The agreement in that calendar year, and the agreement for that purpose.
    """
    return (
        (f"{flow.agreement}/{year}", flow.persons),
        (f"{flow.agreement}/{purpose}/{year}", flow.persons_for_purpose),
    )


def is_full(persons: int, agreed: int | None, refused_at: int) -> bool:
    """Whether nobody new is let in. `refused_at` is a per cent of what was agreed."""
    return agreed is not None and persons * 100 >= agreed * refused_at


def reached(persons: int, agreed: int | None) -> int | None:
    """The highest level of what was agreed that so many persons have reached, in per cent."""
    levels: Iterable[int] = (WHOLLY, NEARLY)
    return (
        None
        if agreed is None
        else next((at for at in levels if is_full(persons, agreed, at)), None)
    )


@dataclass(frozen=True, slots=True)
class Room:
    """For one client: `persons` counts by scope, `served` are the scopes they count in already."""

    persons: Mapping[str, int]
    served: frozenset[str]
    refused_at: int = REFUSED_AT

    def of(self, flows: tuple[FlowFacts, ...], purpose: str, year: int) -> tuple[FlowFacts, ...]:
        """The flows, with those marked in which this client would be one too many."""
        return tuple(
            replace(each, full=True) if self._full(scopes(each, purpose, year)) else each
            for each in flows
        )

    def _full(self, counted: Iterable[tuple[str, int | None]]) -> bool:
        return any(
            is_full(self.persons.get(scope, 0), agreed, self.refused_at)
            for scope, agreed in counted
            if scope not in self.served
        )
