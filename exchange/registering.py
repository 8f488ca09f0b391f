"""What an operator does for the machines of partners: let them in, change their keys, end them.

One function a verb, as in `operations`: plain JSON in, one result out.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from consent.belgian_time import instant, start_of
from exchange.directory import RegisteredApplication
from exchange.flows.administer import (
    NewApplication,
    register_application,
    resume_application,
    revoke_application,
    rotate_application,
    suspend_application,
)
from exchange.operations import Line, OperationRefused
from exchange.security.possession import proven_key
from exchange.security.public_keys import KeyRefused
from exchange.services import Services
from exchange.transaction import Command
from policies.decision import Refused
from policies.vocabulary import ApplicationId, OrganisationId

_HOUR = 3_600_000_000
MOST_HOURS = 24 * 30
"""An overlap is for changing over, and a stolen key is worth as much as it lasts."""


def applications_new(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Register an application of `organisation` with the public JWK `key`, and its `proof`.

    `until` (YYYY-MM-DD): the first day on which it is let in no more.
    """
    _proven(services, asked, asked["organisation"])
    scopes = frozenset(asked["scopes"]) if asked.get("scopes") else None
    order = NewApplication(
        OrganisationId(asked["organisation"]), asked["key"], scopes, _end(asked.get("until"))
    )
    done = services.writer.submit(register_application, order).result().value
    if isinstance(done, Refused):
        what, *most = done.details
        known = f"; it may have {', '.join(most)}" if most else ""
        raise OperationRefused(f"unknown {what} for {asked['organisation']}{known}")
    yield {
        "application": done.application,
        "scopes": sorted(done.scopes),
        "issuer": services.settings.issuer,
        "token_endpoint": f"{services.settings.issuer}/oauth/token",
    }


def applications_terms(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """What a key's proof must say, for a new key of `application` or one of `organisation`."""
    known = services.directory().applications.get(ApplicationId(asked.get("application", "")))
    if known is None and "organisation" not in asked:
        raise OperationRefused("there is no such application")
    yield {
        "organisation": asked["organisation"] if known is None else known.organisation,
        "issuer": services.settings.issuer,
        "at": int(services.clock().timestamp()),
    }


def applications_list(services: Services, _asked: Mapping[str, Any]) -> Iterator[Line]:
    """Every application, revoked ones too, with the names of its keys."""
    now = instant(services.clock())
    yield {
        "applications": [
            {
                "application": each.id,
                "organisation": each.organisation,
                "scopes": sorted(each.scopes),
                "revoked": each.revoked,
                "state": _state(each, now),
                "keys": _keys(each, now),
            }
            for each in services.directory().applications.values()
        ]
    }


def applications_rotate(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Give `application` the public JWK `key` with its `proof`; the old one counts for `hours`."""
    application = ApplicationId(asked["application"])
    known = services.directory().applications.get(application)
    if known is None:
        raise OperationRefused("there is no such application")
    hours = int(asked["hours"])
    if not 0 <= hours <= MOST_HOURS:
        raise OperationRefused(f"the keys overlap for 0 to {MOST_HOURS} hours")
    _proven(services, asked, known.organisation)
    done = services.writer.submit(
        rotate_application, application, asked["key"], hours * _HOUR
    ).result()
    if isinstance(done.value, Refused):
        why = "it is revoked" if done.value.details == ("application",) else "it has that key"
        raise OperationRefused(f"the key is not changed: {why}")
    yield {"application": application, "key": asked["key"]["kid"], "hours": hours}


def _acting(
    command: Command[[ApplicationId], ApplicationId], state: str
) -> Callable[[Services, Mapping[str, Any]], Iterator[Line]]:
    def act(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
        application = ApplicationId(asked["application"])
        done = services.writer.submit(command, application).result().value
        if isinstance(done, Refused):
            raise OperationRefused("there is no such application, or it is revoked already")
        yield {"application": done, state: True}

    return act


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "applications new": applications_new,
    "applications terms": applications_terms,
    "applications list": applications_list,
    "applications rotate": applications_rotate,
    "applications revoke": _acting(revoke_application, "revoked"),
    "applications suspend": _acting(suspend_application, "suspended"),
    "applications resume": _acting(resume_application, "resumed"),
}


def _proven(services: Services, asked: Mapping[str, Any], organisation: str) -> None:
    try:
        proven_key(
            asked["key"],
            asked.get("proof"),
            issuer=services.settings.issuer,
            organisation=organisation,
            at=services.clock(),
        )
    except KeyRefused as error:
        raise OperationRefused(f"the key is refused: {error}") from None


def _end(day: str | None) -> int | None:
    try:
        return None if day is None else start_of(date.fromisoformat(day))
    except ValueError:
        raise OperationRefused(f"{day} is no day; write it as 2027-12-31") from None


def _state(known: RegisteredApplication, now: int) -> str:
    if known.revoked:
        return "revoked"
    if known.suspended or known.burst:
        return "suspended"
    return "live" if known.live(now) else "expired"


def _keys(known: RegisteredApplication, now: int) -> list[str]:
    names = [known.key.get("kid"), (known.former or {}).get("kid")]
    return [each for each in names if each and known.key_named(each, now)]
