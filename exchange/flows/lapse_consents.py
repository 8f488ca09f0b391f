"""Lapse consents: what a client was to confirm and did not ends by itself."""

from audit.events import Actor, ConsentExpired, PersonEvent
from consent import confirming, held, proof_records
from consent.agenda import LATER
from consent.confirming import Lapsed
from exchange import telling
from exchange.security.keys import KeyDestroyed
from exchange.transaction import BROKER, Outcome, Transaction
from policies.vocabulary import ConsentId


def lapse_consents(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark consents that nobody confirmed in time, at most `most`; how many were marked.

    Nothing was released on them since: a decision reads the deadline itself. The client never
    said yes to what was received before: so open handovers end, and it is asked back.
    """
    overdue = proof_records.overdue(tx.connection, shard=tx.shard, now=tx.now, most=most)
    lapsed = [each for consent in overdue if (each := _lapsed(tx, consent)) is not None]
    events = [event for each in lapsed for event in _told(tx, each)]
    return Outcome(len(lapsed), tuple(events))


def _lapsed(tx: Transaction, consent: ConsentId) -> Lapsed | None:
    try:
        # A withdrawal that waits for the client's key comes first.
        if not held.stops(tx.connection, shard=tx.shard, consent=consent):
            return confirming.lapse(
                tx.connection, shard=tx.shard, consent=consent, at=tx.at, sealing=tx.vault
            )
    except KeyDestroyed:
        pass  # it releases nothing as it is, and keeps none of the others waiting
    proof_records.look_later(tx.connection, shard=tx.shard, consent=consent, at=tx.now + LATER)
    return None


def _told(tx: Transaction, lapsed: Lapsed) -> list[PersonEvent]:
    event = ConsentExpired(
        application=BROKER,
        actor=Actor(system=BROKER),
        client=lapsed.client,
        provider=lapsed.controller,
        consent=lapsed.consent,
        via="unconfirmed",
    )
    told = telling.begin(
        tx,
        BROKER,
        consent=lapsed.consent,
        client=lapsed.client,
        controller=lapsed.controller,
        grants=None,
    )
    return [event, *told]
