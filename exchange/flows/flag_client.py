"""Set a client's internal flags: they steer rules and are never told."""

from dataclasses import dataclass, replace

from audit.events import (
    Actor,
    ClientCorrected,
    ClientRefused,
    ClientRestricted,
    ClientUnrestricted,
)
from exchange import records
from exchange.considering import record_of
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, Handle, OrganisationId, Reason


@dataclass(frozen=True, slots=True)
class Flags:
    """All the flags that the client is to have from now on."""

    client: Handle
    flags: frozenset[str]


@by_application
def flag_client(tx: Transaction, caller: Caller, order: Flags) -> Outcome[frozenset[str]]:
    """Replace the flags. Only the holder knows them; to anybody else there is no such client."""
    holder = OrganisationId(caller.organisation)
    actor = Actor(system=caller.application)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=order.client
    )
    if client.id == NOBODY or client.holder != holder:
        refused = ClientRefused(
            application=caller.application,
            actor=actor,
            client=NOBODY,
            reason=Reason.NOT_THE_HOLDER,
        )
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (refused,))
    record = record_of(tx, client)
    sealed = tx.vault.seal(client.id, replace(record, flags=order.flags).to_bytes(), "client")
    records.set_client_sealed(tx.connection, shard=tx.shard, client=client.id, sealed=sealed)
    event = _kind(record.flags, order.flags)(
        application=caller.application,
        actor=actor,
        client=client.id,
        provider=holder,
        flags=tuple(sorted(order.flags)),
    )
    return Outcome(order.flags, (event,))


def _kind(
    before: frozenset[str], after: frozenset[str]
) -> type[ClientCorrected | ClientRestricted | ClientUnrestricted]:
    if "restricted" in after - before:
        return ClientRestricted
    if "restricted" in before - after:
        return ClientUnrestricted
    return ClientCorrected
