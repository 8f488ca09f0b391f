"""Sign the log's head, have it witnessed, publish it: over and over, beside the requests."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import inf

from audit import log as audit_log
from audit import published, signer
from audit.checkpoints import Checkpoint, NoteKey
from audit.high_water import HighWater, HighWaterUnreadable, Mark
from audit.published import AnotherRoot, Cosigned
from audit.signer import ClockBehind, Frozen
from audit.tile_store import stored_tiles
from consent.belgian_time import instant
from exchange import installation
from exchange.admission import Admission
from exchange.database import Database
from exchange.flows.freeze_log import freeze_log
from exchange.flows.publish_checkpoint import publish_checkpoint
from exchange.observability import log
from exchange.steady_clock import ClockAhead
from exchange.witnesses import Witnesses, is_quorum, last_quorum
from exchange.writer import Writer

PATIENCE = 30.0
SCRUB_SECONDS = 86_400.0
"""How often every stored byte of the log is hashed again."""
LOOK_SECONDS = 60.0
"""How often a host that does not sign asks the witnesses what they know."""
AGAIN = timedelta(minutes=10)
"""How often a log that stands still is shown to its witnesses."""


class Elsewhere(Exception):
    """Another process signs this log: it has the high-water file, or this host has no key."""


@dataclass(frozen=True, slots=True)
class Published:
    """A head that everybody may see now, and whether enough witnesses have signed it."""

    size: int
    root: bytes
    note: str
    cosigned: tuple[Cosigned, ...]
    quorum: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """How long witnesses may be silent: until somebody is told, and until nothing is released.

    Zero for `refuse_after`: data go on leaving.
    """

    alarm_after: timedelta = timedelta(minutes=10)
    refuse_after: timedelta = timedelta(hours=4)


class Checkpointing:
    """One signer. Used by one thread at a time: whoever comes second waits."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        admission: Admission,
        *,
        high_water: HighWater,
        seen: HighWater,
        keys: Sequence[NoteKey],
        witnesses: Witnesses,
        silence: Silence,
        clock: Callable[[], datetime],
        shard: int = 0,
    ) -> None:
        self._database, self._writer, self._admission = database, writer, admission
        self._high_water, self._keys, self._witnesses = high_water, keys, witnesses
        self._seen, self._looked = seen, -inf
        self._known: Mark | None = None
        self._silence, self._clock, self._shard = silence, clock, shard
        self._turn = threading.Lock()
        self._offered: datetime | None = None
        self._told = False
        self.scrubbed = 0
        """Entries that the last scrub has hashed again."""

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """What signs here today; of one kind the older first."""
        return tuple(self._keys)

    @property
    def vkeys(self) -> list[str]:
        """What the signatures of today are verified with."""
        return [key.vkey.text for key in self._keys]

    def once(self, *, again: bool = False) -> Published | None:
        """Sign and publish the head if there is a new one; nothing when there is none.

        With `again` a head that was published before is shown to the witnesses once more.
        Raises `Frozen` (and lets nothing in any more), `ClockBehind`, `Elsewhere`, or what the
        writer raises; what was signed and not published is published the next time.
        """
        with self._turn:
            if not self._keys or not self._high_water.claim():
                raise Elsewhere
            try:
                self._heed()
                due = self._due(again=again)
                return None if due is None else self._publish(due)
            except Frozen as frozen:
                self._stop(frozen)
                raise

    def examine(self, *, witnesses: bool = True) -> None:
        """Raise `Frozen` (and let nothing in any more) unless the log is the one that was signed.

        Against the high-water file, and against what the witnesses show.
        """
        try:
            self._heed()
            self._last()
            if witnesses:
                with self._database.reading() as connection:
                    origin = signer.origin_of(connection, self._shard)
                self._answer_for(origin)
        except Frozen as frozen:
            self._stop(frozen)
            raise

    def look(self, *, witnesses: bool = True) -> None:
        """As `examine`, for a host that need not sign: against the last head that it has seen.

        That one is kept in a file of this host, so a database that was put back is found out
        here too, and after a restart. The witnesses are asked once a minute.
        """
        due = witnesses and time.monotonic() - self._looked >= LOOK_SECONDS
        try:
            self._heed()
            origin = self._compare_seen()
            if due:
                self._looked = time.monotonic()
                self._answer_for(origin)
        except Frozen as frozen:
            self._stop(frozen)
            raise

    def scrub(self) -> int:
        """Hash again all that was published; how many entries that were.

        Raises `Frozen`, naming the first bad entry. It stops nothing: what was released was
        logged, and what is damaged can be mended from a copy.
        """
        with self._database.reading() as connection:
            try:
                self.scrubbed = signer.scrub(connection, shard=self._shard)
            except Frozen as damaged:
                self.scrubbed = damaged.at or 0
                log.error("log.damaged", index=damaged.at)
                raise
        return self.scrubbed

    def watch(self) -> timedelta:
        """As `silence`; past the limits it is told, and data stay."""
        silent = self.silence(self._clock())
        if silent >= self._silence.alarm_after:
            log.error("witnesses.silent", seconds=int(silent.total_seconds()))
        limit = self._silence.refuse_after
        self._admission.hold_disclosures(unwitnessed=bool(limit) and silent >= limit)
        return silent

    def change_keys(self, change: Callable[[], Sequence[NoteKey]]) -> None:
        """Sign with the keys that `change` gives; nothing is signed while it runs."""
        with self._turn:
            self._keys = change()

    def silence(self, now: datetime) -> timedelta:
        """How long the witnesses have been silent by now; no time at all where there are none."""
        policy = self._witnesses.policy
        with self._database.reading() as connection:
            since = last_quorum(connection, policy, shard=self._shard, now=instant(now))
        if since is None or not policy.witnesses:
            return timedelta(0)
        return timedelta(microseconds=instant(now) - since)

    def close(self) -> None:
        """Let another one sign."""
        with self._turn:
            self._high_water.close()
            self._seen.close()

    def _stop(self, frozen: Frozen) -> None:
        """Let nothing in any more, here and at every other host of this database."""
        self._admission.freeze(frozen.why)
        if frozen.here or self._told:
            return
        try:
            self._writer.submit(freeze_log, frozen.why).result(PATIENCE)
            self._told = True
        except Exception as error:  # noqa: BLE001 - what stops us is the freeze, not this
            # Tried again with the next look; here nothing leaves anyhow.
            log.warning("freeze.untold", failure=type(error).__name__)

    def _heed(self) -> None:
        """Raise `Frozen` if any host of this database has found the log to be a wrong one."""
        with self._database.reading() as connection:
            house = installation.known(connection, shard=self._shard)
        if house is not None and house.frozen is not None:
            self._told = True
            raise Frozen(house.frozen)

    def _due(self, *, again: bool) -> Mark | None:
        """What is to be published now; a new head is in the high-water file before it is."""
        now, last = self._clock(), self._last()
        with self._database.reading() as connection:
            seen = published.latest(connection, shard=self._shard)
            if last is not None and (seen is None or seen.size < last.size):
                return last
            mark = signer.next_mark(
                connection, shard=self._shard, keys=self._keys, last=last, at=instant(now)
            )
        if mark is not None:
            self._high_water.write(mark)
            return mark
        return last if again or self._offered is None or now - self._offered >= AGAIN else None

    def _last(self) -> Mark | None:
        try:
            mark = self._high_water.read()
        except HighWaterUnreadable:
            raise Frozen("the high-water file can not be read", here=True) from None
        with self._database.reading() as connection:
            history = published.key_history(connection, shard=self._shard)
            known = [*published.keys_for(history, mark.size), *self.vkeys] if mark else []
            if mark is not None and not signer.is_ours(mark, known):
                raise Frozen("the high-water file holds no head that we signed", here=True)
            return signer.last_signed(connection, shard=self._shard, mark=mark)

    def _compare_seen(self) -> str:
        """Hold the log against what this host saw last, and remember what it sees; the origin."""
        try:
            known = self._known or self._seen.read()
        except HighWaterUnreadable:
            why = "the file with the last head that was seen can not be read"
            raise Frozen(why, here=True) from None
        with self._database.reading() as connection:
            origin = signer.origin_of(connection, self._shard)
            head = published.latest(connection, shard=self._shard)
            if known is not None and known.origin != origin:
                raise Frozen("another head was seen last than one of this log", here=True)
            for size, root in {(each.size, each.root) for each in (known, head) if each}:
                signer.require_prefix(connection, shard=self._shard, size=size, root=root)
        if head is not None and (known is None or head.size > known.size):
            known = Mark(origin, head.size, head.root, head.signed_at, head.note)
            if self._seen.claim():
                self._seen.write(known)
        self._known = known
        return origin

    def _publish(self, mark: Mark) -> Published:
        self._offered = self._clock()
        checkpoint = Checkpoint(mark.origin, mark.size, mark.root)
        gathered = self._witnesses.gather(
            checkpoint, mark.note, partial(self._prove, mark.size), at=self._offered.timestamp()
        )
        if gathered.disputed:
            self._answer_for(mark.origin)
        head, lines = signer.head_of(mark), gathered.lines
        done = self._writer.submit(publish_checkpoint, head, lines, self.vkeys)
        try:
            done.result(PATIENCE)
        except AnotherRoot:
            raise Frozen(f"two heads of {mark.size} entries were signed") from None
        quorum = is_quorum(self._witnesses.policy, lines)
        return Published(mark.size, mark.root, mark.note, tuple(lines), quorum)

    def _answer_for(self, origin: str) -> None:
        """Raise `Frozen` if a witness shows a head with our signature that this log never had.

        What it merely says could be a lie, and would stop us for nothing.
        """
        with self._database.reading() as connection:
            history = published.key_history(connection, shard=self._shard)
            # A key that was ended is nobody's: who got hold of it could stop us with one head.
            known = published.keys_for(history, audit_log.head(connection, shard=self._shard).size)
        heads = self._witnesses.known_heads(origin, [*known, *self.vkeys])
        # Seen afresh: while the witnesses were asked, the log may have been signed further on.
        with self._database.reading() as connection:
            for head in heads:
                signer.require_prefix(connection, shard=self._shard, size=head.size, root=head.root)

    def _prove(self, size: int, old: int) -> Sequence[bytes]:
        with self._database.reading() as connection:
            return stored_tiles(connection, shard=self._shard, size=size).consistency(old)


