"""Confirm a consent: the client says back the code from the letter, and it stands for good."""

from dataclasses import dataclass

from audit.events import Actor, ConsentGiven, ConsentRefused
from consent import confirming
from consent.codes import Code
from consent.confirming import NotConfirmed
from consent.register import Changed
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
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
def confirm_consent(
    tx: Transaction, caller: Caller, order: Confirmation
) -> Outcome[Confirmed | NotConfirmed]:
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
    if not isinstance(confirmed, Changed):
        ours = isinstance(confirmed, NotConfirmed)
        refused = ConsentRefused(
            application=caller.application,
            actor=actor,
            client=confirmed.client if isinstance(confirmed, NotConfirmed) else NOBODY,
            consent=order.consent,
            reason=Reason.CONTENT_REFUSED if ours else Reason.CONSENT_NOT_FOUND,
            via=BY_CODE,
        )
        return Outcome(confirmed, (refused,))
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
