"""Organisations that were merged into another: whose consents speak of them, and what then.

A client agreed to share with one organisation, and not with what became of it. So what was
last agreed to before a merger, and speaks of either side of it, waits for the client's word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent.content import Terms
from policies.vocabulary import OrganisationId


@dataclass(frozen=True, slots=True)
class Merger:
    """What became of an organisation, and since when (an instant)."""

    into: OrganisationId
    at: int


Mergers = Mapping[OrganisationId, Merger]
"""By the organisation that is no more."""
NONE_MERGED: Mergers = MappingProxyType({})


def speaks_of(terms: Terms, controller: str, organisations: Iterable[str]) -> bool:
    """Whether the consent was given to one of these, or a standing grant names one of them."""
    named = {_organisation(each.recipient) for each in terms.grants if not each.withdrawn}
    return not named.isdisjoint(organisations) or controller in organisations


def awaits_renewal(terms: Terms, controller: str, renewed_at: int, mergers: Mergers) -> bool:
    """Whether one side of a merger since the client's last yes is spoken of."""
    return any(
        renewed_at <= each.at and speaks_of(terms, controller, (old, each.into))
        for old, each in mergers.items()
    )


def successor(recipient: str, mergers: Mergers) -> str:
    """The recipient as a renewed grant names it: after a merger, what became of it.

    A site of an organisation that is no more is the whole of what became of it: the client
    knows the place, the successor does not have it.
    """
    old = OrganisationId(_organisation(recipient))
    seen = {old}
    while (merger := mergers.get(old)) and merger.into not in seen:
        old = merger.into
        seen.add(old)
    if len(seen) == 1:
        return recipient
    kind, _, name = recipient.partition(":")
    return f"{kind}:{name.partition(',')[0]},{old}" if kind == "category" else f"org:{old}"


def _organisation(recipient: str) -> str:
    """The one organisation that a recipient names, if it names one."""
    kind, _, name = recipient.partition(":")
    if kind == "category":
        return name.partition(",")[2]
    return name.partition("/")[0] if kind in ("org", "org-site") else ""
