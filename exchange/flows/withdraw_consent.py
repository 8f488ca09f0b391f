"""Withdraw a consent, whole or in part: stop sharing at once, and tell those who were told."""

from dataclasses import dataclass, replace

from audit.events import (
    Actor,
    ConsentNarrowed,
    ConsentRefused,
    ConsentWithdrawn,
    HandoverRevoked,
    PersonEvent,
)
from consent import register
from exchange import handovers, records
from exchange.considering import covered
from exchange.handovers import OPEN, Handover
from exchange.security.tokens import Caller
from exchange.stepping import about, erasure_due, move
from exchange.transaction import Outcome, Transaction, by_withdrawing_application
from policies.decision import Refused
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentId,
    ConsentState,
    GrantId,
    HandoverState,
    OrganisationId,
    Reason,
)

_TOLD_ITS_OWNER = frozenset({Reason.ALREADY_WITHDRAWN, Reason.CONTENT_REFUSED})
"""To anybody else there is no such consent, so these never reach them."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Which consent, or which of its grants (none: all), and by which way the client said so."""

    consent: ConsentId
    via: str
    grants: tuple[GrantId, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How the consent stands now. `at` in microseconds since 1970."""

    consent: ConsentId
    state: ConsentState
    at: int


@by_withdrawing_application
def withdraw_consent(tx: Transaction, caller: Caller, order: Withdrawal) -> Outcome[Ended]:
    """End the consent now. In log order no release that rests on it can follow."""
    controller = OrganisationId(caller.organisation)
    withdrawn = register.withdraw(
        tx.connection,
        shard=tx.shard,
        controller=controller,
        consent=order.consent,
        grants=order.grants,
        via=order.via,
        at=tx.at,
        sealing=tx.vault,
    )
    actor = Actor(system=caller.application)
    if isinstance(withdrawn, Refused):
        refused = ConsentRefused(
            application=caller.application,
            actor=actor,
            client=NOBODY,
            consent=order.consent,
            reason=withdrawn.reason,
            via=order.via,
        )
        openly = withdrawn.reason if withdrawn.reason in _TOLD_ITS_OWNER else None
        return Outcome(replace(withdrawn, told=openly), (refused,))
    whole = withdrawn.state == ConsentState.WITHDRAWN
    event = (ConsentWithdrawn if whole else ConsentNarrowed)(
        application=caller.application,
        actor=actor,
        client=withdrawn.client,
        provider=controller,
        consent=order.consent,
        grants=tuple(withdrawn.ended),
        via=order.via,
    )
    told = _told(tx, caller, withdrawn.client)
    return Outcome(Ended(order.consent, withdrawn.state, tx.now), (event, *told))


def _told(tx: Transaction, caller: Caller, whose: ClientId) -> list[PersonEvent]:
    """End every open handover that no grant covers any more; ask those who read it to erase."""
    events: list[PersonEvent] = []
    client = records.client_with_id(tx.connection, shard=tx.shard, client=whose)
    sender = client.holder
    for each in handovers.handovers_concerned(
        tx.connection, shard=tx.shard, client=whose, sender=sender
    ):
        if covered(tx, client, OrganisationId(each.recipient), each.purpose):
            continue
        if each.state in OPEN:
            move(tx, each, to=HandoverState.REVOKED, type="consent_withdrawn", actor=sender)
            events.append(_revocation(tx, caller, each))
        if each.read_at is not None:
            said = {"ack_due": erasure_due(tx.day)}
            state = HandoverState(each.state)
            move(tx, each, to=state, type="erasure_notice", actor=sender, said=said)
    return events


def _revocation(tx: Transaction, caller: Caller, handover: Handover) -> HandoverRevoked:
    return HandoverRevoked(
        application=caller.application,
        actor=Actor(system=caller.application),
        **about(tx, handover),
        reason="consent_withdrawn",
    )
