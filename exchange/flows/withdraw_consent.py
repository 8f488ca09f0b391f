"""Withdraw a consent, whole or in part: stop sharing at once, and tell those who were told."""

from dataclasses import replace

from audit.events import Actor, ConsentRefused
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_withdrawing_application
from exchange.withdrawing import Ended, Withdrawal, end
from policies.decision import Refused
from policies.vocabulary import NOBODY, OrganisationId, Reason

__all__ = ["Ended", "Withdrawal", "withdraw_consent"]

_TOLD_ITS_OWNER = frozenset({Reason.ALREADY_WITHDRAWN, Reason.CONTENT_REFUSED})
"""To anybody else there is no such consent, so these never reach them."""


@by_withdrawing_application
def withdraw_consent(tx: Transaction, caller: Caller, order: Withdrawal) -> Outcome[Ended]:
    """End the consent now. In log order no release that rests on it can follow."""
    stopped = end(tx, caller.application, order, OrganisationId(caller.organisation))
    if isinstance(stopped, Refused):
        refused = ConsentRefused(
            application=caller.application,
            actor=Actor(system=caller.application),
            client=NOBODY,
            consent=order.consent,
            reason=stopped.reason,
            via=order.via,
        )
        openly = stopped.reason if stopped.reason in _TOLD_ITS_OWNER else None
        return Outcome(replace(stopped, told=openly), (refused,))
    return Outcome(stopped.ended, stopped.events)
