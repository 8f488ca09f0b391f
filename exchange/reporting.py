"""What an operator and a data protection officer look at: alerts, and volumes of agreements.

One function a verb, as in `operations`: plain JSON in, one result out. Nothing is changed.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from consent.belgian_time import day_of, instant
from exchange import alerts, volumes
from exchange.operations import Line, OperationRefused
from exchange.services import SHARD, Services
from exchange.tenancy import EVERYBODY
from policies.agreements import Agreement
from policies.volumes import is_full


def alerts_list(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """The newest alerts, from the day `since` on (YYYY-MM-DD; without: all that are kept)."""
    since = str(asked.get("since") or "")
    try:
        since = date.fromisoformat(since).isoformat() if since else ""
    except ValueError:
        raise OperationRefused(f"{since} is no day; write it as 2026-12-31") from None
    with services.database.reading(tenant=EVERYBODY) as connection:
        found = alerts.standing(connection, shard=SHARD, since=since)
    yield {"alerts": [each.document() for each in found]}


def agreements_volumes(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """How many persons each agreement was for in `year` (without: this one), and how many agreed.

    `per_cent` is of what was agreed; `full`: nobody new is handed over under it.
    """
    year = int(asked.get("year") or day_of(instant(services.clock())).year)
    with services.database.reading() as connection:
        persons = volumes.persons_in(connection, shard=SHARD)
    lines = [
        _line(services, scope, purpose, persons.get(f"{scope}/{year}", 0), agreed)
        for agreement in services.directory().agreements
        for scope, purpose, agreed in _scopes(agreement)
    ]
    yield {"year": year, "agreements": lines}


def _scopes(agreement: Agreement) -> Iterator[tuple[str, str | None, int | None]]:
    yield agreement.id, None, agreement.volume
    said = {
        purpose: flow.persons_per_year
        for flow in agreement.flows
        for purpose in flow.purposes
        if flow.persons_per_year is not None
    }
    for purpose, agreed in sorted(said.items()):
        yield f"{agreement.id}/{purpose}", purpose, agreed


def _line(
    services: Services, scope: str, purpose: str | None, persons: int, agreed: int | None
) -> Line:
    return {
        "agreement": scope.partition("/")[0],
        "purpose": purpose,
        "persons": persons,
        "agreed": agreed,
        "per_cent": persons * 100 // agreed if agreed else None,
        "full": is_full(persons, agreed, services.settings.volume_refused_at),
    }


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "alerts list": alerts_list,
    "agreements volumes": agreements_volumes,
}
