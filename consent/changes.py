"""Consents changed: given, narrowed, renewed, withdrawn, held, and declared never valid.

Every verb works inside a transaction that somebody else began and will commit. None asks a
clock or makes an id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from consent import records, sealed
from consent.belgian_time import instant
from consent.content import Terms
from consent.lifecycle import transition
from consent.looking import NOBODYS, held_by
from consent.records import ConsentRow
from consent.renewal import Renewal, not_renewable, renewed
from consent.sealed import Sealing
from consent.standing import ConsentFacts, GrantRef
from policies.decision import Refused
from policies.vocabulary import ClientId, ConsentId, ConsentState, GrantId, OrganisationId, Reason


@dataclass(frozen=True, slots=True)
class Changed:
    """A consent after a change: whose it is and how it stands."""

    client: ClientId
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
    state = ConsentState.NARROWED if left else ConsentState.WITHDRAWN
    if reason := transition(ConsentState(row.state), state):
        return Refused(reason)
    row = row._replace(state=state)
    sealed.change(connection, shard, row, terms, at=at, sealing=sealing, via=via)
    gone = [grant for grant in terms.grants if grant.id in ended]
    lost = dict.fromkeys((grant.recipient, grant.purpose) for grant in gone)
    return Withdrawn(row.client, state, tuple(grant.id for grant in gone), tuple(lost))


def renew(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    renewal: Renewal,
    at: datetime,
    sealing: Sealing,
    receipt: str | None = None,
    version: int | None = None,
) -> Changed | Refused:
    """The client agrees once more: another notice, other evidence, and 24 months anew.

    What was withdrawn stays so. A partnership is from now on its members of today. Refused
    when the period of a grant is over and no new end is given (`until`), when the evidence
    is too weak, when the client has come of age since (an adult gives a consent of its own),
    or when `version` is no longer the one that stands.
    """
    row = held_by(connection, shard, consent, controller)
    if isinstance(row, Refused):
        return row
    if version not in (None, row.version):
        return Refused(Reason.STALE_VERSION)
    if reason := transition(ConsentState(row.state), ConsentState.RENEWED):
        return Refused(reason)
    moment = instant(at)
    terms = renewed(sealed.terms_of(shard, row, sealing), renewal, moment)
    if refusal := not_renewable(terms, moment):
        return refusal
    row = row._replace(state=ConsentState.RENEWED, renewed_at=moment)
    row = sealed.change(connection, shard, row, terms, at=at, sealing=sealing, receipt=receipt)
    return _changed(row, terms)


def suspend(
    connection: Connection, *, shard: int, consent: ConsentId, at: datetime, sealing: Sealing
) -> Changed | Refused:
    """Hold a consent: it keeps its state and releases nothing until it is resumed."""
    return _hold(connection, shard, consent, at, sealing, suspended=True)


def resume(
    connection: Connection, *, shard: int, consent: ConsentId, at: datetime, sealing: Sealing
) -> Changed | Refused:
    """Let a suspended consent release again. Its own ends have gone on meanwhile."""
    return _hold(connection, shard, consent, at, sealing, suspended=False)


def invalidate(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    via: str,
    at: datetime,
    sealing: Sealing,
) -> Changed | Refused:
    """Declare that this was never a valid consent: neither grants nor denials count."""
    row = held_by(connection, shard, consent, controller)
    if isinstance(row, Refused):
        return row
    if reason := transition(ConsentState(row.state), ConsentState.INVALIDATED):
        return Refused(reason)
    terms = sealed.terms_of(shard, row, sealing)
    row = row._replace(state=ConsentState.INVALIDATED)
    row = sealed.change(connection, shard, row, terms, at=at, sealing=sealing, via=via)
    return _changed(row, terms)


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


def _hold(
    connection: Connection,
    shard: int,
    consent: ConsentId,
    at: datetime,
    sealing: Sealing,
    *,
    suspended: bool,
) -> Changed | Refused:
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None:
        return Refused(Reason.CONSENT_NOT_FOUND)
    # Only what stands can be held; and what stands could also be narrowed.
    if reason := transition(ConsentState(row.state), ConsentState.NARROWED):
        return Refused(reason)
    terms = sealed.terms_of(shard, row, sealing)
    if row.suspended is not suspended:
        row = row._replace(suspended=suspended)
        via = "suspended" if suspended else "resumed"
        row = sealed.change(connection, shard, row, terms, at=at, sealing=sealing, via=via)
    return _changed(row, terms)


def _changed(row: ConsentRow, terms: Terms) -> Changed:
    return Changed(row.client, ConsentState(row.state), row.suspended, row.version, terms)


def _ending(terms: Terms, asked: Sequence[GrantId] | None) -> frozenset[GrantId] | Refused:
    """The standing ones of the grants that are asked for; without any, all that stand."""
    known = {grant.id for grant in terms.grants}
    if asked is not None and (not asked or not known.issuperset(asked)):
        return Refused(Reason.CONTENT_REFUSED, details=("grants",))
    standing = {grant.id for grant in terms.grants if not grant.withdrawn}
    ended = standing if asked is None else standing.intersection(asked)
    return frozenset(ended) if ended else Refused(Reason.ALREADY_WITHDRAWN)
