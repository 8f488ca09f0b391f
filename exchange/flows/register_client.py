"""Register a client: the same person, named again by the same organisation, is the same client.

A client belongs to the organisation that registered it. The same person at two organisations
is two clients, and nothing links them.
"""

from audit.events import Actor, ClientRecognised, ClientRefused, ClientRegistered
from exchange.clients import Registered, Registration, find_or_add
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, OrganisationId, Reason


@by_application
def register_client(tx: Transaction, caller: Caller, order: Registration) -> Outcome[Registered]:
    """Find the client by its commitments, or make a new one."""
    holder = OrganisationId(caller.organisation)
    actor = Actor(system=caller.application)
    known = tx.directory.recipient(holder, tx.day)
    if order.number_sent and (known is None or not known.insz_authorised):
        reason = Reason.HARD_RULE_H4
        refused = ClientRefused(
            application=caller.application,
            actor=actor,
            client=NOBODY,
            provider=holder,
            reason=reason,
        )
        return Outcome(Refused(reason, told=reason), (refused,))
    registered = find_or_add(tx, holder, order)
    happened = ClientRegistered if registered.created else ClientRecognised
    event = happened(
        application=caller.application,
        actor=actor,
        client=registered.client,
        provider=holder,
    )
    return Outcome(registered, (event,))
