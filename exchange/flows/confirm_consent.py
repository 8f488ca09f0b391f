"""Confirm a consent: the client says back the code from the letter, and it stands for good."""

from dataclasses import dataclass, replace

from audit.events import Actor, ConsentGiven, ConsentRefused
from consent import confirming
from consent.codes import Code
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, ConsentId, ConsentState, OrganisationId, Reason

BY_CODE = "confirmation"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Which consent, and the code that the client said; nothing for what can not be one."""

    consent: ConsentId
    code: Code | None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The consent as it stands, no longer provisional."""

    consent: ConsentId
    state: ConsentState


@by_application
def confirm_consent(tx: Transaction, caller: Caller, order: Confirmation) -> Outcome[Confirmed]:
    """Hold the code against the one that is waited for. A wrong one is counted, and logged."""
    controller = OrganisationId(caller.organisation)
    confirmed = confirming.confirm(
        tx.connection,
        shard=tx.shard,
        consent=order.consent,
        controller=controller,
        code=order.code,
        codes_of=tx.vault.codes,
        at=tx.at,
        sealing=tx.vault,
    )
    actor = Actor(system=caller.application)
    if isinstance(confirmed, Refused):
        refused = ConsentRefused(
            application=caller.application,
            actor=actor,
            client=NOBODY,
            consent=order.consent,
            reason=confirmed.reason,
            via=BY_CODE,
        )
        openly = confirmed.reason is Reason.CONTENT_REFUSED
        return Outcome(replace(confirmed, told=confirmed.reason if openly else None), (refused,))
    event = ConsentGiven(
        application=caller.application,
        actor=actor,
        client=confirmed.client,
        provider=controller,
        consent=order.consent,
        grants=tuple(each.id for each in confirmed.terms.grants if not each.withdrawn),
        via=BY_CODE,
    )
    return Outcome(Confirmed(order.consent, confirmed.state), (event,))
