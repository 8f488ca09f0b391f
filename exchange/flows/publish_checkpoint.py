"""Publish a checkpoint: a head that was signed, and what its witnesses said of it.

It changes nothing that is logged, so it makes no event: the log would never stand still.
"""

from collections.abc import Sequence

from audit import published
from audit.published import Cosigned, Head
from exchange.transaction import Outcome, Transaction


def publish_checkpoint(
    tx: Transaction, head: Head, cosigned: Sequence[Cosigned], vkeys: Sequence[str]
) -> Outcome[bool]:
    """Keep the head for ever, with the lines of its witnesses; whether the head is new.

    Raises `AnotherRoot` for a second root of one size.
    """
    shard, connection = tx.shard, tx.connection
    new = published.publish(connection, head, shard=shard, at=tx.now)
    published.keep_cosigned(connection, cosigned, shard=shard, size=head.size)
    published.keep_signer_keys(connection, vkeys, shard=shard, from_size=head.size)
    return Outcome(new)
