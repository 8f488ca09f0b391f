"""Lapse consents: what a client was to confirm and did not ends by itself."""

from audit.events import Actor, ConsentExpired
from consent import confirming
from exchange.transaction import Outcome, Transaction

BROKER = "app:broker"
"""The broker itself, where it acts because time has passed."""


def lapse_consents(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark consents that nobody confirmed in time, at most `most`; how many were marked.

    Nothing was released on them since: a decision reads the deadline itself.
    """
    lapsed = confirming.lapse(tx.connection, shard=tx.shard, most=most, at=tx.at, sealing=tx.vault)
    events = tuple(
        ConsentExpired(
            application=BROKER,
            actor=Actor(system=BROKER),
            client=each.client,
            provider=each.controller,
            consent=each.consent,
            via="unconfirmed",
        )
        for each in lapsed
    )
    return Outcome(len(lapsed), events)
