"""An agreement in the forms of others, and what became of it in a year.

One function a verb, as in `operations`: plain JSON in, one result out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import Connection

from consent.belgian_time import day_of, instant, start_of
from exchange import field_tallies, recalls, volumes
from exchange.counted import keep_counted
from exchange.field_tallies import RELEASES, Sum
from exchange.operations import Line, OperationRefused
from exchange.services import SHARD, Services
from policies.agreement_forms import FORMS
from policies.agreements import Agreement, standing
from policies.proportionality import LEAST_RELEASES, Times, Use, shown, uses


def agreements_export(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """The agreement `id` as it stands today, in the form `as`: `odrl` or `dpv`."""
    agreement = _agreement(services, asked["id"])
    yield FORMS[asked["as"]](agreement, services.settings.public_base_url, _today(services))


def agreements_report(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """What became of the agreement `id` in `year` (this one): sums alone, none that is small."""
    keep_counted(services)
    agreement, today = _agreement(services, asked["id"]), _today(services)
    year = int(asked.get("year") or today.year)
    with services.database.reading() as connection:
        persons = volumes.persons_in(connection, shard=SHARD).get(f"{agreement.id}/{year}", 0)
        yield report(connection, agreement, year, today, persons=persons)


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "agreements export": agreements_export,
    "agreements report": agreements_report,
}


def report(
    connection: Connection, agreement: Agreement, year: int, today: date, *, persons: int
) -> dict[str, Any]:
    """The yearly report. `persons`: how many were served under it that year (see `volumes`)."""
    first, last = f"{year}-01", f"{year}-12"
    found = list(
        field_tallies.sums(connection, shard=SHARD, agreement=agreement.id, first=first, last=last)
    )
    refused = field_tallies.refusals(connection, shard=SHARD, first=first, last=last)
    releases = {(each.recipient, each.purpose): each.times.asked for each in found if _whole(each)}
    told = uses(agreement, releases, _by_field(found))
    ways = {(each.recipient, each.purpose) for each in told}
    stopped = agreement.suspended
    return {
        "agreement": agreement.id,
        "title": agreement.title,
        "version": agreement.version,
        "year": year,
        "made_on": today.isoformat(),
        "standing": standing(agreement, today).value,
        "persons": {
            "agreed": agreement.volume,
            "concerned": shown(persons),
        },
        "releases": shown(sum(releases.values())),
        "uses": [_use(each) for each in told if not each.unused],
        "unused": [_way(each.recipient, each.purpose) for each in told if each.unused],
        "refusals": [
            _way(recipient, purpose) | {"told": code, "times": shown(times)}
            for (recipient, purpose, code), times in sorted(refused.items())
            if (recipient, purpose) in ways
        ],
        "suspended": None
        if stopped is None
        else {"on": stopped.on.isoformat(), "by": stopped.by, "reason": stopped.reason_code},
        "recalls": _recalls(connection, agreement, year),
        "rounded_to": 5,
        "suggested_from": LEAST_RELEASES,
    }


def _agreement(services: Services, id: str) -> Agreement:
    for each in services.directory().agreements:
        if each.id == id:
            return each
    raise OperationRefused(f"there is no agreement {id}; see: overdracht agreements apply --help")


def _today(services: Services) -> date:
    return day_of(instant(services.clock()))


def _whole(each: Sum) -> bool:
    return each.field == RELEASES


def _by_field(found: Iterable[Sum]) -> dict[tuple[str, str], dict[str, Times]]:
    fields: dict[tuple[str, str], dict[str, Times]] = {}
    for each in found:
        if not _whole(each):
            fields.setdefault((each.recipient, each.purpose), {})[each.field] = each.times
    return fields


def _way(recipient: str, purpose: str) -> dict[str, Any]:
    return {"recipient": recipient, "purpose": purpose}


def _use(use: Use) -> dict[str, Any]:
    return {
        **_way(use.recipient, use.purpose),
        "releases": use.releases,
        "fields": [asdict(each) for each in use.fields],
        "sufficient": list(use.sufficient),
        "take_out": [{"field": field, "why": why.value} for field, why in use.take_out],
    }


def _recalls(connection: Connection, agreement: Agreement, year: int) -> dict[str, int | None]:
    """How the recalls stand that this year brought among the parties, for its purposes."""
    ways = {
        (controller, recipient, purpose)
        for flow in agreement.flows
        for controller in flow.from_
        for recipient in flow.to
        for purpose in flow.purposes
    }
    found = recalls.states_between(
        connection,
        shard=SHARD,
        controllers=sorted({each.org for each in agreement.parties}),
        start=start_of(date(year, 1, 1)),
        stop=start_of(date(year + 1, 1, 1)),
    )
    states: Counter[str] = Counter()
    for controller, recipient, purpose, state, times in found:
        if (controller, recipient, purpose) in ways:
            states[state] += times
    return {state: shown(times) for state, times in sorted(states.items())}
