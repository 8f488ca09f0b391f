"""What an operator may ask before a document is applied: the verb behind `overdracht simulate`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from consent.belgian_time import day_of, instant
from exchange import records
from exchange.flows.simulate_change import note_simulation
from exchange.hearing import hear
from exchange.operations import Line, OperationRefused
from exchange.services import SHARD, Services
from exchange.simulating import FIRST, Simulation
from exchange.simulation_report import Summed
from exchange.supposing import World
from exchange.suppositions import (
    NotSupposed,
    asked_anew,
    asking,
    named,
    supposed,
    world_today,
)


def simulate(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """What the `document` of a `kind` would change, over every consent; it changes nothing.

    Logged before the first consent is opened. The operator is told numbers alone.
    """
    kind, document = asked["kind"], asked["document"]
    hear(services)
    today = world_today(services)
    try:
        with supposed(services, today, kind, document) as then:
            services.writer.submit(note_simulation, named(kind, document)).result()
            yield from _compared(services, kind, today, then)
    except NotSupposed as error:
        raise OperationRefused(str(error)) from None


def _compared(services: Services, kind: str, today: World, then: World) -> Iterator[Line]:
    at, summed = services.clock(), Summed()
    compared = Simulation(services.database, services.keys, today=today, then=then, at=at)
    with services.database.reading() as connection:
        total = records.clients_in(connection, shard=SHARD)
    for looked_at in _through(compared, today, summed):
        yield {"progress": looked_at, "total": total}
    asks = asked_anew(today, then, day_of(instant(at)))
    yield {"kind": kind, **summed.document(), "asks_more": asking(asks)}


def _through(compared: Simulation, today: World, summed: Summed) -> Iterator[int]:
    looked_at = 0
    for holder in today.directory.organisations:
        after = FIRST
        while True:
            page = compared.page(holder, after=after)
            summed.add(page.affected)
            looked_at += page.clients
            if page.clients:
                yield looked_at
            if page.last is None:
                break
            after = page.last


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "simulate": simulate
}