class Signing:
    """Signs over and over in a thread of its own, until it is closed; another one keeps watch.

    A third one does what follows a head, `then`: it may take long, and meanwhile heads are signed.
    Of several that were signed meanwhile it hears once.

    So that whoever keeps the first one waiting does not keep the second. A host that does not
    sign still looks whether the witnesses do, and whether the log is the one that it saw.
    """

    def __init__(
        self,
        checkpointing: Checkpointing,
        seconds: float,
        *,
        signs: bool = True,
        then: Callable[[], object] = lambda: None,
    ) -> None:
        self._checkpointing, self._seconds, self._signs = checkpointing, seconds, signs
        self._then = then
        self._closing, self._signed = threading.Event(), threading.Event()
        ways = {"signer": self._sign, "watch": self._watch, "publisher": self._follow}
        self.threads = [
            threading.Thread(target=way, name=name, daemon=True) for name, way in ways.items()
        ]
        for each in self.threads:
            each.start()

    def close(self) -> None:
        self._closing.set()
        self._signed.set()
        for each in self.threads:
            each.join(PATIENCE)

    def _sign(self) -> None:
        scrubbed = time.monotonic()
        if self._signs:
            self._try(self._checkpointing.examine)
        while not self._closing.wait(self._seconds):
            self._try(self._turn)
            if time.monotonic() - scrubbed >= SCRUB_SECONDS:
                scrubbed = time.monotonic()
                self._try(self._checkpointing.scrub)

    def _turn(self) -> None:
        """Sign; where that is done elsewhere, hold the log against what this host saw of it."""
        try:
            if self._checkpointing.once() is not None:
                self._signed.set()
        except Elsewhere:
            self._checkpointing.look()

    def _watch(self) -> None:
        while not self._closing.wait(self._seconds):
            self._try(self._checkpointing.watch)

    def _follow(self) -> None:
        while self._signed.wait() and not self._closing.is_set():
            self._signed.clear()
            self._try(self._then)

    def _try(self, what: Callable[[], object]) -> None:
        try:
            what()
        except Elsewhere:
            return
        except Frozen:
            log.error("log.frozen")
        except ClockBehind:
            log.error("clock.behind")
        except ClockAhead:
            return  # it was told when it jumped
        except Exception as error:  # noqa: BLE001 - a thread that ends here is never missed
            log.warning("checkpoint.postponed", failure=type(error).__name__)
