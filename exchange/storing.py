"""Stores checked intakes: looks each client up, seals what is new, waits for its commit."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from exchange import records
from exchange.clients import Registration
from exchange.considering import opened_with, sealed_sections
from exchange.flows.import_intake import IntakeOrder, Moved, import_intake
from exchange.records import KnownClient
from exchange.services import SHARD, Services
from exchange.transaction import Committed
from exchange.writer import Busy
from policies.deposit import Deposited
from policies.vocabulary import NOBODY, OrganisationId

WINDOW = 256
"""Intakes that wait for their commit at most: memory stays flat however large the export."""

ATTEMPTS = 5


class WriterStopped(Exception):
    """Nothing more can be stored; what was counted as stored is."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An intake that fits the summary model and was scanned. `where` is its place in the export."""

    where: str
    deposited: Deposited
    registration: Registration


@dataclass(frozen=True, slots=True)
class _Pending:
    checked: Checked
    future: Future[Committed[bool]]
    attempt: int


class Store:
    """Takes intakes in chunks. `overtaken` are places that others kept changing meanwhile."""

    def __init__(self, services: Services, holder: OrganisationId, scanned: str) -> None:
        self._services, self._holder, self._scanned = services, holder, scanned
        self._pending: deque[_Pending] = deque()
        self.stored = self.new = self.unchanged = 0
        self.overtaken: list[str] = []

    def put(self, chunk: Sequence[Checked], attempt: int = 1) -> None:
        """Submit what is new in these; the same again changes nothing. Raises `WriterStopped`."""
        with self._services.database.reading() as connection:
            found = [self._known(connection, each) for each in chunk]
        for checked, (client, is_same) in zip(chunk, found, strict=True):
            if is_same:
                self.unchanged += 1
                continue
            future = self._submitted(self._order(checked, client))
            self._pending.append(_Pending(checked, future, attempt))
            if len(self._pending) >= WINDOW:
                self._settle(self._pending.popleft())

    def finish(self) -> None:
        """Wait for all that is on its way."""
        while self._pending:
            self._settle(self._pending.popleft())

    def _known(self, connection: Connection, checked: Checked) -> tuple[KnownClient, bool]:
        """The client as it stands, and whether all of this stands there already."""
        for value in checked.registration.commitments:
            found = records.client_committed_to(connection, shard=SHARD, value=value)
            if found != NOBODY:
                client = records.client_with_id(connection, shard=SHARD, client=found)
                return client, self._same(connection, client, checked.deposited)
        return records.NO_CLIENT, False

    def _same(self, connection: Connection, client: KnownClient, deposited: Deposited) -> bool:
        stored = records.sealed_sections(connection, shard=SHARD, client=client.id)
        vault = self._services.vault
        held = {each.section: opened_with(vault, client.id, each) for each in stored}
        return all(held.get(section) == fields for section, fields in deposited.sections.items())

    def _order(self, checked: Checked, known: KnownClient) -> IntakeOrder:
        client = checked.registration.id if known.id == NOBODY else known.id
        version, deposited = known.summary_version + 1, checked.deposited
        return IntakeOrder(
            holder=self._holder,
            registration=checked.registration,
            client=client,
            version=version,
            scanned=self._scanned,
            sealed=sealed_sections(self._services.vault, client, version, deposited),
            stored=deposited.stored,
            quarantined=len(deposited.quarantined),
            rules=tuple(sorted({rule for each in deposited.quarantined for rule in each.rules})),
        )

    def _submitted(self, order: IntakeOrder) -> Future[Committed[bool]]:
        """In the queue; when it is full we wait: slower, and nothing is lost."""
        while True:
            try:
                return self._services.writer.submit(import_intake, order)
            except Busy:
                if not self._services.writer.alive:
                    raise WriterStopped from None
                if self._pending:
                    self._settle(self._pending.popleft())

    def _settle(self, pending: _Pending) -> None:
        try:
            created = pending.future.result().value
        except (Moved, Busy):
            if pending.attempt < ATTEMPTS:
                self.put([pending.checked], pending.attempt + 1)
            else:
                self.overtaken.append(pending.checked.where)
            return
        self.stored += 1
        self.new += created is True
