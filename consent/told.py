"""Whether the notice tells of what a client agrees to: nobody agrees to what they were not told.

Whoever was not told what it is for, and by whom it is read, has not agreed to it (GDPR, articles
4(11), 7(2) and 13(1)). Pure.
"""

from collections.abc import Iterator
from datetime import date

from consent.belgian_time import day_in
from consent.content import Grant, Terms
from consent.notices import APPOINTMENT, front_and_body
from consent.recipients import Directory, wrong_grant
from consent.shape import Problem
from policies.purposes import purpose
from policies.vocabulary import OrganisationId, OrganisationType


def untold(
    terms: Terms, notice: str, *, controller: OrganisationId, today: date, directory: Directory
) -> Iterator[Problem]:
    """What is granted and not on the notice (a file with front matter): purpose or recipient.

    The controller itself asks, so it needs no announcing: that is how it hears how things went.
    A partnership is announced by the type of any of its members.
    """
    front, _ = front_and_body(notice)
    purposes, types = front.get("purposes", ()), frozenset(front.get("recipient_types", ()))
    for index, grant in enumerate(terms.grants):
        if grant.withdrawn:
            continue
        if grant.purpose not in (*purposes, APPOINTMENT):
            yield f"grants.{index}.purpose", "not_on_the_notice"
        elif not _announced(grant, types, controller, today, directory):
            yield f"grants.{index}.recipient", "not_on_the_notice"


def misplaced(
    terms: Terms, *, controller: OrganisationId, today: date, directory: Directory
) -> Iterator[Problem]:
    """Recipients that a grant for its purpose may not name: after a merger, what became of them."""
    for index, grant in enumerate(terms.grants):
        use = None if grant.withdrawn else purpose(grant.purpose)
        if use and (wrong := wrong_grant(grant.recipient, use, controller, today, directory)):
            yield f"grants.{index}.recipient", wrong


def _announced(
    grant: Grant,
    types: frozenset[str],
    controller: OrganisationId,
    today: date,
    directory: Directory,
) -> bool:
    kind, _, name = grant.recipient.partition(":")
    if kind == "category":
        return name.partition(",")[0] in types
    members = {OrganisationId(name.partition("/")[0])}
    if kind == "partnership":
        partnership, _, since = name.partition("@")
        members = set(directory.members_at(partnership, day_in(since) or today))
    return controller in members or not types.isdisjoint(_types(members, directory))


def _types(
    organisations: set[OrganisationId], directory: Directory
) -> Iterator[OrganisationType | None]:
    return (directory.type_of(each) for each in organisations)
