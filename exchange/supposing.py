"""Directory and rules that something is decided under: those in force, or others in their place.

Nothing here reads or changes what is stored: so what would become of a decision can be asked
before a document is applied.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from consent.content import Grant
from consent.notices import Notice, NoticeLibrary
from consent.recipients import Asking, reaches
from consent.standing import ConsentFacts, GrantRef, Now, Said, facts_from, matching
from exchange.acting import STRANGER
from exchange.bases import Basis, facts_of, live_basis
from exchange.directory import Directory
from policies.agreements import (
    Agreement,
    AgreementState,
    Standing,
    facts_of_flow,
    read_agreement,
    standing,
)
from policies.decision import BasisFacts, Facts, FlowFacts, ReleaseRequest
from policies.gates import Decider
from policies.organisations import read_directory
from policies.vocabulary import OrganisationId
from policies.what_if import Release, release_of

_MAY_STAND = frozenset({AgreementState.ACTIVE, AgreementState.IN_REVIEW})
_ASKING = frozenset({Standing.IN_FORCE, Standing.IN_REVIEW, Standing.SUSPENDED})


def facts_in(
    directory: Directory,
    day: date,
    request: ReleaseRequest,
    holder: OrganisationId,
    consents: ConsentFacts,
    **about: Any,
) -> Facts:
    """What a decision is made from by this directory; what is known of the client is `about`."""
    holds = directory.recipient(holder, day) or STRANGER
    return Facts(
        recipient=directory.recipient(request.recipient, day) or STRANGER,
        holder_secrecy=holds.secrecy,
        any_agreement=directory.any_agreement(request.recipient, request.purpose, day),
        flows=directory.flows(holder, request.recipient, request.purpose, day),
        grants=consents.grants,
        denied=consents.denied,
        refused=consents.refused,
        **about,
    )


@dataclass(frozen=True, slots=True)
class Lane:
    """From whom to whom, and what for. `holder` is the organisation whose file it is."""

    holder: OrganisationId
    recipient: OrganisationId
    purpose: str

    @property
    def request(self) -> ReleaseRequest:
        """All that the purpose may use, as a fetch asks that names no sections."""
        return ReleaseRequest(self.recipient, self.purpose)


@dataclass(frozen=True, slots=True)
class When:
    """The moment that consents are held against (an instant), and what has happened by then."""

    moment: int
    day: date
    happened: Mapping[str, int] = field(default_factory=dict)
    uses: Mapping[GrantRef, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """One directory with its notices, and rules. For one thread at a time, as its decider is.

    With `elsewhere`, releases are decided in another place: under another summary model.
    """

    directory: Directory
    decider: Decider
    elsewhere: Callable[[Lane, Facts], Release] | None = None

    def release(self, lane: Lane, facts: Facts, day: date) -> Release:
        """What leaves on these facts, and what is asked for by the agreements of the lane."""
        if self.elsewhere is not None:
            return self.elsewhere(lane, facts)
        asking = self._asking_flows(lane, day)
        return release_of(lane.request, facts, self.decider.decide, asking)

    def _asking_flows(self, lane: Lane, day: date) -> tuple[FlowFacts, ...]:
        """The flows of agreements that stand, or only wait: their lifting asks nothing new."""
        return tuple(
            facts_of_flow(agreement, flow)
            for agreement in self.directory.agreements
            for flow in agreement.flows
            if flow.covers(lane.holder, lane.recipient, lane.purpose)
            and standing(agreement, day) in _ASKING
        )

    def says_as(self, other: "World") -> bool:
        """Whether consents say the same in both: organisations and notices are the same."""
        mine, its = self.directory, other.directory
        return (
            mine.organisations is its.organisations
            and mine.partnerships is its.partnerships
            and mine.notices is its.notices
        )

    def reached(self, grant: Grant, day: date) -> Iterator[OrganisationId]:
        """Who may ask on the grant. Where it names a site, nobody says yet from which they ask."""
        kind, _, name = grant.recipient.partition(":")
        if kind in ("org", "org-site"):
            yield OrganisationId(name.partition("/")[0])
            return
        for each in self.directory.organisations:
            lane = Lane(OrganisationId(""), each, grant.purpose)
            if reaches(grant.recipient, self._asking(lane, {}), day):
                yield each

    def consented(self, said: Sequence[Said], lane: Lane, when: When) -> ConsentFacts:
        """What the consents say to the recipient, here and then."""
        asking = self._asking(lane, when.happened)
        now = Now(when.moment, when.day, when.happened, self.directory.notices, when.uses)
        return facts_from(matching(said, asking, when.day), asking, now)

    def basis(self, bases: Iterable[Basis], lane: Lane, when: When) -> BasisFacts | None:
        """The basis beside consent that stands in the lane, if one does."""
        live = live_basis(
            bases,
            self.directory,
            holder=lane.holder,
            recipient=lane.recipient,
            purpose=lane.purpose,
            now=when.moment,
            day=when.day,
        )
        return None if live is None else facts_of(live)

    def _asking(self, lane: Lane, happened: Mapping[str, int]) -> Asking:
        return Asking(
            recipient=lane.recipient,
            recipient_type=self.directory.type_of(lane.recipient) or STRANGER.type,
            holder=lane.holder,
            purpose=lane.purpose,
            partnerships=self.directory.members_at,
            happened=happened,
        )


def with_agreements(directory: Directory, documents: Iterable[object]) -> Directory:
    """The directory with these agreements in place of those of the same id, as applying keeps them.

    What is not yet active leaves the version in use where it is, and so does the end of another
    version. A suspension that stands holds the new one too. Raises `UnfitDocument`.
    """
    known = {each.id: each for each in directory.agreements}
    for document in documents:
        new = read_agreement(document, directory.analysed)
        known[new.id] = _kept(new, known.get(new.id))
    return _other(directory, agreements=tuple(known[id] for id in sorted(known)))


def _kept(new: Agreement, before: Agreement | None) -> Agreement:
    if before is None:
        return new
    if new.state not in _MAY_STAND:
        ends = new.state is AgreementState.ENDED and new.version == before.version
        return new if ends or new.state is AgreementState.SUSPENDED else before
    state = before.state if before.state is AgreementState.SUSPENDED else new.state
    return replace(new, state=state, suspended=new.suspended or before.suspended)


def with_organisations(directory: Directory, document: object) -> Directory:
    """The directory with these organisations and partnerships. Raises `UnfitDocument`."""
    new = read_directory(document)
    return _other(
        directory,
        organisations={**directory.organisations, **{each.id: each for each in new.organisations}},
        partnerships={**directory.partnerships, **{each.id: each for each in new.partnerships}},
    )


def with_notices(
    directory: Directory, in_use: Iterable[Notice], new: Iterable[Notice]
) -> Directory:
    """The directory with these notices beside those in use."""
    return _other(directory, notices=NoticeLibrary([*in_use, *new]))


def _other(directory: Directory, **members: Any) -> Directory:
    # What the one has worked out is not true of the other.
    return replace(directory, _flows={}, _facts={}, **members)
