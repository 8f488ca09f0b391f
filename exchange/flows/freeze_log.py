"""Freeze the log: one host has found that it is not the one that was signed, and says it to all.

It makes no event: nothing is added to a log that is the wrong one.
"""

from exchange import installation
from exchange.transaction import Outcome, Transaction


def freeze_log(tx: Transaction, why: str) -> Outcome[None]:
    """Let no host release anything, until `overdracht restore acknowledge`."""
    installation.freeze(tx.connection, shard=tx.shard, why=why, at=tx.now)
    return Outcome(None)
