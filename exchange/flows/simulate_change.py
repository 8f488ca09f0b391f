"""Simulate a change: who looked at what it would do. The look is logged; nothing is changed."""

from collections.abc import Sequence

from audit.events import Actor, AdminChanged, ClientViewed
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.vocabulary import NOBODY, ClientId, OrganisationId


def note_simulation(tx: Transaction, name: str) -> Outcome[None]:
    """An operator is about to have every consent opened, and is told numbers.

    `name` is the kind of document, and the beginning of its hash.
    """
    return Outcome(None, (AdminChanged(what="simulation", act="begun", id=name),))


@by_application
def view_changes(
    tx: Transaction, caller: Caller, clients: Sequence[ClientId]
) -> Outcome[frozenset[ClientId]]:
    """The holder is told which of these clients' consents would change; those still there."""
    there = [each for each in dict.fromkeys(clients) if tx.keys.at_hand(each) != NOBODY]
    events = tuple(
        ClientViewed(
            application=caller.application,
            actor=Actor(system=caller.application),
            client=each,
            provider=OrganisationId(caller.organisation),
            via="simulation",
        )
        for each in there
    )
    return Outcome(frozenset(there), events)
