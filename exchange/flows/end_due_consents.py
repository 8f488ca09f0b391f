"""End what is over: consents whose time has run out expire, and those of who came of age wait."""

from audit.events import Actor, ConsentExpired, ConsentSuspended
from consent import agenda, held, register
from consent.agenda import LATER
from exchange.security.keys import KeyDestroyed
from exchange.transaction import BROKER, Outcome, Transaction
from policies.vocabulary import ConsentId, OrganisationId


def end_due_consents(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Mark those that are due, at most `most`; how many were marked.

    No decision waits for this: ends are read. It tells the holder, and the log. What can not
    be opened (its client was erased, or it was tampered with) releases nothing as it is.
    """
    events = []
    for consent in agenda.due(tx.connection, shard=tx.shard, until=tx.now, most=most):
        event = _marked(tx, consent)
        events += [] if event is None else [event]
    return Outcome(len(events), tuple(events), requests=len(events) or 1)


def _marked(tx: Transaction, consent: ConsentId) -> ConsentExpired | ConsentSuspended | None:
    if held.stops(tx.connection, shard=tx.shard, consent=consent):
        # The client's word comes first: it is written when the key is back, and not overtaken.
        agenda.put_off(tx.connection, shard=tx.shard, consent=consent, due_at=tx.now + LATER)
        return None
    try:
        come = register.fall_due(
            tx.connection, shard=tx.shard, consent=consent, at=tx.at, sealing=tx.vault
        )
    except KeyDestroyed:
        agenda.put_off(tx.connection, shard=tx.shard, consent=consent, due_at=tx.now + LATER)
        return None
    if come is None:
        return None
    changed, because = come
    kind = ConsentSuspended if because.holds_only else ConsentExpired
    return kind(
        application=BROKER,
        actor=Actor(system=BROKER),
        client=changed.client,
        provider=OrganisationId(changed.controller),
        consent=consent,
        reason=because,
    )
