"""Annul a consent: it was never a valid one, or somebody else who may ended it."""

from collections.abc import Callable

from audit.events import ConsentInvalidated, ConsentRevoked, PersonEvent
from consent import register
from consent.register import Changed
from exchange import telling
from exchange.changing import Changing, NowStands, refused, said_by
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import ConsentState, OrganisationId


@by_application
def invalidate_consent(tx: Transaction, caller: Caller, order: Changing) -> Outcome[NowStands]:
    """Record that it never was valid (`via`: why). Neither its grants nor its denials count."""
    return _annul(tx, caller, order, register.invalidate)


@by_application
def revoke_consent(tx: Transaction, caller: Caller, order: Changing) -> Outcome[NowStands]:
    """Record who else ended it (`via`): it is over at once, and its denials stay in force."""
    return _annul(tx, caller, order, register.revoke)


def _annul(
    tx: Transaction, caller: Caller, order: Changing, verb: Callable[..., Changed | Refused]
) -> Outcome[NowStands]:
    changed = verb(
        tx.connection,
        shard=tx.shard,
        consent=order.consent,
        controller=OrganisationId(caller.organisation),
        via=order.via,
        at=tx.at,
        sealing=tx.vault,
        version=order.version,
    )
    if isinstance(changed, Refused):
        return refused(caller, order.consent, changed, order.via)
    said = said_by(caller, changed.client, order)
    if changed.state is ConsentState.INVALIDATED:
        event: PersonEvent = ConsentInvalidated(**said, reason=order.via)
    else:
        event = ConsentRevoked(**said)
    told = _told(tx, caller, order, changed)
    stands = NowStands(order.consent, changed.state, changed.suspended, changed.version)
    return Outcome(stands, (event, *told))


def _told(tx: Transaction, caller: Caller, order: Changing, changed: Changed) -> list[PersonEvent]:
    """As after a withdrawal: open handovers end, and whoever received is asked to erase."""
    return telling.begin(
        tx,
        caller.application,
        consent=order.consent,
        client=changed.client,
        controller=changed.controller,
        grants=None,
    )
