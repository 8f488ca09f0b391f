"""Hold every consent: after a loss nobody knows which of them were withdrawn meanwhile."""

from audit.events import Actor, ConsentSuspended
from consent import register
from consent.held import hold_unopened
from exchange.security.keys import KeyDestroyed
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import NOBODY, ConsentId

OPERATOR = "app:operator"


def suspend_consents(tx: Transaction, reason: str) -> Outcome[int]:
    """Suspend all that stand, each until the client confirms it; how many those are.

    What can not be opened is held as well, and logged as about nobody: its key may be put back
    later than the log, unless its client was erased in the range that was lost.
    """
    events = []
    for consent in register.standing(tx.connection, shard=tx.shard):
        try:
            held = register.suspend(
                tx.connection, shard=tx.shard, consent=consent, at=tx.at, sealing=tx.vault
            )
        except KeyDestroyed:
            hold_unopened(tx.connection, shard=tx.shard, consent=consent)
            events.append(_suspended(NOBODY, consent, reason))
            continue
        if not isinstance(held, Refused):
            events.append(_suspended(held.client, consent, reason))
    return Outcome(len(events), tuple(events), requests=len(events) or 1)


def _suspended(client: str, consent: ConsentId, reason: str) -> ConsentSuspended:
    return ConsentSuspended(
        application=OPERATOR,
        actor=Actor(system=OPERATOR),
        client=client,
        consent=consent,
        reason=reason,
    )
