"""Expire handovers: an offer that nobody took up ends by itself, and its access with it."""

from collections.abc import Iterator

from audit.events import Actor, HandoverExpired
from exchange import handovers
from exchange.handovers import Handover
from exchange.security.keys import KeyDestroyed
from exchange.stepping import about, move
from exchange.transaction import BROKER, Outcome, Transaction
from policies.vocabulary import HandoverState, OrganisationId

LOOKED_AT = 5000
"""So many offers are looked at in one go, most of which nobody can open."""


def expire_handovers(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark offers whose deadline has passed, at most `most`; how many were marked.

    Access does not wait for this: an offer past its deadline gives none (see
    `handovers.relations_in`). This tells both sides, and the log. An offer whose client's key is
    not at hand stays as it is, and keeps none of the others waiting.
    """
    events: list[HandoverExpired] = []
    for each in _overdue(tx, most):
        if len(events) == most:
            break
        try:
            said = about(tx, each)
        except KeyDestroyed:
            continue
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


def _overdue(tx: Transaction, page: int) -> Iterator[Handover]:
    last: Handover | None = None
    for _ in range(LOOKED_AT // page):
        late = handovers.overdue(tx.connection, shard=tx.shard, now=tx.now, most=page, after=last)
        yield from late
        if len(late) < page:
            return
        last = late[-1]
