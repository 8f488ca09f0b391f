"""Consents changed: given, narrowed, renewed, withdrawn, held, and declared never valid.

Every verb works inside a transaction that somebody else began and will commit. None asks a
clock or makes an id.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from consent import agenda, records, sealed
from consent.belgian_time import instant
from consent.content import Terms
from consent.ending import Because, Ending, capacity_over, ending, over
from consent.held import keep_on, stops
from consent.lifecycle import Happening, Stands, after, releases
from consent.looking import NOBODYS, held_by
from consent.mergers import NONE_MERGED, Mergers, awaits_renewal, speaks_of
from consent.records import ConsentRow
from consent.renewal import Renewal, not_renewable, renewed
from consent.sealed import Sealing
from consent.standing import ConsentFacts, GrantRef
from policies.decision import Refused
from policies.vocabulary import ClientId, ConsentId, ConsentState, GrantId, OrganisationId, Reason

ReceiptOf = Callable[[ClientId, Terms], str]
"""Makes the receipt for a client from what the consent says now."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A consent after a change: whose it is and how it stands."""

    client: ClientId
    controller: OrganisationId
    state: ConsentState
    suspended: bool
    version: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What a withdrawal ended. `lost` are recipient and purpose of the grants that ended."""

    client: ClientId
    state: ConsentState
    ended: tuple[GrantId, ...]
    lost: tuple[tuple[str, str], ...]


def give(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    client: ClientId,
    controller: OrganisationId,
    terms: Terms,
    at: datetime,
    sealing: Sealing,
    receipt: str | None = None,
) -> ConsentState:
    """Record what a client agreed to, and say how it stands: given, or refused without a grant.

    `receipt` is kept for the client, sealed. Raises `IntegrityError` when the id is taken.
    """
    moment = instant(at)
    state = ConsentState.GIVEN if terms.grants else ConsentState.REFUSED
    row = ConsentRow(
        id=consent,
        client=client,
        controller=controller,
        state=state,
        version=1,
        given_at=moment,
        renewed_at=moment,
        changed_at=moment,
        suspended=False,
        sealed=b"",
    )
    sealed.add(connection, shard, row, terms, sealing=sealing, receipt=receipt)
    return state


def withdraw(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    grants: Sequence[GrantId] | None,
    via: str,
    at: datetime,
    sealing: Sealing,
    controller: OrganisationId = NOBODYS,
    client: ClientId | None = None,
) -> Withdrawn | Refused:
    """End a consent now, or only these of its grants. Final; its denials stay in force.

    Asked by the controller or by the client; to anybody else there is no such consent.
    `ALREADY_WITHDRAWN` when none of what is asked still stands, `CONTENT_REFUSED` for a
    grant it does not have.
    """
    row = held_by(connection, shard, consent, controller, client)
    if isinstance(row, Refused):
        return row
    terms = sealed.terms_of(shard, row, sealing)
    ended = _ending(terms, grants)
    if isinstance(ended, Refused):
        return ended
    terms = terms.without(ended)
    left = any(not grant.withdrawn for grant in terms.grants)
    stands = _after(row, Happening.NARROWED if left else Happening.WITHDRAWN)
    if isinstance(stands, Refused):
        return stands
    row = sealed.change(connection, shard, stands, terms, at=at, sealing=sealing, via=via)
    gone = [grant for grant in terms.grants if grant.id in ended]
    lost = dict.fromkeys((grant.recipient, grant.purpose) for grant in gone)
    of_grants = tuple(grant.id for grant in gone)
    return Withdrawn(row.client, ConsentState(row.state), of_grants, tuple(lost))


def renew(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    renewal: Renewal,
    at: datetime,
    sealing: Sealing,
    receipt: ReceiptOf | None = None,
    version: int | None = None,
    mergers: Mergers = NONE_MERGED,
) -> Changed | Refused:
    """The client agrees once more: another notice, other evidence, and 24 months anew.

    What was withdrawn stays so. A partnership is from now on its members of today, and an
    organisation that was merged what became of it. Refused
    when the period of a grant is over and no new end is given (`until`), when the evidence
    is too weak, when the client has come of age since (an adult gives a consent of its own),
    or when `version` is no longer the one that stands. A hold ends with it. `receipt` makes
    what is kept for the client.
    """
    row = _found(connection, shard, consent, controller, version)
    if isinstance(row, Refused):
        return row
    if _stopped(connection, shard, row):
        return Refused(Reason.CONSENT_WITHDRAWN)
    stands = _after(row, Happening.RENEWED)
    if isinstance(stands, Refused):
        return stands
    moment = instant(at)
    terms = renewed(sealed.terms_of(shard, row, sealing), renewal, moment, mergers)
    if refusal := not_renewable(terms, moment):
        return refusal
    kept = None if receipt is None else receipt(row.client, terms)
    stands = stands._replace(renewed_at=moment)
    row = sealed.change(connection, shard, stands, terms, at=at, sealing=sealing, receipt=kept)
    return _changed(row, terms)


def suspend(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    at: datetime,
    sealing: Sealing,
    controller: OrganisationId | None = None,
    version: int | None = None,
) -> Changed | Refused:
    """Hold a consent: it keeps its state and releases nothing until it is resumed.

    With a controller, only one that was given to it.
    """
    row = _found(connection, shard, consent, controller, version)
    if isinstance(row, Refused):
        return row
    return _hold(connection, shard, row, at, sealing, Happening.SUSPENDED)


def suspend_speaking_of(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    organisations: Iterable[OrganisationId],
    at: datetime,
    sealing: Sealing,
) -> Changed | None:
    """Hold a consent if it was given to one of these or names one; nothing if not."""
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None:
        return None
    terms = sealed.terms_of(shard, row, sealing)
    if not speaks_of(terms, row.controller, tuple(organisations)):
        return None
    held = _hold(connection, shard, row, at, sealing, Happening.SUSPENDED)
    return None if isinstance(held, Refused) else held


def resume(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    at: datetime,
    sealing: Sealing,
    controller: OrganisationId | None = None,
    version: int | None = None,
    mergers: Mergers = NONE_MERGED,
) -> Changed | Refused:
    """Let a suspended consent release again. Its own ends have gone on meanwhile.

    Refused where the client must say yes once more, on a renewal or as an adult.
    """
    row = _found(connection, shard, consent, controller, version)
    if isinstance(row, Refused):
        return row
    if _stopped(connection, shard, row):
        return Refused(Reason.CONSENT_WITHDRAWN)
    terms, capacity = sealed.terms_of(shard, row, sealing), None
    if releases(ConsentState(row.state)):
        capacity = capacity_over(terms)
        if awaits_renewal(terms, row.controller, row.renewed_at, mergers):
            return Refused(Reason.CONTENT_REFUSED, details=("consent: renewal_needed",))
    if capacity is not None and capacity.at <= instant(at):
        of_age = capacity.because is Because.OF_AGE
        return Refused(Reason.CAPACITY_CHANGED_AGE18 if of_age else Reason.CAPACITY_MISSING)
    return _hold(connection, shard, row, at, sealing, Happening.RESUMED)


def invalidate(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    via: str,
    at: datetime,
    sealing: Sealing,
    version: int | None = None,
) -> Changed | Refused:
    """Declare that this was never a valid consent: neither grants nor denials count."""
    what = Happening.INVALIDATED
    return _end(connection, shard, consent, controller, what, via, at, sealing, version)


def revoke(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    via: str,
    at: datetime,
    sealing: Sealing,
    version: int | None = None,
) -> Changed | Refused:
    """End a consent for somebody else who may: a court, a representative. Denials stay.

    `via` says by whom, as a code.
    """
    what = Happening.REVOKED
    return _end(connection, shard, consent, controller, what, via, at, sealing, version)


def fall_due(
    connection: Connection, *, shard: int, consent: ConsentId, at: datetime, sealing: Sealing
) -> tuple[Changed, Because] | None:
    """End or hold a consent whose time has come, and say why; nothing where it has not.

    Then it is known when to look again. Raises what the sealing raises.
    """
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None:
        return None
    now, terms = instant(at), sealed.terms_of(shard, row, sealing)
    come = _come_due(row, terms, now)
    if come is None:
        due_at = sealed.due(row, terms, now)
        agenda.put_off(connection, shard=shard, consent=consent, due_at=due_at)
        return None
    what = Happening.SUSPENDED if come.because.holds_only else Happening.EXPIRED
    stands = _after(row, what)
    if isinstance(stands, Refused):
        return None
    row = sealed.change(connection, shard, stands, terms, at=at, sealing=sealing, via=come.because)
    return _changed(row, terms), come.because


def count_use(
    connection: Connection, *, shard: int, facts: ConsentFacts, rests_on: Iterable[int]
) -> None:
    """Count one use of each grant a release rests on that may be used a number of times.

    In the transaction of the decision: the next one sees it. `rests_on` are positions in
    `facts.grants`.
    """
    used: set[GrantRef] = {facts.refs[position] for position in rests_on}
    for consent, grant in sorted(used & facts.limited):
        records.count_one_use(connection, shard=shard, consent=consent, grant=grant)


def _come_due(row: ConsentRow, terms: Terms, now: int) -> Ending | None:
    """What of a standing consent is over by now; for one that is held that is its time alone."""
    if not releases(ConsentState(row.state)):
        return None
    time, first = over(terms, row.renewed_at), ending(terms, row.renewed_at)
    come = time if row.suspended or time.at <= now else first
    return come if come.at <= now else None


def _found(
    connection: Connection,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId | None,
    version: int | None,
) -> ConsentRow | Refused:
    """The consent; for a controller one of its own, and at the version that it saw."""
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None or controller not in (None, row.controller):
        return Refused(Reason.CONSENT_NOT_FOUND)
    return row if version in (None, row.version) else Refused(Reason.STALE_VERSION)


def _stopped(connection: Connection, shard: int, row: ConsentRow) -> bool:
    """Whether the client has withdrawn it, and that is still to be written into it."""
    return row.suspended and stops(connection, shard=shard, consent=row.id)


def _hold(
    connection: Connection,
    shard: int,
    row: ConsentRow,
    at: datetime,
    sealing: Sealing,
    what: Happening,
) -> Changed | Refused:
    stands = _after(row, what)
    if isinstance(stands, Refused):
        return stands
    if what is Happening.SUSPENDED:
        keep_on(connection, shard=shard, consent=row.id)
    terms = sealed.terms_of(shard, row, sealing)
    if stands != row:
        row = sealed.change(connection, shard, stands, terms, at=at, sealing=sealing, via=what)
    return _changed(row, terms)


def _end(
    connection: Connection,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    what: Happening,
    via: str,
    at: datetime,
    sealing: Sealing,
    version: int | None,
) -> Changed | Refused:
    row = _found(connection, shard, consent, controller, version)
    if isinstance(row, Refused):
        return row
    if _stopped(connection, shard, row):
        return Refused(Reason.CONSENT_WITHDRAWN)
    stands = _after(row, what)
    if isinstance(stands, Refused):
        return stands
    terms = sealed.terms_of(shard, row, sealing)
    row = sealed.change(connection, shard, stands, terms, at=at, sealing=sealing, via=via)
    return _changed(row, terms)


def _after(row: ConsentRow, what: Happening) -> ConsentRow | Refused:
    """The row as it stands after what happened."""
    stands = after(Stands(ConsentState(row.state), row.suspended), what)
    if isinstance(stands, Reason):
        return Refused(stands)
    return row._replace(state=stands.state, suspended=stands.suspended)


def _changed(row: ConsentRow, terms: Terms) -> Changed:
    controller, state = OrganisationId(row.controller), ConsentState(row.state)
    return Changed(row.client, controller, state, row.suspended, row.version, terms)


def _ending(terms: Terms, asked: Sequence[GrantId] | None) -> frozenset[GrantId] | Refused:
    """The standing ones of the grants that are asked for; without any, all that stand."""
    known = {grant.id for grant in terms.grants}
    if asked is not None and (not asked or not known.issuperset(asked)):
        return Refused(Reason.CONTENT_REFUSED, details=("grants",))
    standing = {grant.id for grant in terms.grants if not grant.withdrawn}
    ended = standing if asked is None else standing.intersection(asked)
    return frozenset(ended) if ended else Refused(Reason.ALREADY_WITHDRAWN)
