"""Whether what an agreement lets go is what is needed: sums held against it (gdpr-minimise).

Numbers leave here as they may be shown: nothing between 0 and 5, and no exact number above, so
that no two of them can be subtracted to find one person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from policies.agreement_document import Agreement
from policies.purposes import profile
from policies.vocabulary import FieldId, OrganisationId

LEAST_SHOWN = 5
"""A number of releases below this, other than none, is not shown."""

LEAST_RELEASES = 20
"""After fewer releases nothing is suggested: too few to tell what is needed."""


class Needless(StrEnum):
    """Why a field could be taken out of an agreement."""

    NEVER_ASKED = "never_asked"
    ALWAYS_WITHHELD = "always_withheld"
    NEVER_OPENED = "never_opened"


class Times(NamedTuple):
    """How often a field was asked for, let go, and found with a value and opened."""

    asked: int
    released: int
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUse:
    """A field as it may be shown; nothing where a number is too small to be."""

    field: str
    agreed: bool
    asked: int | None
    released: int | None
    opened: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one recipient came to for one purpose, and the smallest set that would have done.

    `sufficient` and `take_out` are empty where too little was released to tell; `fields` where
    so little was that each number would be about a few people.
    """

    recipient: OrganisationId
    purpose: str
    releases: int | None
    fields: tuple[FieldUse, ...] = ()
    sufficient: tuple[FieldId, ...] = ()
    take_out: tuple[tuple[FieldId, Needless], ...] = ()

    @property
    def unused(self) -> bool:
        """Nothing was released at all."""
        return self.releases == 0


def shown(times: int) -> int | None:
    """A number as it may be shown: none as it is, few not at all, others to the nearest five."""
    if 0 < times < LEAST_SHOWN:
        return None
    return LEAST_SHOWN * round(times / LEAST_SHOWN)


def uses(
    agreement: Agreement,
    releases: Mapping[tuple[str, str], int],
    fields: Mapping[tuple[str, str], Mapping[str, Times]],
    *,
    least: int = LEAST_RELEASES,
) -> tuple[Use, ...]:
    """Every recipient and purpose of the agreement that can receive fields at all.

    `releases` and `fields` (by field) are sums by recipient and purpose. From `least` releases
    on it is said which fields could be taken out: what nobody asked for, what always stayed
    behind, and what never had a value.
    """
    return tuple(
        _use(recipient, purpose, agreed, releases.get(way, 0), fields.get(way, {}), least)
        for way, agreed in _agreed(agreement).items()
        for recipient, purpose in (way,)
    )


def _agreed(agreement: Agreement) -> dict[tuple[OrganisationId, str], frozenset[FieldId]]:
    """What each recipient may get for each purpose, from whomever of the parties."""
    found: dict[tuple[OrganisationId, str], frozenset[FieldId]] = {}
    for flow in agreement.flows:
        for recipient in flow.to:
            for purpose in flow.purposes:
                usable = flow.fields & profile(purpose)
                if usable and set(flow.from_) - {recipient}:
                    way = recipient, purpose
                    found[way] = found.get(way, frozenset()) | usable
    return found


def _use(
    recipient: OrganisationId,
    purpose: str,
    agreed: frozenset[FieldId],
    releases: int,
    fields: Mapping[str, Times],
    least: int,
) -> Use:
    if releases < LEAST_SHOWN:
        return Use(recipient=recipient, purpose=purpose, releases=shown(releases))
    needless = dict(_needless(agreed, fields)) if releases >= least else {}
    return Use(
        recipient=recipient,
        purpose=purpose,
        releases=shown(releases),
        fields=tuple(_field(name, agreed, fields) for name in sorted(agreed | set(fields))),
        sufficient=tuple(sorted(agreed - needless.keys())) if releases >= least else (),
        take_out=tuple(sorted(needless.items())),
    )


def _needless(
    agreed: Iterable[FieldId], fields: Mapping[str, Times]
) -> Iterable[tuple[FieldId, Needless]]:
    for name in agreed:
        times = fields.get(name, Times(0, 0, 0))
        if not times.asked:
            yield name, Needless.NEVER_ASKED
        elif not times.released:
            yield name, Needless.ALWAYS_WITHHELD
        elif not times.opened:
            yield name, Needless.NEVER_OPENED


def _field(name: str, agreed: frozenset[FieldId], fields: Mapping[str, Times]) -> FieldUse:
    times = fields.get(name, Times(0, 0, 0))
    return FieldUse(
        field=name,
        agreed=name in agreed,
        asked=shown(times.asked),
        released=shown(times.released),
        opened=shown(times.opened),
    )
