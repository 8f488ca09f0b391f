"""Whether the claims of a token are what its context demands, now. Pure, and total."""

from collections.abc import Mapping
from typing import Final

from exchange.security.contexts import Context, TokenFault

CLOCK_AHEAD: Final = 10
"""Seconds that the clock of an issuer may run before ours (FAPI 2.0 section 5.3.2.1)."""
LATEST: Final = 253_402_300_799
"""The end of the year 9999, the last second that a date can hold."""
MAX_TEXT: Final = 256
"""Characters in a name or an identifier."""

_TEXTS = ("iss", "sub", "jti", "client_id", "organisation", "htm", "ath", "nonce")
_TIMES = ("exp", "iat", "nbf")


def fault_in(
    context: Context, claims: Mapping[str, object], audience: str | None, now: float
) -> TokenFault | None:
    """The first thing wrong with signed claims, or nothing. Raises nothing, whatever they hold.

    `now` in seconds since 1970. Half-open: a token that expires now has expired.
    """
    if context.required - claims.keys():
        return TokenFault.CLAIM_MISSING
    if not (context.open or context.foreign) and claims.keys() - _known(context):
        return TokenFault.CLAIM_UNKNOWN
    if not _typed(claims):
        return TokenFault.CLAIM_TYPE
    if "aud" in context.required and not (audience and claims["aud"] == audience):
        return TokenFault.AUDIENCE
    return _fault_in_times(context, claims, now)


def known_claims(context: Context, claims: Mapping[str, object]) -> dict[str, object]:
    """Without those that this kind of token gives no meaning to."""
    if context.open:
        return dict(claims)
    known = _known(context)
    return {name: value for name, value in claims.items() if name in known}


def _known(context: Context) -> frozenset[str]:
    return context.required | context.optional


def _typed(claims: Mapping[str, object]) -> bool:
    texts = (claims[name] for name in _TEXTS if name in claims)
    times = (claims[name] for name in _TIMES if name in claims)
    return all(isinstance(text, str) and 0 < len(text) <= MAX_TEXT for text in texts) and all(
        # Not `isinstance`: true is an int to Python, and 1 a time long past.
        type(time) is int and 0 < time <= LATEST
        for time in times
    )


def _fault_in_times(
    context: Context, claims: Mapping[str, object], now: float
) -> TokenFault | None:
    issued, expires = _second(claims.get("iat", 0)), _second(claims.get("exp", LATEST))
    if max(issued, _second(claims.get("nbf", 0))) > now + CLOCK_AHEAD:
        return TokenFault.NOT_YET
    if expires <= now:
        return TokenFault.EXPIRED
    if context.max_age is not None and issued < now - context.max_age:
        return TokenFault.TOO_OLD
    if context.max_lifetime is not None and expires > issued + context.max_lifetime:
        return TokenFault.LIFETIME
    if context.max_ahead is not None and expires > now + context.max_ahead:
        return TokenFault.LIFETIME
    return None


def _second(value: object) -> int:
    return value if isinstance(value, int) else LATEST + 1
