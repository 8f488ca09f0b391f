"""View the consents of a client, and a receipt again: looks at personal data, so logged."""

from audit.events import Actor, ClientRefused, ClientViewed
from consent import records as consent_records
from consent import register
from consent.register import ConsentView
from exchange import records
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, ConsentId, Handle, OrganisationId, Reason


@by_application
def view_consents(
    tx: Transaction, caller: Caller, handle: Handle
) -> Outcome[tuple[ConsentView, ...]]:
    """Every consent that this client gave to the caller, oldest first."""
    controller = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=controller, handle=handle
    )
    actor = Actor(system=caller.application)
    if client.id == NOBODY or client.holder != controller:
        refused = ClientRefused(
            application=caller.application,
            actor=actor,
            client=NOBODY,
            reason=Reason.NOT_THE_HOLDER,
        )
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (refused,))
    views = register.consents_of(
        tx.connection,
        shard=tx.shard,
        client=client.id,
        controller=controller,
        sealing=tx.vault,
    )
    viewed = ClientViewed(
        application=caller.application,
        actor=actor,
        client=client.id,
        provider=controller,
        via="consents",
    )
    return Outcome(tuple(views), (viewed,))


@by_application
def view_receipt(tx: Transaction, caller: Caller, consent: ConsentId) -> Outcome[str]:
    """The receipt that the client was given, byte for byte. Of another's consent there is none."""
    controller = OrganisationId(caller.organisation)
    receipt = register.receipt_of(
        tx.connection,
        shard=tx.shard,
        consent=consent,
        controller=controller,
        sealing=tx.vault,
    )
    client = consent_records.client_of(tx.connection, shard=tx.shard, consent=consent)
    if isinstance(receipt, Refused) or client is None:
        return Outcome(receipt)
    viewed = ClientViewed(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=controller,
        via="receipt",
    )
    return Outcome(receipt, (viewed,))
