"""Who asks too much is told to wait, before anything is looked up, and alike for all they ask."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from consent.belgian_time import instant
from exchange.directory import Directory
from exchange.flows.administer import suspend_for_burst
from exchange.flows.issue_token import STOPPING, Asked
from exchange.observability import log
from exchange.problems import INVALID_CLIENT, INVALID_TOKEN, NO_SCOPE, TOO_MANY, RequestRefused
from exchange.security.base64url import decoded
from exchange.security.dpop import StaleNonce
from exchange.security.strict_json import NotJson, read_json
from exchange.security.tokens import Caller, InvalidToken, UnknownKey
from exchange.services import Services
from policies.vocabulary import ApplicationId, OrganisationId

NOBODY_KNOWN = "app:unknown"
"""Under what it is noted that somebody failed who named no application that we know."""
_MOST_CLAIMS, _MOST_DEPTH = 8192, 4


@contextmanager
def attempt(
    request: Request, services: Services, *, said: str = "", heard: bool = False
) -> Iterator[None]:
    """Somebody says who they are. From where that failed too often no signature is verified.

    But for those who must be `heard`: others at the same address fail on nobody's behalf. What
    they `said`, a token or an assertion, names the application that the failure is noted for.
    """
    address = "" if request.client is None else request.client.host
    if not heard and not services.quotas.may_try(address):
        raise RequestRefused(TOO_MANY)
    try:
        yield
    except (StaleNonce, UnknownKey):
        # They said who they are, and are only asked to say it again; or the key that they were
        # given a token with is newer than what is known here. No signature was trusted.
        raise
    except InvalidToken:
        services.quotas.failed(address)
        _note(said, services)
        raise
    except RequestRefused as refused:
        if refused.problem is INVALID_CLIENT:
            services.quotas.failed(address)
            _note(said, services)
        raise


def _note(said: str, services: Services) -> None:
    directory, named = services.reads_directory.last, ApplicationId(named_in(said))
    known = directory is not None and named in directory.applications
    services.quotas.failures.note(named if known else NOBODY_KNOWN)


def named_in(token: str) -> str:
    """The application that a token or assertion names. Nothing proves it: good for counting."""
    try:
        claims = read_json(
            decoded(token.split(".")[1]), max_bytes=_MOST_CLAIMS, max_depth=_MOST_DEPTH
        )
    except (NotJson, ValueError, IndexError):
        return ""
    named = claims.get("client_id", claims.get("iss")) if isinstance(claims, dict) else ""
    return named if isinstance(named, str) else ""


def reaches_no_further(caller: Caller, services: Services) -> RequestRefused:
    """What a caller is told whose token has not the scope; it is noted as a failure is."""
    services.quotas.failures.note(caller.application)
    return RequestRefused(NO_SCOPE)


def counts_token(asked: Asked, services: Services) -> bool:
    """Whether the application's organisation may have one token more; it is counted, once.

    Where there are none left, each application has some of its own for withdrawing alone.
    """
    directory, once = services.reads_directory.last, asked.assertion.name
    known = None if directory is None else directory.applications.get(asked.application)
    if known is None:
        return False
    if services.quotas.token(known.organisation, once):
        return True
    return asked.scopes == STOPPING and services.quotas.stopping_token(asked.application, once)


def counts_code(request: Request, services: Services) -> bool:
    """Whether one code more may be tried from where this comes; it is counted."""
    return services.quotas.code("" if request.client is None else request.client.host)


async def count_request(caller: Caller, services: Services) -> None:
    """Count one thing asked, once. Who goes on and on over its quota is let in no more.

    An application that is let in no more takes nothing from its organisation.

    A key in the wrong hands is used fast: an operator looks into it before it goes on.
    """
    directory = await _letting_in(caller, services)
    proof = None if caller.proof is None else caller.proof.name
    kind = directory.type_of(OrganisationId(caller.organisation))
    type = "" if kind is None else kind.value
    if services.quotas.request(caller.organisation, type, proof):
        return
    burst = services.quotas.burst(caller.application, type, proof)
    if burst and services.admission.frozen is None:
        log.error("application.suspended", failure="burst")
        await services.writer.run(suspend_for_burst, ApplicationId(caller.application))
    raise RequestRefused(TOO_MANY)


async def _letting_in(caller: Caller, services: Services) -> Directory:
    """The directory that lets the caller in: the one at hand, or else the one that stands now."""
    now, at_hand = instant(services.clock()), services.reads_directory.last
    if at_hand is not None and at_hand.admits(caller, now):
        return at_hand
    current = await services.reader.run(services.reads_directory.current)
    # One that has not changed since goes on saying no.
    if current is at_hand or not current.admits(caller, now):
        raise RequestRefused(INVALID_TOKEN)
    return current
