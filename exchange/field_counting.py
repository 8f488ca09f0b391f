"""How often each field was asked for, released and opened: summed in memory, after the commit.

Sums alone: no person, no time, no single request. They are added to a table every half minute and
at an orderly end; what was not is lost with the process. They are a measure: the log is evidence.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from policies.proportionality import Times
from policies.purposes import profile
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, Section

UNTOLD = "NOT_AVAILABLE"
"""The class of every refusal whose reason depends on a person: it is told, and counted, as one."""


class Way(NamedTuple):
    """Under which agreement, to whom and for which purpose something left."""

    agreement: str
    recipient: str
    purpose: str


@dataclass(slots=True)
class Counted:
    """What was counted since the last time. `refusals` by recipient, purpose and what was told."""

    releases: Counter[tuple[Way, frozenset[Section], frozenset[FieldId]]] = field(
        default_factory=Counter
    )
    opened: defaultdict[tuple[Way, Section], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    refusals: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def by_field(self) -> dict[Way, dict[str, Times]]:
        """For each way how often its fields, and under an empty name how many releases."""
        asked: defaultdict[Way, Counter[str]] = defaultdict(Counter)
        released: defaultdict[Way, Counter[str]] = defaultdict(Counter)
        opened: defaultdict[Way, Counter[str]] = defaultdict(Counter)
        for (way, sections, fields), times in self.releases.items():
            for names, sums in ((asked_in(way.purpose, sections), asked), (fields, released)):
                sums[way].update(dict.fromkeys((*names, ""), times))
        for (way, section), held in self.opened.items():
            opened[way].update({f"{section}.{name}": times for name, times in held.items()})
        return {
            way: {
                name: Times(asked[way][name], released[way][name], opened[way][name])
                for name in sorted({*asked[way], *released[way]})
            }
            for way in asked
        }

    def of(self, way: Way) -> "Counted":
        """The releases of one way alone."""
        only = Counted(Counter({key: n for key, n in self.releases.items() if key[0] == way}))
        only.opened.update({key: names for key, names in self.opened.items() if key[0] == way})
        return only

    def add(self, other: "Counted") -> None:
        """Count what the other counted as well."""
        self.releases.update(other.releases)
        self.refusals.update(other.refusals)
        for place, names in other.opened.items():
            self.opened[place].update(names)


def asked_in(purpose: str, sections: Iterable[Section]) -> frozenset[FieldId]:
    """The fields that who asks for these sections asks for: what the purpose may use of them.

    All of a section of which it may use nothing: so that this shows.
    """
    usable = profile(purpose)
    return frozenset[FieldId]().union(
        *(fields_of(each) & usable or fields_of(each) for each in sections)
    )


class Counting:
    """Counts; from any thread."""

    def __init__(self) -> None:
        self._turn, self._counted = threading.Lock(), Counted()

    def release(
        self,
        way: Way,
        sections: frozenset[Section],
        fields: frozenset[FieldId],
        opened: Mapping[Section, Mapping[str, object]],
    ) -> None:
        """One release: the sections asked for, what was let go, and what of it had a value."""
        with self._turn:
            self._counted.releases[way, sections, fields] += 1
            for section, names in opened.items():
                self._counted.opened[way, section].update(names.keys())

    def refusal(self, recipient: str, purpose: str, told: str | None) -> None:
        """One refusal, by what was told of its reason."""
        with self._turn:
            self._counted.refusals[recipient, purpose, told or UNTOLD] += 1

    def taken(self) -> Counted:
        """All that was counted; begins anew."""
        with self._turn:
            counted, self._counted = self._counted, Counted()
        return counted

    def put_back(self, counted: Counted) -> None:
        """Count it again: it could not be added."""
        with self._turn:
            self._counted.add(counted)
