"""Expire handovers: an offer that nobody took up ends by itself, and its access with it."""

from audit.events import Actor, HandoverExpired
from exchange import handovers
from exchange.security.keys import KeyDestroyed
from exchange.stepping import about, move
from exchange.transaction import BROKER, Outcome, Transaction
from policies.vocabulary import HandoverState, OrganisationId


def expire_handovers(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark offers whose deadline has passed, at most `most`; how many were marked.

    Access does not wait for this: an offer past its deadline gives none (see
    `handovers.relations_in`). This tells both sides, and the log.
    """
    late = handovers.overdue(tx.connection, shard=tx.shard, now=tx.now, most=most)
    events = []
    for each in late:
        try:
            said = about(tx, each)
        except KeyDestroyed:
            continue  # it gives no access as it is, and keeps none of the others waiting
        actor = OrganisationId(each.sender)
        move(tx, each, to=HandoverState.EXPIRED, type="expired", actor=actor)
        events.append(
            HandoverExpired(
                application=BROKER,
                actor=Actor(system=BROKER),
                **said,
            )
        )
    return Outcome(len(events), tuple(events))
