"""Import intakes: what a registration system exported becomes clients and their summaries."""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.events import Actor, ClientRecognised, ClientRegistered, IntakeImported, SummaryDeposited
from exchange import records
from exchange.clients import Registration, find_or_add
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import ClientId, OrganisationId, Section

IMPORTER = "app:import"
"""The operator's import, where it acts on behalf of a holder."""


@dataclass(frozen=True, slots=True)
class IntakeOrder:
    """One client with sealed sections, for the version after the one that was last seen.

    `client` is for whom the sections were sealed: the one found before, or the new one that
    the registration proposes. Nothing in `sealed`: all of it stands there already.
    """

    holder: OrganisationId
    registration: Registration
    client: ClientId
    version: int
    scanned: str
    sealed: Mapping[Section, bytes]
    stored: int
    quarantined: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What one import came to, in numbers that may stand in the log for ever."""

    adapter: str
    stored: int
    dropped: int
    quarantined: int
    rejected: int


class Moved(Exception):
    """The client came into being, or was changed, since it was looked up. Look again."""


def import_intake(tx: Transaction, order: IntakeOrder) -> Outcome[bool]:
    """Register or recognise the client and store the sections; whether it is a new client.

    Raises `Moved` when the sections were sealed for another client or version.
    """
    registered = find_or_add(tx, order.holder, order.registration)
    stands = 0 if registered.created else _version(tx, registered.client)
    if registered.client != order.client or stands + 1 != order.version:
        raise Moved
    records.replace_sections(
        tx.connection,
        shard=tx.shard,
        client=registered.client,
        version=order.version,
        scanned=order.scanned,
        sealed=order.sealed,
        at=tx.now,
    )
    happened = ClientRegistered if registered.created else ClientRecognised
    actor = Actor(system=IMPORTER)
    events = (
        happened(
            application=IMPORTER,
            actor=actor,
            client=registered.client,
            provider=order.holder,
            via="import",
        ),
        SummaryDeposited(
            application=IMPORTER,
            actor=actor,
            client=registered.client,
            provider=order.holder,
            sections=tuple(sorted(order.sealed)) or None,
            version=order.version,
            stored=order.stored,
            quarantined=order.quarantined,
            rules=order.rules,
        ),
    )
    return Outcome(registered.created, events)


def _version(tx: Transaction, client: ClientId) -> int:
    known = records.client_with_id(tx.connection, shard=tx.shard, client=client)
    return known.summary_version


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
