"""How a handover moves on: one numbered event a step, and the deadlines of section 'Handover'."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from exchange import handovers
from exchange.handovers import Handover, HandoverEvent
from exchange.security.keys import KeyDestroyed
from exchange.transaction import Transaction
from policies.vocabulary import NOBODY, ClientId, HandoverState, OrganisationId

DEADLINES: Mapping[str, timedelta] = {
    "normal": timedelta(days=14),
    "within_7d": timedelta(days=7),
    "within_48h": timedelta(hours=48),
}
"""How long an offer waits to be taken up; then it ends, and its access with it."""

ERASURE = timedelta(days=7)
"""How long a recipient has to answer that it has erased what the client withdrew."""

NEXT: Mapping[HandoverState, frozenset[HandoverState]] = {
    HandoverState.OFFERED: frozenset(
        {
            HandoverState.ACCEPTED,
            HandoverState.DECLINED,
            HandoverState.EXPIRED,
            HandoverState.REVOKED,
        }
    ),
    HandoverState.ACCEPTED: frozenset(
        {HandoverState.FIRST_CONTACT, HandoverState.CLOSED, HandoverState.REVOKED}
    ),
    HandoverState.FIRST_CONTACT: frozenset({HandoverState.CLOSED, HandoverState.REVOKED}),
}
"""From which state a handover may go where; from all others it goes nowhere."""


def may_move(state: str, to: HandoverState) -> bool:
    return to in NEXT.get(HandoverState(state), frozenset())


def erasure_due(day: date) -> str:
    """The day by which an erasure notice of that Belgian day must be answered (ISO 8601)."""
    return (day + ERASURE).isoformat()


def move(
    tx: Transaction,
    handover: Handover,
    *,
    to: HandoverState,
    type: str,
    actor: OrganisationId,
    said: Mapping[str, Any] | None = None,
) -> None:
    """Store the next event, and the state that it brings. `handover` is brought up to date.

    What was said with it (contact, appointment, outcome) is sealed under the client's key.
    """
    handover.events += 1
    handover.state = to
    event = HandoverEvent(
        shard=tx.shard,
        handover=handover.id,
        sequence=handover.events,
        id=tx.new_id(),
        type=type,
        at=tx.now,
        actor_org=actor,
        sealed=sealed_words(tx, handover.client, handover.id, handover.events, said or {}),
    )
    handovers.step(tx.connection, handover, to=to, event=event)


def about(tx: Transaction, handover: Handover) -> dict[str, Any]:
    """What every event of a handover says in public: who, to whom, for what, which sections.

    Of a handover that is torn nobody can tell: it may be all. Raises `KeyDestroyed` without the
    key of the client: then nothing of it can be written either.
    """
    try:
        sealed = tx.vault.open(handover.client, handover.sealed, event_context(handover.id, 0))
        shared = json.loads(sealed)["shared"]
    except KeyDestroyed:
        if tx.keys.at_hand(handover.client) == NOBODY:
            raise
        shared = ("all",)
    return {
        "client": handover.client,
        "provider": handover.sender,
        "consumer": handover.recipient,
        "purpose": handover.purpose,
        "sections": tuple(sorted(shared)),
        "handover": handover.id,
    }


def sealed_words(
    tx: Transaction, client: ClientId, handover: str, sequence: int, said: Mapping[str, Any]
) -> bytes:
    """What was said with an event, under the client's key; 0 is the offer itself."""
    plain = json.dumps(said, sort_keys=True, ensure_ascii=False).encode()
    return tx.vault.seal(client, plain, event_context(handover, sequence))


def event_context(handover: str, sequence: int) -> str:
    """What binds the words of an event to their place."""
    return f"handover|{handover}|{sequence}"
