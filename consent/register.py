"""What clients agreed to: give, narrow, renew, withdraw, and look up for a decision.

Every verb works inside a transaction that somebody else began and will commit. None asks a
clock or makes an id. What a consent says is only ever written sealed, and bound to how its
row stands: a row whose state, controller or version was altered behind the register's back
can not be opened any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from consent import held, records, sealed
from consent.belgian_time import day_of, instant, time_of
from consent.content import Terms
from consent.lifecycle import releases, transition
from consent.notices import Notice, NoticeLibrary
from consent.recipients import Asking
from consent.records import ConsentRow
from consent.renewal import Renewal, not_renewable, renewed
from consent.sealed import Sealing
from consent.standing import ConsentFacts, GrantRef, Now, facts_from, matching
from policies.decision import Refused
from policies.vocabulary import ClientId, ConsentId, ConsentState, GrantId, OrganisationId, Reason

__all__ = [
    "CONSENTS",
    "NOBODYS",
    "Asking",
    "Changed",
    "ConsentFacts",
    "ConsentView",
    "NoticeChanged",
    "Sealing",
    "Withdrawn",
    "consents_of",
    "count_use",
    "facts_about",
    "give",
    "invalidate",
    "keep_notice",
    "notices_in",
    "receipt_of",
    "renew",
    "resume",
    "standing",
    "suspend",
    "withdraw",
]

CONSENTS = records.TO_DECIDE
"""The consents of a client: a statement with the values `in_shard` and `of_client`."""
NOBODYS = OrganisationId("")
"""The controller of no consent: for who asks as the client, not as an organisation."""


class NoticeChanged(Exception):
    """That version of a notice is in use with another text. A new text needs a new version."""


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


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One consent as it is shown to its controller or its client."""

    consent: ConsentId
    controller: OrganisationId
    state: ConsentState
    suspended: bool
    version: int
    given_at: datetime
    terms: Terms


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
    row = _one(connection, shard, consent, controller, client)
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
    row = _one(connection, shard, consent, controller)
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


def standing(connection: Connection, *, shard: int) -> list[ConsentId]:
    """Every consent that may release something today, whoever gave it."""
    states = [state for state in ConsentState if releases(state)]
    return [ConsentId(each) for each in records.standing(connection, shard=shard, states=states)]


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
    row = _one(connection, shard, consent, controller)
    if isinstance(row, Refused):
        return row
    if reason := transition(ConsentState(row.state), ConsentState.INVALIDATED):
        return Refused(reason)
    terms = sealed.terms_of(shard, row, sealing)
    row = row._replace(state=ConsentState.INVALIDATED)
    row = sealed.change(connection, shard, row, terms, at=at, sealing=sealing, via=via)
    return _changed(row, terms)


def consents_of(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    sealing: Sealing,
    controller: OrganisationId | None = None,
) -> list[ConsentView]:
    """Every consent of a client, oldest first; with a controller, those given to it alone."""
    rows = records.consents_to_show(connection, shard=shard, client=client)
    return [
        ConsentView(
            row.id,
            OrganisationId(row.controller),
            ConsentState(row.state),
            row.suspended,
            row.version,
            time_of(row.given_at),
            sealed.terms_of(shard, row, sealing),
        )
        for row in rows
        if controller in (None, row.controller)
    ]


def receipt_of(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    sealing: Sealing,
    controller: OrganisationId = NOBODYS,
    client: ClientId | None = None,
) -> str | Refused:
    """The last receipt that was kept, for the controller or the client."""
    row = _one(connection, shard, consent, controller, client)
    if isinstance(row, Refused):
        return row
    receipt = sealed.last_receipt(connection, shard, row, sealing)
    return receipt or Refused(Reason.CONSENT_NOT_FOUND)


def facts_about(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    asking: Asking,
    at: datetime,
    sealing: Sealing,
    notices: NoticeLibrary,
    found: Iterable[Sequence[Any]] | None = None,
) -> ConsentFacts:
    """What a decision must know of the client's consents, for one who asks for one purpose.

    `found` is what `CONSENTS` gives for the client, when that was asked already: otherwise
    one statement, and a second one only for grants that may be used a number of times. A
    consent that can not be opened may hold a denial: so what the sealing raises is passed
    on, and nothing is decided.
    """
    moment = instant(at)
    today = day_of(moment)
    if found is None:
        rows = records.consents_to_decide(connection, shard=shard, client=client)
    else:
        rows = records.in_order(found)
    said = [sealed.opened(shard, row, sealing) for row in rows]
    matched = matching(said, asking, today)
    limited = {consent for consent, _ in matched.limited}
    uses = records.uses_of(connection, shard=shard, consents=limited) if limited else {}
    return facts_from(matched, asking, Now(moment, today, asking.happened, notices, uses))


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


def keep_notice(connection: Connection, *, shard: int, notice: Notice) -> bool:
    """Put a notice into use; false when it already is. Raises `NoticeChanged`."""
    library = notices_in(connection, shard=shard)
    known = library.known(notice.id, notice.version, notice.lang)
    if known is None:
        records.add_notice(connection, shard=shard, notice=notice)
    elif known != notice.sha256:
        raise NoticeChanged
    return known is None


def notices_in(connection: Connection, *, shard: int) -> NoticeLibrary:
    """Every notice in use, as it stands now."""
    return NoticeLibrary(records.notices_in(connection, shard=shard))


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
    if not suspended and held.stands(connection, shard=shard, consent=consent):
        return Refused(Reason.CONSENT_WITHDRAWN)
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


def _one(
    connection: Connection,
    shard: int,
    consent: ConsentId,
    controller: OrganisationId,
    client: ClientId | None = None,
) -> ConsentRow | Refused:
    """The consent, for its controller or its client; to anybody else it does not exist."""
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    if row is None or (row.controller != controller and row.client != client):
        return Refused(Reason.CONSENT_NOT_FOUND)
    return row


def _ending(terms: Terms, asked: Sequence[GrantId] | None) -> frozenset[GrantId] | Refused:
    """The standing ones of the grants that are asked for; without any, all that stand."""
    known = {grant.id for grant in terms.grants}
    if asked is not None and (not asked or not known.issuperset(asked)):
        return Refused(Reason.CONTENT_REFUSED, details=("grants",))
    standing = {grant.id for grant in terms.grants if not grant.withdrawn}
    ended = standing if asked is None else standing.intersection(asked)
    return frozenset(ended) if ended else Refused(Reason.ALREADY_WITHDRAWN)
