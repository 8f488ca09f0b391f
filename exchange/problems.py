"""What a caller is told when the answer is no (RFC 9457). Each row is in docs/problems.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from exchange.foreign_keys import KeysUnavailable
from exchange.security.dpop import InvalidProof, StaleNonce
from exchange.security.keys import KeyDestroyed
from exchange.security.strict_json import NotJson
from exchange.security.tokens import InvalidToken
from exchange.steady_clock import ClockAhead
from exchange.transaction import Committed
from exchange.writer import Busy, NotStored
from policies.decision import Refused
from policies.deposit import ContentRefused
from policies.vocabulary import Reason

T = TypeVar("T")
BASE: Final = "urn:overdracht:problem:"


@dataclass(frozen=True, slots=True)
class Problem:
    """Status, stable name and title; `error` is the OAuth code at the token endpoint.

    `challenge` is the code in the `WWW-Authenticate` of a protected address (RFC 9449, 7.1).
    """

    status: int
    name: str
    title: str
    error: str | None = None
    challenge: str | None = None

    def document(self, **more: object) -> dict[str, object]:
        """The body. It echoes nothing that was sent, and holds nothing of the moment."""
        body = {"type": BASE + self.name, "title": self.title, "status": self.status}
        return body | ({"error": self.error} if self.error else {}) | more

    def body(self, **more: object) -> bytes:
        return json.dumps(self.document(**more), separators=(",", ":")).encode()


class RequestRefused(Exception):
    """The answer is no, and is already committed. Raised outside every transaction.

    `errors` name places and codes for who sent the content, never a value.
    """

    def __init__(self, problem: Problem, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(problem.name)
        self.problem, self.errors = problem, errors


NOT_AVAILABLE = Problem(404, "not-available", "Not available")
UNAVAILABLE = Problem(503, "unavailable", "Nothing was done; try again in a moment")
MALFORMED = Problem(400, "malformed-request", "The request can not be read")
INVALID_CONTENT = Problem(422, "invalid-content", "Some of the content can not be accepted")
TOO_LARGE = Problem(413, "too-large", "The body is larger than this address takes")
HEADERS_TOO_LARGE = Problem(431, "headers-too-large", "The headers are more than are taken")
HTTPS_NEEDED = Problem(403, "https-needed", "Only https is spoken here")
NOT_ALLOWED = Problem(405, "method-not-allowed", "This address does not take that method")
UNEXPECTED = Problem(500, "unexpected", "Something went wrong here; nothing was released")
NOT_AUTHENTICATED = Problem(401, "not-authenticated", "A valid access token is needed")
INVALID_TOKEN = replace(NOT_AUTHENTICATED, challenge="invalid_token")
INVALID_PROOF = replace(NOT_AUTHENTICATED, challenge="invalid_dpop_proof")
TOO_MANY = Problem(429, "too-many-requests", "Too much in too short a time; wait a minute")
TOO_MANY_TOKENS = replace(TOO_MANY, error="temporarily_unavailable")
USE_NONCE = Problem(
    401, "use-dpop-nonce", "Repeat it with the nonce given here", challenge="use_dpop_nonce"
)
BAD_TOKEN_PROOF = Problem(
    400, "invalid-dpop-proof", "A DPoP proof made for this request is needed", "invalid_dpop_proof"
)
TOKEN_NEEDS_NONCE = Problem(
    400, "dpop-nonce-needed", "Repeat it with the nonce given here", "use_dpop_nonce"
)
INVALID_CLIENT = Problem(
    401, "invalid-client", "The client assertion is not valid", "invalid_client"
)
UNSUPPORTED_GRANT = Problem(
    400, "unsupported-grant", "Only client credentials are given here", "unsupported_grant_type"
)
INVALID_SCOPE = Problem(400, "invalid-scope", "None of these scopes is registered", "invalid_scope")
BAD_TOKEN_REQUEST = Problem(
    400, "malformed-request", "The token request can not be read", "invalid_request"
)
NO_SCOPE = Problem(403, "insufficient-scope", "The access token does not reach this far")
SHARING_REFUSED = Problem(403, "sharing-refused", "This may not be shared; the reasons are given")
NO_AGREEMENT = Problem(403, "no-agreement", "You have no agreement in force for this purpose")
NOT_ACCREDITED = Problem(403, "not-accredited", "Your organisation is not accredited for this")
PURPOSE_UNKNOWN = Problem(403, "purpose-unknown", "There is no such purpose")
PURPOSE_PROHIBITED = Problem(403, "purpose-prohibited", "This purpose is prohibited")
NO_IDENTIFIER = Problem(
    403,
    "not-authorised-for-identifier",
    "Your organisation may not process the national number",
)

# What is told depends on the asking organisation alone. A reason that is not here is never told.
REFUSALS: Mapping[Reason, Problem] = {
    Reason.NO_ACTIVE_PROTOCOL: NO_AGREEMENT,
    Reason.RECIPIENT_NOT_ACCREDITED: NOT_ACCREDITED,
    Reason.HARD_RULE_H6: NOT_ACCREDITED,
    Reason.HARD_RULE_H7: NOT_ACCREDITED,
    Reason.HARD_RULE_H8: NOT_ACCREDITED,
    Reason.PURPOSE_UNKNOWN: PURPOSE_UNKNOWN,
    Reason.PURPOSE_PROHIBITED: PURPOSE_PROHIBITED,
    Reason.HARD_RULE_H3: PURPOSE_PROHIBITED,
    Reason.HARD_RULE_H4: NO_IDENTIFIER,
    Reason.HARD_RULE_H10: NO_IDENTIFIER,
    Reason.ALREADY_WITHDRAWN: Problem(409, "already-withdrawn", "Already withdrawn"),
    Reason.HANDOVER_NOT_OPEN: Problem(
        409, "handover-not-open", "This handover has come too far, or has ended"
    ),
    Reason.RECALL_ANSWERED: Problem(409, "recall-answered", "A certificate was given before"),
    Reason.REQUEST_NOT_OPEN: Problem(
        409, "request-not-open", "This request has been answered, or its time is over"
    ),
    Reason.RATE_LIMITED: Problem(
        429, "asked-too-often", "You have asked as often as you may; asking again changes nothing"
    ),
    Reason.STALE_VERSION: Problem(
        412, "stale-version", "It was changed meanwhile; read it again and repeat the change"
    ),
    Reason.KEY_REUSED: Problem(
        422, "key-reused", "This idempotency key came with another body before; use a fresh one"
    ),
    Reason.CONTENT_REFUSED: INVALID_CONTENT,
    Reason.CALLER_REVOKED: INVALID_TOKEN,
    Reason.PROOF_REPLAYED: INVALID_PROOF,
    Reason.SCOPE_MISSING: INVALID_SCOPE,
}

FAILURES: Mapping[type[Exception], Problem] = {
    StaleNonce: USE_NONCE,
    InvalidProof: INVALID_PROOF,
    InvalidToken: INVALID_TOKEN,
    KeysUnavailable: UNAVAILABLE,
    NotJson: MALFORMED,
    ContentRefused: INVALID_CONTENT,
    KeyDestroyed: NOT_AVAILABLE,
    Busy: UNAVAILABLE,
    ClockAhead: UNAVAILABLE,
    NotStored: UNAVAILABLE,
    DBAPIError: UNAVAILABLE,
    PoolExhausted: UNAVAILABLE,
}


def settled(committed: Committed[T]) -> T:
    """The value, unless it is a refusal: that becomes a problem."""
    value = committed.value
    if not isinstance(value, Refused):
        return value
    problem = NOT_AVAILABLE if value.told is None else REFUSALS[value.told]
    raise RequestRefused(problem, _places(value) if problem is INVALID_CONTENT else ())


def settled_for_holder(committed: Committed[T]) -> T:
    """As `settled`, for the holder's own staff: they know the person, so they are told why."""
    value = committed.value
    if isinstance(value, Refused) and value.told is None and value.details:
        raise RequestRefused(SHARING_REFUSED, tuple(("sharing", each) for each in value.details))
    return settled(committed)


def _places(refused: Refused) -> tuple[tuple[str, str], ...]:
    parts = (each.partition(": ") for each in refused.details)
    return tuple((place, code or "not_accepted") for place, _, code in parts)
