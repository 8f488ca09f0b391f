"""Close requests for consent: a question that nobody answered is over, and an old one is gone."""

from dataclasses import replace

from audit.events import Actor, ConsentExpired
from consent import requests
from exchange.transaction import BROKER, Outcome, Transaction
from policies.vocabulary import ConsentState


def close_requests(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark questions that closed without an answer, at most `most`; how many were marked.

    Nobody waits for this: that a question has closed is read off its row. As many rows that
    are older than what is counted go.
    """
    over = requests.overdue(tx.connection, shard=tx.shard, now=tx.now, most=most)
    for each in over:
        requests.settle(tx.connection, replace(each, state=ConsentState.EXPIRED))
    before = tx.now - requests.span(requests.KEPT_FOR)
    requests.forget_old(tx.connection, shard=tx.shard, before=before, most=most)
    events = tuple(
        ConsentExpired(
            application=BROKER,
            actor=Actor(system=BROKER),
            client=tx.keys.at_hand(each.client),
            provider=each.holder,
            reason=ConsentState.REQUESTED,
        )
        for each in over
    )
    return Outcome(len(over), events)
