"""Consents looked up: for who may see them, and for a decision.

Every question works inside a transaction that somebody else began. None asks a clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from consent import held, records, sealed
from consent.belgian_time import day_of, instant, time_of
from consent.content import Terms
from consent.lifecycle import releases
from consent.notices import NoticeLibrary
from consent.recipients import Asking
from consent.records import ConsentRow
from consent.sealed import Sealing
from consent.standing import ConsentFacts, Now, facts_from, matching
from policies.decision import Refused
from policies.vocabulary import ClientId, ConsentId, ConsentState, OrganisationId, Reason

CONSENTS = records.TO_DECIDE
"""The consents of a client: a statement with the values `in_shard` and `of_client`."""
NOBODYS = OrganisationId("")
"""The controller of no consent: for who asks as the client, not as an organisation."""


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One consent as it is shown to its controller or its client."""

    consent: ConsentId
    controller: OrganisationId
    state: ConsentState
    suspended: bool
    version: int
    given_at: datetime
    renewed_at: datetime
    terms: Terms


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
            time_of(row.renewed_at),
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
    row = held_by(connection, shard, consent, controller, client)
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


def is_held(connection: Connection, *, shard: int, consent: ConsentId) -> bool:
    """Whether the consent is held now."""
    row = records.consent_to_change(connection, shard=shard, consent=consent)
    return row is not None and row.suspended


def standing(connection: Connection, *, shard: int) -> list[ConsentId]:
    """Every consent that may release something today, or when its key is back, whoever gave it."""
    states = [state for state in ConsentState if releases(state)]
    stand = records.standing(connection, shard=shard, states=states)
    return [*map(ConsentId, stand), *held.owed(connection, shard=shard)]


def held_by(
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
