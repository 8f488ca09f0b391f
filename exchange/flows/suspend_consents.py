"""Hold every consent: after a loss nobody knows which of them were withdrawn meanwhile."""

from audit.events import Actor, ConsentSuspended
from consent import register
from exchange.security.keys import KeyDestroyed
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused

OPERATOR = "app:operator"


def suspend_consents(tx: Transaction, reason: str) -> Outcome[int]:
    """Suspend all that stand, each until the client confirms it; how many those are.

    A consent whose client was erased in the range that was lost can not be opened any more,
    so nothing can rest on it.
    """
    events = []
    for consent in register.standing(tx.connection, shard=tx.shard):
        try:
            held = register.suspend(
                tx.connection, shard=tx.shard, consent=consent, at=tx.at, sealing=tx.vault
            )
        except KeyDestroyed:
            continue
        if not isinstance(held, Refused):
            events.append(
                ConsentSuspended(
                    application=OPERATOR,
                    actor=Actor(system=OPERATOR),
                    client=held.client,
                    consent=consent,
                    reason=reason,
                )
            )
    return Outcome(len(events), tuple(events), requests=len(events) or 1)
