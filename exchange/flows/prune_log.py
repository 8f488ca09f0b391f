"""The log's oldest entries have had their time: it is said of them, and then they go."""

from audit import pruning
from audit.events import LogPruned
from exchange.transaction import Outcome, Transaction


def prune_log(tx: Transaction, size: int, policy: str) -> Outcome[int]:
    """Say of the first `size` entries that they go, by which written policy; how many are said to.

    Whether they may is for the caller to know: it takes long to find out, and does not change.
    Of what was said before nothing is said again.
    """
    said = pruning.said(tx.connection, shard=tx.shard)
    most = max((each.size for each in said), default=0)
    if size <= most:
        return Outcome(most)
    root = pruning.root_at(tx.connection, shard=tx.shard, size=size)
    return Outcome(size, (LogPruned(min=size, policy=policy, root=root.hex()),))


def sweep_log(tx: Transaction) -> Outcome[int]:
    """Take away the next stretch of what the log says is gone; how many entries."""
    return Outcome(pruning.sweep(tx.connection, shard=tx.shard))
