"""Parts of the log have had their time: they go, and the log says how many and by which rules."""

from collections.abc import Sequence

from audit import expiry
from audit.events import PartsExpired
from audit.expiry import Stretch
from audit.retention import POLICY
from exchange.transaction import Outcome, Transaction


def expire_parts(tx: Transaction, stretches: Sequence[Stretch]) -> Outcome[int]:
    """Let go of what is left in these stretches; of nothing, nothing is logged."""
    gone = expiry.expire(tx.connection, shard=tx.shard, stretches=stretches)
    return Outcome(gone, (PartsExpired(n=gone, policy=POLICY),) if gone else ())
