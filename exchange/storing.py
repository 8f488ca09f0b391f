"""Stores checked intakes: looks each client up, seals what is new, waits for its commit."""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from pydantic_core import from_json

from exchange import many_clients
from exchange.clients import new_handle
from exchange.considering import ClientRecord, opened_with, sealed_texts
from exchange.flows.import_intake import Became, IntakeOrder, Intakes, import_intakes
from exchange.many_clients import NewClient
from exchange.records import SealedSection
from exchange.services import SHARD, Services
from exchange.transaction import Committed
from exchange.writer import Busy, NotStored
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, OrganisationId, Section

WINDOW = 4
"""Groups that wait for their commit at most: memory stays flat however large the export."""

ATTEMPTS = 5


class WriterStopped(Exception):
    """Nothing more can be stored; what was counted as stored is."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An intake that fits the summary model and was scanned. `where` is its place in the export.

    `sections` are JSON of envelopes by the field's name; `stored` counts these.
    """

    where: str
    commitments: tuple[bytes, ...]
    record: ClientRecord
    sections: Mapping[Section, bytes]
    stored: int
    quarantined: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A client as it stood when it was looked up."""

    id: ClientId
    version: int
    sections: Sequence[SealedSection]


@dataclass(frozen=True, slots=True)
class _Pending:
    group: Sequence[Checked]
    future: Future[Committed[tuple[Became, ...]]]
    attempt: int


class Store:
    """Takes intakes in groups.

    `overtaken` are places that others kept changing meanwhile, `failed` those that could not
    be stored, through a mistake of ours.
    """

    def __init__(self, services: Services, holder: OrganisationId, scanned: str) -> None:
        self._services, self._holder, self._scanned = services, holder, scanned
        self._pending: deque[_Pending] = deque()
        self.stored = self.new = self.unchanged = 0
        self.overtaken: list[str] = []
        self.failed: list[str] = []

    def put(self, group: Sequence[Checked], attempt: int = 1) -> None:
        """Submit what is new in these; the same again changes nothing. Raises `WriterStopped`."""
        changed, orders = [], []
        for checked, known in zip(group, self._looked_up(group), strict=True):
            if known.id != NOBODY and self._same(known, checked.sections):
                self.unchanged += 1
            else:
                changed.append(checked)
                orders.append(self._order(checked, known))
        if orders:
            future = self._submitted(Intakes(self._holder, self._scanned, tuple(orders)))
            self._pending.append(_Pending(changed, future, attempt))
        while len(self._pending) >= WINDOW:
            self._settle(self._pending.popleft())

    def finish(self) -> None:
        """Wait for all that is on its way."""
        while self._pending:
            self._settle(self._pending.popleft())

    def _looked_up(self, group: Sequence[Checked]) -> list[_Known]:
        values = {value for each in group for value in each.commitments}
        with self._services.database.reading(tenant=self._holder) as connection:
            by = many_clients.clients_committed_to(connection, shard=SHARD, values=values)
            clients = set(by.values())
            versions = many_clients.summary_versions(connection, shard=SHARD, clients=clients)
            sections = many_clients.sections_of(connection, shard=SHARD, clients=clients)
        found = (
            next((by[value] for value in each.commitments if value in by), NOBODY) for each in group
        )
        return [
            _Known(client, versions.get(client, 0), sections.get(client, ())) for client in found
        ]

    def _same(self, known: _Known, sections: Mapping[Section, bytes]) -> bool:
        """Whether all of this stands there already."""
        vault = self._services.vault
        held = {each.section: opened_with(vault, known.id, each) for each in known.sections}
        return all(held.get(section) == from_json(text) for section, text in sections.items())

    def _order(self, checked: Checked, known: _Known) -> IntakeOrder:
        vault = self._services.vault
        client, version, new = known.id, known.version + 1, None
        if client == NOBODY:
            client, wrapped_key = self._services.committer.proposed()
            sealed = vault.seal(client, checked.record.to_bytes(), "client")
            new = NewClient(client, wrapped_key, new_handle(), sealed)
        return IntakeOrder(
            client=client,
            version=version,
            commitments=checked.commitments,
            new=new,
            sealed=sealed_texts(vault, client, version, checked.sections),
            stored=checked.stored,
            quarantined=checked.quarantined,
            rules=checked.rules,
        )

    def _submitted(self, intakes: Intakes) -> Future[Committed[tuple[Became, ...]]]:
        """In the queue; when it is full we wait: slower, and nothing is lost."""
        while True:
            try:
                return self._services.writer.submit(import_intakes, intakes)
            except Busy:
                if not self._services.writer.alive:
                    raise WriterStopped from None
                if self._pending:
                    self._settle(self._pending.popleft())

    def _settle(self, pending: _Pending) -> None:
        group = pending.group
        try:
            became = pending.future.result().value
        except Busy:
            became = (Became.MOVED,) * len(group)
        except NotStored:
            raise
        except Exception:  # noqa: BLE001 - a mistake of ours over one intake harms no other
            if len(group) == 1:
                self.failed.append(group[0].where)
                return
            for each in group:
                self.put([each], pending.attempt)
            return
        if isinstance(became, Refused):
            raise TypeError("an import is not refused")
        again = [each for each, now in zip(group, became, strict=True) if now is Became.MOVED]
        self.stored += len(group) - len(again)
        self.new += became.count(Became.REGISTERED)
        if again and pending.attempt < ATTEMPTS:
            self.put(again, pending.attempt + 1)
        else:
            self.overtaken += [each.where for each in again]
