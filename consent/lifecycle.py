"""How a consent may change. Pure and total: whatever happens, in every state, has an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from policies.purposes import purpose_list
from policies.vocabulary import ConsentState, Reason

_STANDS = (ConsentState.GIVEN, ConsentState.RENEWED, ConsentState.NARROWED)

_FROM_STANDING = frozenset(
    {
        ConsentState.NARROWED,
        ConsentState.RENEWED,
        ConsentState.WITHDRAWN,
        ConsentState.EXPIRED,
        ConsentState.INVALIDATED,
        ConsentState.REVOKED_BY_OTHER,
    }
)
_ASK_AGAIN = frozenset({ConsentState.REQUESTED})

TRANSITIONS: Mapping[ConsentState, frozenset[ConsentState]] = MappingProxyType(
    {
        ConsentState.REQUESTED: frozenset(
            {
                ConsentState.GIVEN,
                ConsentState.REFUSED,
                ConsentState.DEFERRED,
                ConsentState.NARROWED,
                ConsentState.EXPIRED,
            }
        ),
        ConsentState.DEFERRED: frozenset(
            {
                ConsentState.REQUESTED,
                ConsentState.GIVEN,
                ConsentState.REFUSED,
                ConsentState.EXPIRED,
            }
        ),
        # Given once more is a renewal, never a second giving.
        ConsentState.GIVEN: _FROM_STANDING,
        ConsentState.NARROWED: _FROM_STANDING,
        ConsentState.RENEWED: _FROM_STANDING,
        ConsentState.REFUSED: _ASK_AGAIN,
        ConsentState.WITHDRAWN: _ASK_AGAIN,
        ConsentState.EXPIRED: frozenset({ConsentState.REQUESTED, ConsentState.RENEWED}),
        ConsentState.INVALIDATED: _ASK_AGAIN,
        ConsentState.REVOKED_BY_OTHER: _ASK_AGAIN,
        ConsentState.UNKNOWN: _ASK_AGAIN,
    }
)
"""Every change that exists. A renewal after a refusal or a withdrawal is not one of them."""

_WHY_NOT: Mapping[ConsentState, Reason] = {
    ConsentState.WITHDRAWN: Reason.ALREADY_WITHDRAWN,
    ConsentState.REVOKED_BY_OTHER: Reason.ALREADY_WITHDRAWN,
    ConsentState.REFUSED: Reason.CONSENT_REFUSED,
    ConsentState.EXPIRED: Reason.CONSENT_EXPIRED,
    ConsentState.GIVEN: Reason.CONTENT_REFUSED,
    ConsentState.RENEWED: Reason.CONTENT_REFUSED,
    ConsentState.NARROWED: Reason.CONTENT_REFUSED,
}


class Happening(StrEnum):
    """What can happen to a consent, by the name of its event in the log (`consent.…`).

    A deferred and a refused request are answers of the client, and a first giving that says
    no to everything is logged as given: see the flows.
    """

    REQUESTED = "requested"
    DEFERRED = "deferred"
    GIVEN = "given"
    REFUSED = "refused"
    NARROWED = "narrowed"
    RENEWED = "renewed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True)
class Stands:
    """How a consent stands: its state, and whether it is held meanwhile."""

    state: ConsentState
    suspended: bool = False


_LEADS_TO: Mapping[Happening, ConsentState] = {
    Happening.REQUESTED: ConsentState.REQUESTED,
    Happening.DEFERRED: ConsentState.DEFERRED,
    Happening.GIVEN: ConsentState.GIVEN,
    Happening.REFUSED: ConsentState.REFUSED,
    Happening.NARROWED: ConsentState.NARROWED,
    Happening.RENEWED: ConsentState.RENEWED,
    Happening.WITHDRAWN: ConsentState.WITHDRAWN,
    Happening.EXPIRED: ConsentState.EXPIRED,
    Happening.INVALIDATED: ConsentState.INVALIDATED,
    Happening.REVOKED: ConsentState.REVOKED_BY_OTHER,
}
_HOLDS: Mapping[Happening, bool] = {Happening.SUSPENDED: True, Happening.RESUMED: False}


def after(now: Stands, what: Happening) -> Stands | Reason:
    """How a consent stands after what happened, or what stands in the way.

    A hold is put on and taken off what stands, and changes no state; done twice it has the
    effect of once. It lasts through a narrowing. A renewal takes it off: the client has said
    yes once more. What has ended is held no longer.
    """
    if what in _HOLDS:
        if not releases(now.state):
            return _why_not(now.state)
        return Stands(now.state, _HOLDS[what])
    to = _LEADS_TO[what]
    if reason := transition(now.state, to):
        return reason
    return Stands(to, now.suspended and to is ConsentState.NARROWED)


def dpv_state(state: ConsentState) -> str:
    """The DPV 2.2 term for a state, as receipts and exports write it (`dpv:ConsentGiven`)."""
    return purpose_list().state_terms[state][0]


def transition(state: ConsentState, to: ConsentState) -> Reason | None:
    """Nothing when the consent may change so; otherwise what stands in the way.

    What stands in the way is how the consent stands now: already withdrawn, refused,
    expired. `NO_CONSENT` for the states in which nobody has agreed to anything yet.
    """
    if to in TRANSITIONS[state]:
        return None
    return _why_not(state)


def _why_not(state: ConsentState) -> Reason:
    return _WHY_NOT.get(state, Reason.NO_CONSENT)


def releases(state: ConsentState) -> bool:
    """Whether a consent in this state lets anything go, if all else is in order."""
    return state in _STANDS
