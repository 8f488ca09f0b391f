"""What became of each grant at a moment, for one who asks. Pure: the rows are read elsewhere."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from consent.belgian_time import months_after
from consent.capacity import mandate_over
from consent.content import SECRECY_RELEASE, Grant, Terms, denied_fields
from consent.notices import NoticeLibrary
from consent.recipients import Asking, reaches
from consent.ways import unconfirmed
from policies.at_most import read_levels
from policies.decision import GrantFacts, Precision
from policies.purposes import purpose
from policies.vocabulary import ClientId, ConsentId, ConsentState, FieldId, GrantId, Reason

GrantRef = tuple[ConsentId, GrantId]

MONTHS_AT_MOST = 24
"""How long a consent stands without renewal, whatever it says itself (hard rule H9)."""

_NOT_ANY_MORE: Mapping[ConsentState, Reason] = {
    ConsentState.WITHDRAWN: Reason.CONSENT_WITHDRAWN,
    ConsentState.REVOKED_BY_OTHER: Reason.CONSENT_WITHDRAWN,
    ConsentState.REFUSED: Reason.CONSENT_REFUSED,
    ConsentState.EXPIRED: Reason.CONSENT_EXPIRED,
    ConsentState.INVALIDATED: Reason.NO_CONSENT,
    ConsentState.REQUESTED: Reason.NO_CONSENT,
    ConsentState.DEFERRED: Reason.NO_CONSENT,
    ConsentState.UNKNOWN: Reason.NO_CONSENT,
}
# The client never said this, or not validly: not even its denials count.
_NEVER_SAID = frozenset(
    {
        ConsentState.INVALIDATED,
        ConsentState.REQUESTED,
        ConsentState.DEFERRED,
        ConsentState.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """One consent, opened. Times are instants."""

    consent: ConsentId
    client: ClientId
    controller: str
    state: ConsentState
    suspended: bool
    given_at: int
    renewed_at: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """What a client's consents say to one who asks for one purpose.

    `refs` names the grants, place by place; `limited` those of them that may be used a
    number of times only.
    """

    grants: tuple[GrantFacts, ...]
    refs: tuple[GrantRef, ...]
    denied: frozenset[FieldId]
    refused: bool
    limited: frozenset[GrantRef] = frozenset()


@dataclass(frozen=True, slots=True)
class Matching:
    """The consents of a client with those of their grants that are for who asks."""

    said: Sequence[Said]
    grants: tuple[tuple[Said, Grant], ...]

    @property
    def limited(self) -> frozenset[GrantRef]:
        """The grants that may be used a number of times only."""
        return frozenset((s.consent, g.id) for s, g in self.grants if g.max_uses)


def matching(said: Sequence[Said], asking: Asking, today: date) -> Matching:
    """The grants for this recipient and purpose, given to the holder; in the order of `said`."""
    grants = tuple(
        (each, grant)
        for each in said
        if each.controller == asking.holder
        for grant in each.terms.grants
        if grant.purpose == asking.purpose and reaches(grant.recipient, asking, today)
    )
    return Matching(said, grants)


@dataclass(frozen=True, slots=True)
class Now:
    """All that a grant is held against. `moment` is an instant, `today` its Belgian day."""

    moment: int
    today: date
    happened: Mapping[str, int]
    notices: NoticeLibrary
    uses: Mapping[GrantRef, int]


def facts_from(found: Matching, asking: Asking, now: Now) -> ConsentFacts:
    """The facts for a decision, from the matching grants and what they are held against."""
    denied, noes = _denied_and_refused(found.said, asking, now.today)
    return ConsentFacts(
        grants=tuple(
            GrantFacts(
                *_gives(said, grant, asking),
                operations=grant.ops,
                ended=why_ended(said, grant, now)
                or (Reason.CONSENT_REFUSED if _overtaken(said, noes) else None),
                secrecy_release=SECRECY_RELEASE in said.terms.functions,
            )
            for said, grant in found.grants
        ),
        refs=tuple((said.consent, grant.id) for said, grant in found.grants),
        denied=denied,
        refused=any(_last_word(no, found.grants) for no in noes),
        limited=found.limited,
    )


def _gives(
    said: Said, grant: Grant, asking: Asking
) -> tuple[frozenset[FieldId], frozenset[str], Precision]:
    """What it gives who asks: never more, nor finer, than could leave when the client agreed."""
    if said.terms.agreed is None:
        return grant.reads, grant.names, grant.precision
    for bound in grant.bounds:
        if asking.recipient in bound.recipients:
            fields, precision = read_levels(bound.levels)
            return fields, grant.names, precision
    return frozenset(), grant.names, ()


def why_ended(said: Said, grant: Grant, now: Now) -> Reason | None:
    """Why a grant gives nothing now: the first ending that holds. Nothing when it is live."""
    if reason := _NOT_ANY_MORE.get(said.state):
        return reason
    return next((reason for reason, holds in _ENDINGS if holds(said, grant, now)), None)


def _taken_back(said: Said, grant: Grant, now: Now) -> bool:
    return grant.withdrawn


def _on_hold(said: Said, grant: Grant, now: Now) -> bool:
    return said.suspended


def _too_old(said: Said, grant: Grant, now: Now) -> bool:
    return now.moment >= lapses(said.renewed_at)


def _come_of_age(said: Said, grant: Grant, now: Now) -> bool:
    adult_at = said.terms.capacity.adult_at
    return adult_at is not None and now.moment >= adult_at


def _mandate_ended(said: Said, grant: Grant, now: Now) -> bool:
    return mandate_over(said.terms.capacity, now.moment)


def _never_confirmed(said: Said, grant: Grant, now: Now) -> bool:
    return unconfirmed(said.terms, now.moment)


def _outside_its_time(said: Said, grant: Grant, now: Now) -> bool:
    end = _end(grant, now.happened)
    return now.moment < grant.start or (end is not None and now.moment >= end)


def _on_an_old_notice(said: Said, grant: Grant, now: Now) -> bool:
    shown = (said.terms.notice.id, said.terms.notice.version, said.terms.notice.lang)
    return now.notices.known(*shown) != said.terms.notice.sha256 or now.notices.stale(*shown)


def _used_up(said: Said, grant: Grant, now: Now) -> bool:
    uses = now.uses.get((said.consent, grant.id), 0)
    return grant.max_uses is not None and uses >= grant.max_uses


# In the order in which a decision would find them; age comes before the end of the period,
# for both fall on the same midnight.
_ENDINGS: tuple[tuple[Reason, Callable[[Said, Grant, Now], bool]], ...] = (
    (Reason.CONSENT_WITHDRAWN, _taken_back),
    (Reason.HARD_RULE_H9, _too_old),
    (Reason.CAPACITY_CHANGED_AGE18, _come_of_age),
    (Reason.CAPACITY_MISSING, _mandate_ended),
    (Reason.CONSENT_EXPIRED, _never_confirmed),
    (Reason.CONSENT_EXPIRED, _outside_its_time),
    (Reason.CONSENT_SUSPENDED, _on_hold),
    (Reason.CONSENT_STALE_NOTICE, _on_an_old_notice),
    (Reason.USES_EXHAUSTED, _used_up),
)


@lru_cache(maxsize=4096)
def lapses(renewed_at: int) -> int:
    """The instant from which on it gives nothing without renewal (H9)."""
    return months_after(renewed_at, MONTHS_AT_MOST)


def _end(grant: Grant, happened: Mapping[str, int]) -> int | None:
    """The first instant at which it is over; nothing when nothing has ended it yet."""
    event = happened.get(grant.until_event) if grant.until_event else None
    if event is None:
        return grant.end
    event = months_after(event, _grace(grant))
    return event if grant.end is None else min(event, grant.end)


@lru_cache(maxsize=1024)
def _grace(grant: Grant) -> int:
    """Months that the purpose leaves after the event that it is bound to."""
    use = purpose(grant.purpose)
    if use is None or use.until_event != grant.until_event or not use.until_event_grace:
        return 0
    months = re.fullmatch(r"P([0-9]+)M", use.until_event_grace)
    return int(months[1]) if months else 0


def _denied_and_refused(
    said: Iterable[Said], asking: Asking, today: date
) -> tuple[frozenset[FieldId], list[Said]]:
    denied: frozenset[FieldId] = frozenset()
    noes = []
    for each in said:
        if each.state in _NEVER_SAID:
            continue
        for denial in each.terms.denials:
            if reaches(denial.recipient, asking, today):
                denied |= denied_fields(denial.sections)
        if each.controller == asking.holder and any(
            no.purpose == asking.purpose and reaches(no.recipient, asking, today)
            for no in each.terms.refused
        ):
            noes.append(each)
    return denied, noes


def _overtaken(said: Said, noes: Iterable[Said]) -> bool:
    """Whether the client said no after this yes, in another record; at one instant, no wins."""
    return any(no.consent != said.consent and no.given_at >= said.renewed_at for no in noes)


def _last_word(no: Said, grants: Iterable[tuple[Said, Grant]]) -> bool:
    """Whether no yes for this purpose and recipient stands beside or after this no."""
    return not any(
        said.consent == no.consent or said.renewed_at > no.given_at for said, _ in grants
    )
