"""Whom a grant, a denial or a refusal names, and whether that is who asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from consent.belgian_time import day_in
from policies.purposes import Purpose
from policies.vocabulary import OrganisationId, OrganisationType

ANYBODY = "any"

MembersAt = Callable[[str, date], frozenset[OrganisationId]]
"""The members of a partnership on a day; nobody for a partnership that does not exist."""


class Directory(Protocol):
    """What must be known of organisations to judge whom a consent names."""

    def type_of(self, organisation: OrganisationId) -> OrganisationType | None:
        """Its type, or nothing when there is no such organisation."""

    def has_site(self, organisation: OrganisationId, site: str) -> bool:
        """Whether it has that site."""

    def members_at(self, partnership: str, day: date) -> frozenset[OrganisationId]:
        """As `MembersAt`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who wants whose file for what.

    `holder` is the organisation whose file it is: only grants that were given to it count.
    `happened` says when an event that ends grants took place, as an instant.
    """

    recipient: OrganisationId
    recipient_type: OrganisationType
    holder: OrganisationId
    purpose: str
    partnerships: MembersAt
    site: str | None = None
    happened: Mapping[str, int] = field(default_factory=dict)


def reaches(recipient: str, asking: Asking, today: date) -> bool:
    """Whether that recipient is who asks, today.

    A partnership is its members on the day of the grant who are still members today: who
    joins later gets nothing, who leaves gets nothing from that day on. Of relations only an
    employer is an organisation. What is in no form that we know reaches nobody.
    """
    kind, _, name = recipient.partition(":")
    match kind:
        case "any":
            return recipient == ANYBODY
        case "org":
            return name == asking.recipient
        case "org-site":
            return name == f"{asking.recipient}/{asking.site}"
        case "category":
            return name in (asking.recipient_type, f"{asking.recipient_type},{asking.recipient}")
        case "partnership":
            return _together(name, asking, today)
    return kind == "relation" and name == asking.recipient_type == OrganisationType.EMPLOYER


def _together(name: str, asking: Asking, today: date) -> bool:
    partnership, _, since = name.partition("@")
    then = day_in(since)
    return then is not None and all(
        asking.recipient in asking.partnerships(partnership, day) for day in (then, today)
    )


def wrong_grant(
    recipient: str, asked: Purpose, controller: OrganisationId, today: date, directory: Directory
) -> str | None:
    """Why a grant for the purpose may not name this recipient, as a code.

    The controller itself may always be named: that is how it hears how things went.
    """
    kind, _, name = recipient.partition(":")
    if kind == "partnership":
        return _wrong_partnership(name, asked, today, directory)
    if kind == "category":
        if not asked.categories_allowed:
            return "category_not_allowed"
        return _wrong_category(name, asked.org_types, directory)
    organisation, _, site = name.partition("/")
    of_type = directory.type_of(OrganisationId(organisation))
    if of_type is None:
        return "unknown_organisation"
    if site and not directory.has_site(OrganisationId(organisation), site):
        return "unknown_site"
    own = organisation == controller
    return None if own or asked.accepts(of_type) else "not_for_this_purpose"


def wrong_denial(recipient: str, directory: Directory) -> str | None:
    """Why a denial may not name this recipient: with a slip of the pen it would deny nobody."""
    kind, _, name = recipient.partition(":")
    if kind == "category":
        return _wrong_category(name, frozenset(OrganisationType), directory)
    if kind == "org" and directory.type_of(OrganisationId(name)) is None:
        return "unknown_organisation"
    return None


def wrong_refusal(recipient: str, directory: Directory) -> str | None:
    """Why a refusal may not name this recipient; whatever could be asked can be refused."""
    kind, _, name = recipient.partition(":")
    if kind == "org-site":
        organisation, _, site = name.partition("/")
        known = directory.has_site(OrganisationId(organisation), site)
        return None if known else "unknown_site"
    if kind == "partnership":
        partnership, _, since = name.partition("@")
        then = day_in(since)
        known = then is not None and bool(directory.members_at(partnership, then))
        return None if known else "unknown_partnership"
    return wrong_denial(recipient, directory)


def _wrong_partnership(name: str, asked: Purpose, today: date, directory: Directory) -> str | None:
    partnership, _, since = name.partition("@")
    then = day_in(since)
    if not asked.partnerships_allowed:
        return "partnership_not_allowed"
    # A day still to come would let in members that nobody knows yet.
    if then is None or then > today:
        return "partnership_day"
    return None if directory.members_at(partnership, then) else "unknown_partnership"


def _wrong_category(
    name: str, allowed: frozenset[OrganisationType], directory: Directory
) -> str | None:
    of_type, _, only = name.partition(",")
    if of_type not in allowed:
        return "not_for_this_purpose"
    if only and directory.type_of(OrganisationId(only)) != of_type:
        return "unknown_organisation"
    return None
