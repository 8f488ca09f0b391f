"""Go on after a loss (audit-log.md, section 14): a new log that says what was lost.

Two operators, one after the other: the first says it, the second says it again later. In
between, whatever was proven with a token or assertion of the lost range has run out by time.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from audit import log, published
from audit.checkpoints import NotAKey, read_note_key
from audit.events import AdminChanged, LogOpened
from audit.high_water import HighWater, HighWaterUnreadable, Mark
from audit.log import Recorded
from audit.setting_aside import begin_anew
from audit.signer import origin_of
from audit.tree import EMPTY_ROOT
from consent.belgian_time import instant, time_of
from exchange import installation
from exchange.database import Database, DatabaseOptions, take_all_the_time
from exchange.flows.suspend_bases import suspend_bases
from exchange.flows.suspend_consents import suspend_consents
from exchange.operations import OperationRefused
from exchange.services import SHARD, Services
from exchange.settings import Settings
from exchange.transaction import APART, Transaction

WAIT = timedelta(minutes=5)
"""Longer than any token or assertion of a partner holds."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The new log, the one before, and how many consents wait to be confirmed."""

    origin: str
    before: str
    lost_from: int
    lost_to: int
    suspended: int


def acknowledge(services: Services, *, reason: str, operator: str) -> Begun | None:
    """Begin the new log; nothing yet when this was the first of the two operators.

    Raises `OperationRefused`. Afterwards the services must be built anew.
    """
    if services.admission.frozen is None:
        raise OperationRefused("the log is the one that was signed; there is nothing to mend")
    first = _first_word(services, reason, operator)
    if first is None:
        return None
    begun = _begin(services, reason, (first, operator))
    _request(services.settings).unlink()
    put_files_aside(services.settings)
    return begun


def put_files_aside(settings: Settings) -> None:
    """Give the key and the head files of the log before another name: they are not this one's.

    Done twice it has the effect of once; after a crash it is done by the next call.
    """
    database = Database(DatabaseOptions(settings.url, journal=settings.sqlite_journal))
    try:
        with database.reading() as connection:
            before = _opening(connection).get("prev")
    finally:
        database.close()
    for path, whose in (
        (settings.high_water_path, _origin_of_mark),
        (settings.seen_head_path, _origin_of_mark),
        (settings.log_key_path, _origin_of_key),
    ):
        if before is not None and whose(path) == before:
            path.rename(path.with_name(f"{path.name}.{str(before).rpartition('/')[2]}"))


def _first_word(services: Services, reason: str, operator: str) -> str | None:
    """Who said it first, if this is the second and it is time; else it is noted who is first."""
    path, now = _request(services.settings), services.clock()
    with services.database.reading() as connection:
        size = log.head(connection, shard=SHARD).size
    same = {"reason": reason, "size": size}
    try:
        said = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        said = {}
    if {name: said.get(name) for name in same} != same:
        path.write_text(json.dumps(same | {"operator": operator, "at": instant(now)}), "utf-8")
        path.chmod(0o600)
        return None
    if said["operator"] == operator:
        raise OperationRefused("another operator must say it too; you have said it already")
    ready = time_of(said["at"]) + WAIT
    if now < ready:
        raise OperationRefused(f"proofs of the lost range must run out; again from {ready:%H:%M}")
    return str(said["operator"])


def _begin(services: Services, reason: str, operators: tuple[str, str]) -> Begun:
    keys, stored = services.keys, False
    services.writer.close()  # its connection is the one that can write
    try:
        with services.database.writing(shard=SHARD) as connection:
            take_all_the_time(connection)
            now = log.head(connection, shard=SHARD)
            last = last_head(services, connection, origin_of(connection, SHARD))
            opened = _opened(last, now, reason)
            head = begin_anew(connection, shard=SHARD)
            installation.thaw(connection, shard=SHARD)
            tx = transaction_for(services, connection, now.last_t)
            held = suspend_consents(tx, reason)
            said = [AdminChanged(what="log", act="acknowledged", id=each) for each in operators]
            events = [Recorded(each, "") for each in (opened, *said)] + held.recorded()
            events += suspend_bases(tx).recorded()
            log.append(connection, events, after=head, at=tx.at, keys=keys, policy=services.policy)
            keys.flush(connection)
            origin = origin_of(connection, SHARD)
        stored = True
    finally:
        keys.settle(stored=stored)
    suspended = held.value if isinstance(held.value, int) else 0
    lost = opened.lost_from or 0, opened.lost_to or 0
    return Begun(origin, last.origin, *lost, suspended)


def _opened(last: Mark, now: log.Head, reason: str) -> LogOpened:
    # A log that is as long and yet another one can be vouched for from nowhere on.
    kept = now.size if now.size < last.size else 0
    return LogOpened(
        epoch=now.epoch + 1,
        prev=last.origin,
        prev_size=last.size,
        prev_root=last.root.hex(),
        prev_ck=hashlib.sha256(last.note.encode()).hexdigest(),
        lost_from=kept,
        lost_to=last.size,
        reason=reason,
    )


def transaction_for(services: Services, connection: Connection, last_t: int) -> Transaction:
    """What a command is given that runs while nothing else may."""
    clock = instant(services.clock())
    now = max(last_t, clock)
    return Transaction(
        connection=connection,
        shard=SHARD,
        at=time_of(now),
        now=now,
        over=clock - APART,
        directory=services.reads_directory.current(connection),
        vault=services.vault,
        keys=services.keys,
    )


def last_head(services: Services, connection: Connection, origin: str) -> Mark:
    """What was signed last of the log of this name, as far as anybody here knows."""
    try:
        mark = HighWater(services.settings.high_water_path).read()
    except HighWaterUnreadable:
        mark = None
    if mark is not None and mark.origin == origin:
        return mark
    head = published.latest(connection, shard=SHARD)
    if head is None:
        return Mark(origin, 0, EMPTY_ROOT, 0, "")
    lines = published.cosigned(connection, shard=SHARD, size=head.size)
    note = head.note + "".join(each.line for each in lines)
    return Mark(origin, head.size, head.root, head.signed_at, note)


def _request(settings: Settings) -> Path:
    return settings.data_dir / "restore.request"


def _opening(connection: Connection) -> Mapping[str, Any]:
    for _, leaf in log.entries(connection, shard=SHARD, start=0, stop=1):
        said: Mapping[str, Any] = json.loads(leaf)["e"]
        return said
    return {}


def _origin_of_mark(path: Path) -> str | None:
    try:
        mark = HighWater(path).read()
    except HighWaterUnreadable:
        return None
    return None if mark is None else mark.origin


def _origin_of_key(path: Path) -> str | None:
    try:
        return read_note_key(path.read_text("utf-8").partition("\n")[0]).name
    except (NotAKey, OSError, ValueError):
        return None
