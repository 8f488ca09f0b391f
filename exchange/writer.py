"""The one writer: commands wait in a queue and run in batches, a batch a transaction."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol, TypeVar

from exchange.transaction import AnyCommand, Command, Committed, P

T = TypeVar("T")
BATCH = 256
BATCH_SECONDS = 0.05
"""Run time after which a batch takes no more commands."""


class Busy(Exception):
    """The queue is full, the wait too long, or this may not come in now. Nothing was done."""


class NotStored(Exception):
    """The batch was not committed, or we cannot tell. Nothing of it was released."""


class Halted(Exception):
    """The writer must stop: going on could harm the log. `code` is the process's exit code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why
        self.taken: list[Waiting] = []


@dataclass(slots=True, eq=False)
class Waiting:
    """A command, who waits for it, and what became of it in the current run of its batch."""

    command: AnyCommand
    future: Future[Committed[Any]] | asyncio.Future[Committed[Any]]
    loop: asyncio.AbstractEventLoop | None
    patience: float
    """Monotonic seconds at which the caller has stopped waiting."""
    kind: str = "other"
    """The command's name in the code."""
    result: Committed[Any] | None = None
    failure: BaseException | None = None


class Runner(Protocol):
    """Runs a batch: afterwards every command has a result or a failure, and it is committed."""

    def run(self, more: Callable[[], Waiting | None]) -> list[Waiting]:
        """Take commands from `more` until it gives none, and settle them all.

        Raises `Halted`, naming those it took, when nothing may be written any more.
        """

    def close(self) -> None: ...


class Writer:
    """Runs every command, one after the other, in one thread.

    A future is resolved after the commit of its batch, never before. A command may run
    twice, when another one in its batch has raised; only the run that is committed counts,
    so a command touches nothing but its transaction. A caller who hangs up undoes nothing.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        capacity: int = 2048,
        reserved: int = 256,
        reserved_for: Collection[Callable[..., Any]] = (),
        patience: float = 2.0,
        admits: Callable[[Callable[..., Any]], bool] = lambda _: True,
        halt: Callable[[Halted], None] = lambda _: None,
    ) -> None:
        self._runner, self._capacity, self._reserved = runner, capacity, reserved
        self._reserved_for, self._patience, self._halt = reserved_for, patience, halt
        self._admits = admits
        self._ordinary: deque[Waiting] = deque()
        self._first: deque[Waiting] = deque()
        self._open, self._door = True, threading.Condition()
        self.busy_since: float | None = None
        """Monotonic seconds since when the current batch runs; the watchdog looks at it."""
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._open and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        return len(self._ordinary) + len(self._first)

    async def run(self, command: Command[P, T], *args: P.args, **kwargs: P.kwargs) -> Committed[T]:
        """The command's value or refusal, once it is committed and logged."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Committed[T]] = loop.create_future()
        until = time.monotonic() + self._patience
        self._enqueue(
            command,
            Waiting(lambda tx: command(tx, *args, **kwargs), future, loop, until, _name(command)),
        )
        # Shielded: a caller who hangs up cancels its waiting, never the command.
        return await asyncio.shield(future)

    def submit(
        self, command: Command[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Future[Committed[T]]:
        """As `run`, for callers without an event loop: they wait as long as it takes."""
        future: Future[Committed[T]] = Future()
        future.set_running_or_notify_cancel()
        self._enqueue(
            command,
            Waiting(lambda tx: command(tx, *args, **kwargs), future, None, inf, _name(command)),
        )
        return future

    def close(self) -> None:
        """Finish what waits, take nothing new."""
        with self._door:
            self._open = False
            self._door.notify()
        self._thread.join()

    def _enqueue(self, command: Callable[..., Any], waiting: Waiting) -> None:
        first = command in self._reserved_for
        with self._door:
            room = self._capacity + (self._reserved if first else 0)
            if not (self._open and self._admits(command)) or self.waiting >= room:
                raise Busy
            (self._first if first else self._ordinary).append(waiting)
            self._door.notify()

    def _work(self) -> None:
        while self._something_waits():
            self.busy_since = time.monotonic()
            try:
                settled = self._runner.run(_Taker(self._take))
            except Halted as halted:
                self._stop(halted)
                return
            finally:
                self.busy_since = None
            _resolve(settled)
        self._runner.close()

    def _something_waits(self) -> bool:
        with self._door:
            while not self.waiting and self._open:
                self._door.wait()
            return bool(self.waiting)

    def _take(self) -> Waiting | None:
        """The next command whose caller still waits; withdrawals before all others."""
        while True:
            try:
                waiting = self._first.popleft() if self._first else self._ordinary.popleft()
            except IndexError:
                return None
            if waiting.patience > time.monotonic():
                return waiting
            waiting.failure = Busy()
            _resolve([waiting])

    def _stop(self, halted: Halted) -> None:
        with self._door:
            self._open = False
            left = [*halted.taken, *self._first, *self._ordinary]
            self._first.clear()
            self._ordinary.clear()
        for each in left:
            each.failure = NotStored(halted.why)
        _resolve(left)
        self._halt(halted)


class _Taker:
    """Gives commands until a batch is full or has run long enough."""

    def __init__(self, take: Callable[[], Waiting | None]) -> None:
        self._take, self._left, self._until = take, BATCH, inf

    def __call__(self) -> Waiting | None:
        now = time.monotonic()
        if not self._left or now > self._until:
            return None
        if self._left == BATCH:  # waiting for the lock is not run time, or it took nobody
            self._until = now + BATCH_SECONDS
        self._left -= 1
        return self._take()


def _name(command: Callable[..., Any]) -> str:
    return getattr(command, "__name__", "other")


def _resolve(settled: Sequence[Waiting]) -> None:
    """Tell all who wait, with one wake-up of each event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    for each in settled:
        if each.loop is None:
            _tell(each)
        else:
            loops.setdefault(each.loop, []).append(each)
    for loop, those in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell_all, those)


def _tell_all(settled: Sequence[Waiting]) -> None:
    for each in settled:
        _tell(each)


def _tell(waiting: Waiting) -> None:
    if waiting.future.done():
        return
    if waiting.failure is not None:
        waiting.future.set_exception(waiting.failure)
    elif waiting.result is not None:
        waiting.future.set_result(waiting.result)
    else:
        waiting.future.set_exception(NotStored("the batch ended without an answer"))
