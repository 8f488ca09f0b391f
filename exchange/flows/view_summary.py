"""View a summary: the holder looks at its own copy, which is logged like any other look."""

from dataclasses import dataclass

from audit.events import Actor, ClientRefused, SummaryViewed
from exchange import records
from exchange.records import SealedSection
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, Handle, OrganisationId, Reason


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """Everything the holder stored, still sealed."""

    client: ClientId
    version: int
    sections: tuple[SealedSection, ...]


@by_application
def view_summary(tx: Transaction, caller: Caller, handle: Handle) -> Outcome[OwnCopy]:
    """The whole summary, to its holder; to anybody else there is none."""
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=handle
    )
    actor = Actor(system=caller.application)
    if client.id == NOBODY or client.holder != holder:
        refused = ClientRefused(
            application=caller.application,
            actor=actor,
            client=NOBODY,
            reason=Reason.NOT_THE_HOLDER,
        )
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (refused,))
    stored = records.sealed_sections(tx.connection, shard=tx.shard, client=client.id)
    event = SummaryViewed(
        application=caller.application,
        actor=actor,
        client=client.id,
        provider=holder,
        version=client.summary_version,
    )
    return Outcome(OwnCopy(client.id, client.summary_version, tuple(stored)), (event,))
