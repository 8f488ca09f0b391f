"""Who asks too much is told to wait, before anything is looked up, and alike for all they ask."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from exchange.flows.administer import suspend_application
from exchange.observability import log
from exchange.problems import INVALID_CLIENT, TOO_MANY, RequestRefused
from exchange.security.dpop import StaleNonce
from exchange.security.tokens import Caller, InvalidToken, UnknownKey
from exchange.services import Services
from policies.vocabulary import ApplicationId, OrganisationId


@contextmanager
def attempt(request: Request, services: Services, *, heard: bool = False) -> Iterator[None]:
    """Somebody says who they are. From where that failed too often no signature is verified.

    But for those who must be `heard`: others at the same address fail on nobody's behalf.
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
        raise
    except RequestRefused as refused:
        if refused.problem is INVALID_CLIENT:
            services.quotas.failed(address)
        raise


def counts_token(application: ApplicationId, services: Services) -> bool:
    """Whether the application's organisation may have one token more; it is counted."""
    directory = services.reads_directory.last
    known = None if directory is None else directory.applications.get(application)
    return known is not None and services.quotas.token(known.organisation)


async def count_request(caller: Caller, services: Services) -> None:
    """Count one thing asked. Who goes on and on over its quota is let in no more.

    A key in the wrong hands is used fast: an operator looks into it before it goes on.
    """
    directory = services.reads_directory.last
    kind = None if directory is None else directory.type_of(OrganisationId(caller.organisation))
    type = "" if kind is None else kind.value
    if services.quotas.request(caller.organisation, type):
        return
    if services.quotas.burst(caller.application, type) and services.admission.frozen is None:
        log.error("application.suspended", failure="burst")
        await services.writer.run(suspend_application, ApplicationId(caller.application))
    raise RequestRefused(TOO_MANY)
