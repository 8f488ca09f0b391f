"""One batch: commands run, their events are appended, everything is committed together."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from audit import log, policy_said
from audit.events import PolicyChanged
from audit.log import Entry, Head, LogMoved, Recorded
from audit.prepared import together
from audit.sealing import fresh_request_id
from audit.tree import leaf_hash
from consent.belgian_time import instant, time_of
from exchange import alerts, installation
from exchange.database import WRITES, Database
from exchange.directory import Directory, DirectoryReader, DirectoryState
from exchange.key_store import KeyStore
from exchange.security.keys import KeysRefused
from exchange.security.vault import Vault
from exchange.tally import Tally
from exchange.transaction import APART, Committed, Outcome, Transaction
from exchange.uses import AlreadyUsed, Uses
from exchange.writer import Busy, Halted, NotStored, Waiting
from policies.decision import Refused
from policies.rule_texts import RulesRefused

EXIT_IO = 74
EXIT_LOG_MOVED = 75
ISOLATIONS = 3
"""Commands taken apart one by one; with more of them the whole batch runs under savepoints."""

_FATAL_SQLITE = frozenset({10, 11, 26})
"""SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB: after these the page cache may lie."""
_FATAL_POSTGRESQL = frozenset({"58030", "XX001", "XX002"})


class BatchRunner:
    """Settles batches for one shard, on one connection that never leaves the writer's thread."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        vault: Vault,
        clock: Callable[[], datetime],
        policy: str,
        *,
        shard: int = 0,
        tally: Tally | None = None,
        freeze: Callable[[str], None] = lambda _: None,
        ruled: Callable[[Connection, int], str] | None = None,
    ) -> None:
        self._ruled, self._named = ruled, ""
        self._tally, self._freeze = tally or Tally(), freeze
        self._database, self._keys, self._vault, self._clock = database, keys, vault, clock
        self._policy, self._shard = policy, shard
        self._directory = DirectoryReader(shard=shard)
        self._connection: Connection | None = None
        self._changes, self._directory_moved = 0, False
        event.listen(database.writing_engine, "before_cursor_execute", self._count, retval=True)

    def run(self, more: Callable[[], Waiting | None]) -> list[Waiting]:
        """Settle all that `more` gives (see `writer.Runner`)."""
        taken: list[Waiting] = []
        commands = _remembered(more, taken)
        try:
            self._settle(commands, taken)
        except Halted as halted:
            halted.taken = taken
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours outside every command
            self._disconnect()
            _fail(taken, commands, error)
        self._tally.count_batch(len(taken))
        return taken

    def close(self) -> None:
        self._disconnect()

    def _settle(self, commands: Iterator[Waiting], taken: list[Waiting]) -> None:
        isolated: set[Waiting] = set()
        lost, more, careful = False, commands, False
        while True:
            try:
                self._attempt(commands, isolated, careful=careful)
            except _Isolate as needed:
                isolated.add(needed.waiting)
            except AlreadyUsed:
                if careful:  # a command used something up without looking: ours to mend
                    raise
                careful = True
            except _Lost as gone:
                # The old transaction has ended once we hold its lock; then the log tells.
                if gone.first is not None and self._stored(gone.first):
                    return
                if lost or (taken and gone.first is None):
                    _fail(taken, more, NotStored("the connection was lost"))
                    return
                lost = True
            except _Frozen as frozen:
                # First nothing more comes in: what waits is then told to come back.
                self._freeze(frozen.why)
                _fail(taken, more, Busy())
                return
            except LogMoved:
                raise Halted(EXIT_LOG_MOVED, "somebody wrote to the log without its lock") from None
            except DBAPIError as error:
                self._disconnect()
                _fail(taken, more, NotStored(type(error).__name__))
                return
            else:
                return
            commands = chain(tuple(taken), more)

    def _attempt(
        self, commands: Iterator[Waiting], isolated: set[Waiting], *, careful: bool
    ) -> None:
        """One try at the whole batch: all of it is committed, or nothing."""
        connection = self._connected()
        stored = False
        try:
            begun = connection.begin()
            try:
                first = self._fill(connection, commands, isolated, careful=careful)
                self._keys.flush(connection)
            except BaseException:
                begun.rollback()
                raise
            self._commit(begun, first)
            stored = True
        except DBAPIError as error:
            _halt_if_fatal(error)
            if error.connection_invalidated:
                self._disconnect()
                raise _Lost(None) from error
            raise
        finally:
            self._keys.settle(stored=stored)
            self._named = self._named if stored else ""

    def _fill(
        self,
        connection: Connection,
        commands: Iterator[Waiting],
        isolated: set[Waiting],
        *,
        careful: bool,
    ) -> Entry | None:
        """Run the commands and append their events; the first entry, if there is one."""
        stands, version, house = together(
            connection,
            log.asking_head(shard=self._shard),
            self._directory.asking(),
            installation.asking(self._shard),
        )
        self._heed(installation.heard(house))
        head = log.head_in(stands, shard=self._shard)
        uses = Uses(connection, shard=self._shard, careful=careful)
        directory = self._directory.heard(connection, version)
        changed = self._heed_rules(connection, directory.version)
        tx = self._transaction(connection, head, directory, uses)
        events: list[Recorded] = []
        ran: list[tuple[Waiting, Outcome[Any], int]] = []
        all_guarded = len(isolated) > ISOLATIONS
        for each in commands:
            each.result = each.failure = None
            began = perf_counter()
            outcome = self._outcome(tx, each, guarded=all_guarded or each in isolated)
            self._tally.count_run(getattr(each.kind, "__name__", "other"), perf_counter() - began)
            if self._directory_moved:
                now = self._directory.midway(connection)
                tx, self._directory_moved = replace(tx, directory=now), False
            if outcome is not None:
                uses.add(outcome.uses)
                events += outcome.recorded()
                ran.append((each, outcome, len(outcome.events)))
        uses.keep(tx.over)
        raised = [alert for _, outcome, _ in ran for alert in outcome.alerts]
        alerts.keep(connection, shard=self._shard, alerts=raised, day=tx.day, at=tx.now)
        start = len(changed) if events else 0
        entries, _ = log.append(
            connection,
            changed[:start] + events,
            after=head,
            at=tx.at,
            keys=self._keys,
            policy=self._policy,
        )
        self._named = self._policy if events else self._named
        for each, outcome, count in ran:
            each.result = Committed(outcome.value, tuple(entries[start : start + count]))
            start += count
        return entries[0] if entries else None

    def _heed(self, house: installation.Known | None) -> None:
        """Stop here if another host has found the log to be wrong, or rotated the keys."""
        if house is None:
            return
        if house.frozen is not None:
            raise _Frozen(house.frozen)
        try:
            self._keys.catch_up(house.kek_epoch, house.kek)
        except KeysRefused as behind:
            raise _Frozen(str(behind)) from None

    def _heed_rules(self, connection: Connection, version: int) -> list[Recorded]:
        """Have the rules in force decide; what must be logged first, where the log names others."""
        if self._ruled is None:
            return []
        try:
            self._policy = self._ruled(connection, version)
        except RulesRefused as refused:
            raise _Frozen(str(refused)) from None
        if self._policy == self._named:
            return []
        old = policy_said.last_policy(connection, shard=self._shard)
        if old in (None, self._policy):
            return []
        changed = PolicyChanged(old=str(old), new=self._policy)
        return [Recorded(changed, fresh_request_id())]

    def _transaction(
        self, connection: Connection, head: Head, directory: Directory, uses: Uses
    ) -> Transaction:
        # Log time never runs backwards, whatever the host's clock does.
        clock = instant(self._clock())
        now = max(head.last_t, clock)
        self._tally.clamps += clock < head.last_t
        return Transaction(
            connection=connection,
            shard=self._shard,
            at=time_of(now),
            now=now,
            over=clock - APART,
            directory=directory,
            vault=self._vault,
            keys=self._keys,
            used=uses,
        )

    def _outcome(self, tx: Transaction, each: Waiting, *, guarded: bool) -> Outcome[Any] | None:
        """What the command gives; nothing when it raised and was taken out of the batch."""
        if guarded:
            return self._guarded(tx, each)
        before = self._changes
        try:
            outcome = each.command(tx)
        except (OperationalError, InterfaceError):  # the database failed, not the command
            raise
        except Exception as error:
            _halt_if_fatal(error)
            raise _Isolate(each) from error
        if isinstance(outcome.value, Refused) and self._changes != before:
            raise _Isolate(each)
        return outcome

    def _guarded(self, tx: Transaction, each: Waiting) -> Outcome[Any] | None:
        """Under a savepoint: a refusal keeps its events and loses its writes, a crash both."""
        outcome: Outcome[Any] | None = None
        tx.connection.exec_driver_sql("SAVEPOINT command")
        try:
            outcome = each.command(tx)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - our mistake; its neighbours are unharmed
            _halt_if_fatal(error)
            each.failure = error
        if outcome is None or isinstance(outcome.value, Refused):
            tx.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT command")
        tx.connection.exec_driver_sql("RELEASE SAVEPOINT command")
        return outcome

    def _commit(self, begun: Any, first: Entry | None) -> None:
        began = perf_counter()
        try:
            begun.commit()
            self._tally.count_commit(perf_counter() - began)
        except DBAPIError as error:
            _halt_if_fatal(error)
            self._disconnect()
            if not error.connection_invalidated:
                raise
            raise _Lost(first) from error

    def _stored(self, first: Entry) -> bool:
        """Whether the batch whose COMMIT got no answer is in the log."""
        try:
            with self._connected().begin():
                connection = self._connected()
                for _, leaf in log.entries(
                    connection, shard=self._shard, start=first.index, stop=first.index + 1
                ):
                    return leaf_hash(leaf) == first.leaf_hash
        except DBAPIError:
            self._disconnect()
            raise Halted(EXIT_IO, "the outcome of a commit could not be found out") from None
        return False

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._database.writing_engine.connect()
            self._connection = connection.execution_options(**{WRITES: self._shard})
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _count(self, *args: Any) -> tuple[str, Any]:
        # A refusal that wrote nothing may stay in the batch; what counts as a write is not read.
        statement: str = args[2]
        if not statement.startswith(("SELECT", "SAVEPOINT")):
            self._changes += 1
            self._directory_moved |= DirectoryState.__tablename__ in statement
        return statement, args[3]


