"""Hold every basis beside consent: after a loss nobody knows which of them a client objected to."""

from dataclasses import replace

from audit.events import ClientCorrected, ClientObjected
from exchange import records
from exchange.bases import BasisState
from exchange.basis_keeping import keep
from exchange.considering import record_of
from exchange.security.keys import KeyDestroyed
from exchange.transaction import Outcome, Transaction

OPERATOR = "app:operator"


def suspend_bases(tx: Transaction) -> Outcome[int]:
    """Suspend all that stand, for good: the holder records anew what still holds. How many.

    Opens the record of every client, so it is for after a loss and for nothing else.
    """
    events: list[ClientCorrected | ClientObjected] = []
    for client in records.every_client(tx.connection, shard=tx.shard):
        try:
            record = record_of(tx, client)
        except KeyDestroyed:
            continue
        for basis in record.bases:
            if basis.state is BasisState.STANDING:
                held = replace(
                    basis, state=BasisState.SUSPENDED, why="suspended", changed_at=tx.now
                )
                events.append(keep(tx, OPERATOR, client, record, held))
                others = (held if each.id == held.id else each for each in record.bases)
                record = replace(record, bases=tuple(others))
    return Outcome(len(events), tuple(events), requests=len(events) or 1)
