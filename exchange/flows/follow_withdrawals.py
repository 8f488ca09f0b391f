"""What follows a withdrawal by itself: telling the many, reminding, and what waited for a key."""

from dataclasses import replace

from audit.events import Actor, AuditEvent, NoticeUndelivered
from consent import held
from exchange import recalls
from exchange.recalls import REMINDED_EVERY, REMINDERS, Recall, RecallState
from exchange.security.keys import KeyDestroyed
from exchange.telling import ask_recipients, end_handovers
from exchange.transaction import BROKER, Outcome, Transaction
from exchange.withdrawing import finish

ROUNDS = 4
"""Withdrawals of which more are told in one go, so that none keeps the others waiting."""


def tell_recipients(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Ask the next recipients of what was withdrawn to erase it; how many rounds were gone on with.

    At most `most` handovers and as many recipients in all.
    """
    rounds = recalls.waiting(tx.connection, shard=tx.shard, most=ROUNDS)
    share = max(1, most // max(1, len(rounds)))
    events: list[AuditEvent] = []
    for each in rounds:
        now = ask_recipients(tx, each, share)
        try:
            now, ended = end_handovers(tx, BROKER, now, share)
        except KeyDestroyed:
            ended = []  # tried again when its turn comes: nothing is released meanwhile
        recalls.keep_round(tx.connection, now, at=tx.now)
        events += ended
    return Outcome(len(rounds), tuple(events))


def finish_withdrawals(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Write withdrawals that waited for a key into their consents; how many were written."""
    events: list[AuditEvent] = []
    for each in held.waiting(tx.connection, shard=tx.shard, most=most):
        events += finish(tx, each)
    return Outcome(len(events), tuple(events))


def escalate_recalls(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark recalls that nobody answered in time, and remind; how many.

    First overdue, then, reminded once more in vain, before the data protection officers of both
    sides. `REMINDERS` in all: who has not answered by then is for people.
    """
    late = recalls.due(tx.connection, shard=tx.shard, now=tx.now, most=most)
    for each in late:
        recalls.change(tx.connection, reminded(each, tx.now))
    return Outcome(len(late), tuple(_unanswered(tx, each) for each in late))


def reminded(recall: Recall, now: int) -> Recall:
    """The recall after one reminder more."""
    count = recall.reminders + 1
    return replace(
        recall,
        state=RecallState.OVERDUE if count == 1 else RecallState.ESCALATED,
        reminders=count,
        next_at=now + REMINDED_EVERY if count < REMINDERS else None,
    )


def _unanswered(tx: Transaction, recall: Recall) -> NoticeUndelivered:
    first = recall.reminders == 0
    return NoticeUndelivered(
        application=BROKER,
        actor=Actor(system=BROKER),
        client=tx.keys.at_hand(recall.client),
        provider=recall.controller,
        consumer=recall.recipient,
        purpose=recall.purpose,
        sections=("all",),
        error="overdue" if first else "escalated",
        about="recall",
        consent=recall.consent,
    )