class _Isolate(Exception):
    """One command raised, or refused after writing: the batch runs again with it apart."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__()
        self.waiting = waiting


class _Frozen(Exception):
    """Nothing may be written or released here; `why` is for the operator."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why


class _Lost(Exception):
    """The connection is gone; `first` is the batch's first entry if COMMIT had been sent."""

    def __init__(self, first: Entry | None) -> None:
        super().__init__()
        self.first = first


def _remembered(more: Callable[[], Waiting | None], taken: list[Waiting]) -> Iterator[Waiting]:
    while (each := more()) is not None:
        taken.append(each)
        yield each


def _fail(taken: list[Waiting], more: Iterator[Waiting], failure: Exception) -> None:
    # A batch that could not even begin has taken nobody; left in the queue, they would wait
    # for ever, and the writer would try again without a pause.
    for each in taken or list(more):
        each.result, each.failure = None, failure


def _halt_if_fatal(error: Exception) -> None:
    raised = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(raised, "sqlite_errorcode", None)
    state = getattr(raised, "sqlstate", None)
    if (code is not None and code & 0xFF in _FATAL_SQLITE) or state in _FATAL_POSTGRESQL:
        # After a failed flush the page cache may lie: nothing that is read now can be believed.
        raise Halted(EXIT_IO, "the disk failed under the database") from error
