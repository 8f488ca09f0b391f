"""View one consent as a whole, to show it in the form of others: a look, so logged."""

from dataclasses import dataclass

from audit.events import Actor, ClientViewed
from consent.recorded import Recorded, Setting, recorded
from exchange import records
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import ConsentId, Handle, OrganisationId


@dataclass(frozen=True, slots=True)
class RecordLook:
    """Which consent, and as what it is wanted: the name of a form, or `page`.

    `address` is that of the broker, without a slash at its end.
    """

    consent: ConsentId
    via: str
    address: str


@by_application
def view_record(
    tx: Transaction, caller: Caller, look: RecordLook
) -> Outcome[tuple[Recorded, Setting]]:
    """The consent with all that became of it. Of another's consent there is nothing."""
    controller = OrganisationId(caller.organisation)
    found = recorded(
        tx.connection,
        shard=tx.shard,
        consent=look.consent,
        controller=controller,
        at=tx.at,
        sealing=tx.vault,
    )
    if isinstance(found, Refused):
        return Outcome(found)
    handle = records.handle_of(
        tx.connection, shard=tx.shard, client=found.client, organisation=controller
    )
    setting = Setting(
        issuer=look.address,
        handle=handle or Handle(""),
        page=f"{look.address}/stop",
        names=tx.directory.names,
    )
    viewed = ClientViewed(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=found.client,
        provider=controller,
        via=look.via,
    )
    return Outcome((found, setting), (viewed,))
