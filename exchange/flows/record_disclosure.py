"""Record a disclosure: what the holder told somebody outside the broker, by voice or on paper.

It has happened, so nothing is decided; it is written down, and the client sees it like any other.
"""

from dataclasses import dataclass
from datetime import datetime

from audit.events import Actor, ClientRefused, DisclosureRecorded
from exchange import receivers, records
from exchange.considering import grants_covering
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import (
    NOBODY,
    ClientId,
    Handle,
    OrganisationId,
    Reason,
    Section,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told: to an organisation of the register, or to somebody of a kind outside it.

    Kind, `via` and `basis` are codes; of what was said there are the sections, and never the words.
    """

    client: Handle
    recipient: OrganisationId | None
    recipient_kind: str | None
    purpose: str
    sections: frozenset[Section]
    via: str
    basis: str
    at: datetime


@by_application
def record_disclosure(tx: Transaction, caller: Caller, told: Told) -> Outcome[None]:
    """Log it under the client's name. To anybody but the holder there is no such client."""
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=told.client
    )
    if client.id == NOBODY or client.holder != holder:
        return _refuse(caller, NOBODY, Refused(Reason.NOT_THE_HOLDER))
    problems = _problems(tx, told)
    if problems:
        reason = Reason.CONTENT_REFUSED
        return _refuse(caller, client.id, Refused(reason, told=reason, details=problems))
    if told.recipient is not None:
        # What was said on the strength of a consent is asked back when that is withdrawn.
        receivers.keep(
            tx.connection,
            shard=tx.shard,
            client=client.id,
            recipient=told.recipient,
            purpose=told.purpose,
            rests_on=grants_covering(tx, client, told.recipient, told.purpose),
            known=None,
            at=tx.now,
        )
    event = DisclosureRecorded(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=holder,
        consumer=told.recipient,
        purpose=told.purpose,
        sections=tuple(sorted(told.sections)),
        recipient_kind=told.recipient_kind,
        via=told.via,
        basis=told.basis,
        happened_at=told.at.isoformat(),
    )
    return Outcome(None, (event,))


def _problems(tx: Transaction, told: Told) -> tuple[str, ...]:
    """Places and codes of what can not be so."""
    found = []
    if (told.recipient is None) == (told.recipient_kind is None):
        found.append("recipient: one_of_two")
    elif told.recipient is not None and told.recipient not in tx.directory.types:
        found.append("recipient: not_in_the_register")
    if told.at > tx.at:
        found.append("at: in_the_future")
    return tuple(found)


def _refuse(caller: Caller, client: ClientId, refused: Refused) -> Outcome[None]:
    event = ClientRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        reason=refused.reason,
        via="disclosure",
    )
    return Outcome(refused, (event,))
