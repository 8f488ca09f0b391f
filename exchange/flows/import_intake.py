"""Import intakes: what a registration system exported becomes clients and their summaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from audit.events import (
    Actor,
    AuditEvent,
    ClientRecognised,
    ClientRegistered,
    IntakeImported,
    SummaryDeposited,
)
from exchange import many_clients
from exchange.many_clients import NewClient, NewSections
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import NOBODY, ClientId, OrganisationId, Section

IMPORTER = "app:import"
"""The operator's import, where it acts on behalf of a holder."""


@dataclass(frozen=True, slots=True)
class IntakeOrder:
    """One client with sealed sections, for the version after the one that was last seen.

    `client` is for whom the sections were sealed: the one found before, or else `new`.
    """

    client: ClientId
    version: int
    commitments: tuple[bytes, ...]
    new: NewClient | None
    sealed: Mapping[Section, bytes]
    stored: int
    quarantined: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Intakes:
    """Intakes of one holder, whose texts one scanner let pass."""

    holder: OrganisationId
    scanned: str
    orders: Sequence[IntakeOrder]


class Became(StrEnum):
    """What an intake came to.

    Of one that is `MOVED` nothing was stored: its client came into being, or was changed, since
    it was looked up. Look again.
    """

    REGISTERED = "registered"
    RECOGNISED = "recognised"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Totals:
    """What one import came to, in numbers that may stand in the log for ever."""

    adapter: str
    stored: int
    dropped: int
    quarantined: int
    rejected: int


def import_intakes(tx: Transaction, intakes: Intakes) -> Outcome[tuple[Became, ...]]:
    """Register or recognise each client and store the sections; what each intake came to.

    Each is a request of its own, decided as if those before it had been carried out already.
    """
    became, found_by = _decided(tx, intakes.orders)
    pairs = [
        (order, each)
        for order, each in zip(intakes.orders, became, strict=True)
        if each is not Became.MOVED
    ]
    _store(tx, intakes, pairs)
    many_clients.add_commitments(tx.connection, found_by, shard=tx.shard)
    events = chain.from_iterable(_events(intakes.holder, *each) for each in pairs)
    return Outcome(tuple(became), tuple(events), requests=len(pairs))


def _decided(
    tx: Transaction, orders: Sequence[IntakeOrder]
) -> tuple[list[Became], dict[bytes, ClientId]]:
    """What each order comes to, and the commitments that are new."""
    values = {value for order in orders for value in order.commitments}
    known = many_clients.clients_committed_to(tx.connection, shard=tx.shard, values=values)
    stands = many_clients.summary_versions(
        tx.connection, shard=tx.shard, clients=set(known.values())
    )
    became: list[Became] = []
    found_by: dict[bytes, ClientId] = {}
    for order in orders:
        found = next((known[each] for each in order.commitments if each in known), NOBODY)
        seen = order.new is not None if found == NOBODY else found == order.client
        if not seen or stands.get(order.client, 0) + 1 != order.version:
            became.append(Became.MOVED)
            continue
        became.append(Became.REGISTERED if found == NOBODY else Became.RECOGNISED)
        stands[order.client] = order.version
        for value in order.commitments:
            if value not in known:
                known[value] = found_by[value] = order.client
    return became, found_by


def _store(tx: Transaction, intakes: Intakes, pairs: Sequence[tuple[IntakeOrder, Became]]) -> None:
    to = {"shard": tx.shard, "at": tx.now}
    new = [order.new for order, became in pairs if became is Became.REGISTERED and order.new]
    for each in new:
        tx.keys.keep(bytes.fromhex(each.id.replace("-", "")), each.wrapped_key)
    many_clients.add_clients(tx.connection, new, **to, holder=intakes.holder)
    sections = [NewSections(order.client, order.version, order.sealed) for order, _ in pairs]
    many_clients.add_sections(tx.connection, sections, **to, scanned=intakes.scanned)
    again = {order.client: order.version for order, became in pairs if became is Became.RECOGNISED}
    many_clients.set_summary_versions(tx.connection, again, shard=tx.shard)


def _events(holder: OrganisationId, order: IntakeOrder, became: Became) -> tuple[AuditEvent, ...]:
    happened = ClientRegistered if became is Became.REGISTERED else ClientRecognised
    actor = Actor(system=IMPORTER)
    return (
        happened(
            application=IMPORTER,
            actor=actor,
            client=order.client,
            provider=holder,
            via="import",
        ),
        SummaryDeposited(
            application=IMPORTER,
            actor=actor,
            client=order.client,
            provider=holder,
            sections=tuple(sorted(order.sealed)) or None,
            version=order.version,
            stored=order.stored,
            quarantined=order.quarantined,
            rules=order.rules,
        ),
    )


def close_import(tx: Transaction, totals: Totals) -> Outcome[None]:
    """Log what the whole import came to."""
    event = IntakeImported(
        adapter=totals.adapter,
        drop=totals.dropped,
        n=totals.stored,
        quar=totals.quarantined,
        rej=totals.rejected,
    )
    return Outcome(None, (event,))
