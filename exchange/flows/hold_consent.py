"""Hold a consent for a while, and let it go on: it keeps its state and releases nothing."""

from audit.events import ConsentResumed, ConsentSuspended
from consent import register
from exchange.changing import Changing, NowStands, refused, said_by
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import OrganisationId


@by_application
def hold_consent(tx: Transaction, caller: Caller, order: Changing) -> Outcome[NowStands]:
    """Hold it (`via`: why), until it is resumed or renewed."""
    held = register.suspend(
        tx.connection,
        shard=tx.shard,
        consent=order.consent,
        controller=OrganisationId(caller.organisation),
        at=tx.at,
        sealing=tx.vault,
        version=order.version,
    )
    if isinstance(held, Refused):
        return refused(caller, order.consent, held, order.via)
    event = ConsentSuspended(**said_by(caller, held.client, order), reason=order.via)
    stands = NowStands(order.consent, held.state, held.suspended, held.version)
    return Outcome(stands, (event,))


@by_application
def resume_consent(tx: Transaction, caller: Caller, order: Changing) -> Outcome[NowStands]:
    """Let it go on, as the client confirmed (`via`: by which way).

    What needs the client's yes once more is refused: who came of age since, whose mandate is
    over, and what speaks of organisations that merged.
    """
    resumed = register.resume(
        tx.connection,
        shard=tx.shard,
        consent=order.consent,
        controller=OrganisationId(caller.organisation),
        at=tx.at,
        sealing=tx.vault,
        version=order.version,
        mergers=tx.directory.mergers,
    )
    if isinstance(resumed, Refused):
        return refused(caller, order.consent, resumed, order.via)
    event = ConsentResumed(**said_by(caller, resumed.client, order))
    stands = NowStands(order.consent, resumed.state, resumed.suspended, resumed.version)
    return Outcome(stands, (event,))
