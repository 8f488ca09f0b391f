"""How a consent may change. Pure and total: every pair of states has an answer."""

from collections.abc import Mapping
from types import MappingProxyType

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


def transition(state: ConsentState, to: ConsentState) -> Reason | None:
    """Nothing when the consent may change so; otherwise what stands in the way.

    What stands in the way is how the consent stands now: already withdrawn, refused,
    expired. `NO_CONSENT` for the states in which nobody has agreed to anything yet.
    """
    if to in TRANSITIONS[state]:
        return None
    return _WHY_NOT.get(state, Reason.NO_CONSENT)


def releases(state: ConsentState) -> bool:
    """Whether a consent in this state lets anything go, if all else is in order."""
    return state in _STANDS
