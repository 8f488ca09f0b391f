"""What an erased client leaves behind: nothing, in any table that holds something about them.

The parts of the log are erased by their keys; this is about the rows around it. Never commits.
"""

from sqlalchemy import Connection

from consent import held, proof_records, requests
from consent import records as consents
from exchange import handovers, recalls, receivers, records, stop_codes
from policies.vocabulary import ClientId, OrganisationId

_HANGING = (held, proof_records, recalls, receivers, stop_codes)
"""What hangs on a client's consents, and so goes before them."""


def forget_client(
    connection: Connection, *, shard: int, client: ClientId
) -> tuple[OrganisationId, ...]:
    """Take every row of a client away; the organisations that had read something of them."""
    recipients = handovers.forget_client(connection, shard=shard, client=client)
    for part in (*_HANGING, consents, requests, records):
        part.forget_client(connection, shard=shard, client=client)
    return recipients
