"""Push a handover: offer a client to a partner. The offer carries no data."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.events import Actor, HandoverOffered, HandoverRefused
from exchange import counting, handovers, records
from exchange.acting import acts_for, not_instructed
from exchange.alerts import Alert
from exchange.clients import new_handle
from exchange.considering import Considered, Rulebook, consider, on_file, sections_asked
from exchange.handovers import Handover, HandoverEvent
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.stepping import DEADLINES, event_context, sealed_words
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused, ReleaseRequest
from policies.vocabulary import (
    ClientId,
    Handle,
    HandoverId,
    HandoverState,
    Operation,
    OrganisationId,
    Reason,
    Section,
)


@dataclass(frozen=True, slots=True)
class HandoverOrder:
    """Which client goes to whom and why. `key` and `fingerprint` make a repeat the same push.

    `on_behalf_of`: the controller in whose name a processor offers its client.
    """

    client: Handle
    recipient: OrganisationId
    purpose: str
    reason_code: str
    urgency: str
    key: bytes
    fingerprint: bytes
    sections: frozenset[Section] | None = None
    appointment: Mapping[str, Any] | None = None
    on_behalf_of: OrganisationId | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """The handover, and what its recipient will and will not get as things stand."""

    handover: HandoverId
    state: HandoverState
    deadline: int
    shared: tuple[str, ...]
    withheld: tuple[str, ...]


@by_application
def push_handover(
    tx: Transaction, caller: Caller, order: HandoverOrder, rulebook: Rulebook
) -> Outcome[Offered]:
    """Decide what would be shared, and offer it. The same key gives the first answer again."""
    sender = acts_for(tx, caller, order.on_behalf_of, order.purpose)
    request = ReleaseRequest(order.recipient, order.purpose, order.sections, Operation.VIEW)
    if sender is None:
        no = not_instructed(order.purpose)
        refusal = Refused(no.reason or Reason.GATE_FAILED, no.told)
        return _refuse(caller, caller.organisation, request, ClientId(""), refusal)
    before = handovers.handover_by_key(tx.connection, shard=tx.shard, sender=sender, key=order.key)
    if before is not None:
        return Outcome(_again(tx, before, order))
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=sender, handle=order.client
    )
    if client.holder != sender:
        stranger = Refused(Reason.NOT_THE_HOLDER)
        return _refuse(caller, sender, request, ClientId(""), stranger)
    known = on_file(tx, client, order.recipient)
    considered = consider(tx, rulebook, request, client, known, care_relation=True)
    decision = considered.decision
    if decision.reason is not None:
        told = Refused(decision.reason, decision.told, (decision.reason,))
        full = counting.full(tx, caller, request, client, decision)
        return _refuse(caller, sender, request, client.id, told, decision.trace, full)
    offered = _offer(tx, order, client, considered, sender)
    event = HandoverOffered(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=sender,
        consumer=order.recipient,
        purpose=order.purpose,
        sections=tuple(sorted(decision.sections)),
        handover=offered.handover,
        reason="OK_FILTERED" if decision.filtered else "OK",
        consents=considered.consents,
        grants=considered.grants,
        basis=None if considered.basis is None else considered.basis.code,
        protocol=None if decision.flow is None else decision.flow.agreement,
        trace=decision.trace,
    )
    alerts = counting.count(tx, caller, rulebook, request, client, considered)
    return Outcome(offered, (event,), alerts=alerts)


def _again(tx: Transaction, before: Handover, order: HandoverOrder) -> Offered | Refused:
    if not hmac.compare_digest(before.fingerprint, order.fingerprint):
        return Refused(Reason.KEY_REUSED, told=Reason.KEY_REUSED)
    said = json.loads(tx.vault.open(before.client, before.sealed, event_context(before.id, 0)))
    return Offered(
        HandoverId(before.id),
        HandoverState.OFFERED,
        before.deadline_at,
        tuple(said["shared"]),
        tuple(said["withheld"]),
    )


def _offer(
    tx: Transaction,
    order: HandoverOrder,
    client: KnownClient,
    considered: Considered,
    sender: OrganisationId,
) -> Offered:
    decision = considered.decision
    handover = HandoverId(tx.new_id())
    _introduce(tx, client.id, order.recipient)
    deadline = tx.now + round(DEADLINES[order.urgency].total_seconds() * 1_000_000)
    flow = decision.flow
    said = {
        "shared": list(decision.sections),
        "withheld": list(decision.withheld),
        "consents": list(considered.consents),
        "appointment": order.appointment,
    }
    handovers.add_handover(
        tx.connection,
        Handover(
            shard=tx.shard,
            id=handover,
            client=client.id,
            sender=sender,
            recipient=order.recipient,
            purpose=order.purpose,
            agreement="" if flow is None else flow.agreement,
            reason_code=order.reason_code,
            urgency=order.urgency,
            masked=considered.masked,
            state=HandoverState.OFFERED,
            offered_at=tx.now,
            deadline_at=deadline,
            events=1,
            idempotency_key=order.key,
            fingerprint=order.fingerprint,
            sealed=sealed_words(tx, client.id, handover, 0, said),
        ),
    )
    handovers.add_event(
        tx.connection,
        HandoverEvent(
            shard=tx.shard,
            handover=handover,
            sequence=1,
            id=tx.new_id(),
            type="offered",
            at=tx.now,
            actor_org=sender,
            sealed=sealed_words(tx, client.id, handover, 1, {}),
        ),
    )
    return Offered(
        handover, HandoverState.OFFERED, deadline, tuple(decision.sections), decision.withheld
    )


def _introduce(tx: Transaction, client: ClientId, recipient: OrganisationId) -> None:
    """Give the recipient a name of its own for the client, once."""
    known_as = records.handle_of(
        tx.connection, shard=tx.shard, client=client, organisation=recipient
    )
    if known_as is None:
        records.add_handle(
            tx.connection,
            shard=tx.shard,
            client=client,
            organisation=recipient,
            handle=new_handle(),
        )


def _refuse(
    caller: Caller,
    sender: str,
    request: ReleaseRequest,
    client: ClientId,
    refusal: Refused,
    trace: tuple[tuple[str, str | None], ...] = (),
    full: tuple[Alert, ...] = (),
) -> Outcome[Offered]:
    event = HandoverRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=sender,
        consumer=request.recipient,
        purpose=request.purpose,
        sections=sections_asked(request),
        reason=refusal.reason,
        trace=trace,
    )
    alerts = (*counting.prohibited(caller, request, refusal.reason), *full)
    return Outcome(refusal, (event,), alerts=alerts)
