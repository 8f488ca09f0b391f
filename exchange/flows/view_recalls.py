"""View what recipients said of one client: a look at personal data, so it is logged."""

from dataclasses import dataclass

from audit.events import Actor, ClientRefused, ClientViewed
from exchange import recalls, records
from exchange.recalls import Recall
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, Handle, OrganisationId, Reason


@dataclass(frozen=True, slots=True)
class Viewed:
    """The recalls of one client, newest first, as they stood at `now` (µs)."""

    recalls: tuple[Recall, ...]
    now: int


@by_application
def view_recalls(tx: Transaction, caller: Caller, handle: Handle, most: int) -> Outcome[Viewed]:
    """Whom the client's withdrawals were told to, and what each said: at most `most` of them."""
    controller = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=controller, handle=handle
    )
    actor = Actor(system=caller.application)
    if client.id == NOBODY or client.holder != controller:
        reason = Reason.NOT_THE_HOLDER
        refused = ClientRefused(
            application=caller.application, actor=actor, client=NOBODY, reason=reason
        )
        return Outcome(Refused(reason), (refused,))
    found = recalls.page(
        tx.connection,
        shard=tx.shard,
        organisation=controller,
        inbox=False,
        state=None,
        now=tx.now,
        before=None,
        limit=most,
        client=client.id,
    )
    viewed = ClientViewed(
        application=caller.application,
        actor=actor,
        client=client.id,
        provider=controller,
        via="recalls",
    )
    return Outcome(Viewed(tuple(found), tx.now), (viewed,))
