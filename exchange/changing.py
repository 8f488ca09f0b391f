"""What giving and changing a consent have in common: how it stands afterwards, and the no."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from audit.events import Actor, ConsentRefused
from consent.codes import Code
from consent.content import Terms
from exchange.security.tokens import Caller
from exchange.transaction import Outcome
from policies.decision import Refused
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentId,
    ConsentState,
    Reason,
)

_AS_THEY_ARE = frozenset({Reason.ALREADY_WITHDRAWN, Reason.CONTENT_REFUSED, Reason.STALE_VERSION})
_IN_WORDS: Mapping[Reason, str] = {
    Reason.CONSENT_REFUSED: "consent: refused",
    Reason.CONSENT_EXPIRED: "consent: expired",
    Reason.CONSENT_WITHDRAWN: "consent: withdrawal_waits",
    Reason.NO_CONSENT: "consent: not_standing",
    Reason.CAPACITY_CHANGED_AGE18: "capacity: of_age",
    Reason.CAPACITY_MISSING: "capacity: mandate_over",
}
"""To anybody but its holder there is no such consent, so these never reach them."""


@dataclass(frozen=True, slots=True)
class Changing:
    """Which consent, by which way or for which reason (a code), and at which version of it."""

    consent: ConsentId
    via: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class NowStands:
    """How the consent stands after the change."""

    consent: ConsentId
    state: ConsentState
    suspended: bool
    version: int


@dataclass(frozen=True, slots=True)
class Given:
    """The consent as it now stands. `receipt` is what the client keeps (a compact JWS).

    `code` is told once, here: for the letter with which the client is asked to confirm.
    `stop_code` is the place of the code to stop with among those that were brought.
    """

    consent: ConsentId
    state: ConsentState
    terms: Terms
    receipt: str
    code: Code | None = None
    stop_code: int | None = None


def refused(caller: Caller, consent: ConsentId, refusal: Refused, via: str | None) -> Outcome[Any]:
    """The consent stays as it was, and its holder is told why."""
    event = ConsentRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=NOBODY,
        consent=consent,
        reason=refusal.reason,
        via=via,
    )
    if refusal.reason in _AS_THEY_ARE:
        return Outcome(replace(refusal, told=refusal.reason), (event,))
    if refusal.reason in _IN_WORDS:
        told, details = Reason.CONTENT_REFUSED, (_IN_WORDS[refusal.reason],)
        return Outcome(replace(refusal, told=told, details=details), (event,))
    return Outcome(refusal, (event,))


def said_by(caller: Caller, client: ClientId, order: Changing) -> dict[str, Any]:
    """What every event of a change says."""
    return {
        "application": caller.application,
        "actor": Actor(system=caller.application),
        "client": client,
        "provider": caller.organisation,
        "consent": order.consent,
        "via": order.via,
    }
