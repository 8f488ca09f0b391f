"""Who is told of a withdrawal: open handovers end, and every recipient is asked to erase.

A few are told in the commit of the withdrawal itself. Where there are more, none is: then the
withdrawal takes no longer than without them, and a sweep tells all, some at a time. No release
waits for either.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from audit.events import Actor, HandoverRevoked, PersonEvent
from exchange import handovers, recalls, receivers, records
from exchange.considering import covered
from exchange.handovers import OPEN, Handover
from exchange.recalls import Round
from exchange.security.keys import KeyDestroyed
from exchange.stepping import about, erasure_due, move
from exchange.transaction import Transaction
from policies.vocabulary import ClientId, ConsentId, GrantId, HandoverState, OrganisationId

AT_ONCE = 8
"""So many handovers, and so many recipients, are told in the withdrawal's own commit."""


def begin(
    tx: Transaction,
    application: str,
    *,
    consent: ConsentId,
    client: ClientId,
    controller: OrganisationId,
    grants: tuple[GrantId, ...] | None,
) -> list[PersonEvent]:
    """Tell those of a withdrawal if they are few; whoever is left is told by `go_on`."""
    ended = None if grants is None else " ".join(grants)
    whose = (tx.shard, tx.new_id(), consent, client, controller, ended)
    round = Round(*whose, at=tx.now, tried_at=tx.now)
    events: list[PersonEvent] = []
    # Where another consent of the client can not be opened nobody knows what still covers: that
    # keeps no withdrawal from being written, and the sweep tries again.
    with suppress(KeyDestroyed):
        round, events = _handovers(tx, application, round, AT_ONCE, or_none=True)
    round = _recipients(tx, round, AT_ONCE, or_none=True)
    if not round.done:
        recalls.add_round(tx.connection, round)
    return events


def begin_without_keys(
    tx: Transaction,
    *,
    consent: ConsentId,
    client: ClientId,
    controller: OrganisationId,
    grants: tuple[GrantId, ...] | None,
) -> None:
    """As `begin`, where nothing of the client can be opened: all is left to `go_on`."""
    ended = None if grants is None else " ".join(grants)
    whose = (tx.shard, tx.new_id(), consent, client, controller, ended)
    recalls.add_round(tx.connection, Round(*whose, at=tx.now, tried_at=tx.now))


def ask_recipients(tx: Transaction, round: Round, most: int) -> Round:
    """Ask the next recipients of a round to erase; needs no key of the client's."""
    return _recipients(tx, round, most, or_none=False)


def end_handovers(
    tx: Transaction, application: str, round: Round, most: int
) -> tuple[Round, list[PersonEvent]]:
    """See to the next handovers of a round. Raises what the vault does without the key."""
    return _handovers(tx, application, round, most, or_none=False)


def _recipients(tx: Transaction, round: Round, most: int, *, or_none: bool) -> Round:
    if round.recipients_after is None:
        return round
    found = receivers.receivers_of(
        tx.connection,
        shard=tx.shard,
        consent=round.consent,
        grants=round.ended,
        after=round.recipients_after,
        most=most + 1,
    )
    more = len(found) > most
    if more and or_none:
        return round
    asked = [
        recalls.asked(round, each.recipient, each.purpose, each.since, tx.new_id())
        for each in found[:most]
    ]
    recalls.add(tx.connection, asked)
    return replace(round, recipients_after=found[most - 1].place if more else None)


def _handovers(
    tx: Transaction, application: str, round: Round, most: int, *, or_none: bool
) -> tuple[Round, list[PersonEvent]]:
    if round.handovers_after is None:
        return round, []
    client = records.client_with_id(tx.connection, shard=tx.shard, client=round.client)
    found = handovers.handovers_concerned(
        tx.connection,
        shard=tx.shard,
        client=client.id,
        sender=client.holder,
        after=round.handovers_after,
        most=most + 1,
    )
    more = len(found) > most
    if more and or_none:
        return round, []
    # All that may fail for want of a key comes before the first row is written.
    gone = [
        (each, about(tx, each))
        for each in found[:most]
        if not covered(tx, client, OrganisationId(each.recipient), each.purpose)
    ]
    events: list[PersonEvent] = []
    for each, said in gone:
        events += _ended(tx, application, each, said)
    return replace(round, handovers_after=found[most - 1].id if more else None), events


def _ended(
    tx: Transaction, application: str, handover: Handover, said: Mapping[str, Any]
) -> list[PersonEvent]:
    """End a handover that no grant covers any more; ask who read it to erase."""
    events: list[PersonEvent] = []
    sender = handover.sender
    if handover.state in OPEN:
        to = HandoverState.REVOKED
        move(tx, handover, to=to, type="consent_withdrawn", actor=sender)
        actor = Actor(system=application)
        events.append(
            HandoverRevoked(
                application=application, actor=actor, **said, reason="consent_withdrawn"
            )
        )
    if handover.read_at is not None:
        due = {"ack_due": erasure_due(tx.day)}
        move(
            tx,
            handover,
            to=HandoverState(handover.state),
            type="erasure_notice",
            actor=sender,
            said=due,
        )
    return events
