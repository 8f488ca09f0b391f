"""The clock of the log, held against one that nobody can set (audit-log.md, section 3.2, t).

An entry that is dated a day ahead would drag every later one along: time in the log never
decreases. So a clock that jumps forward is not believed, and nothing is written any more.
"""

import threading
from collections.abc import Callable
from datetime import datetime

LEAP = 60.0
"""Seconds that the clock may gain on the steady one between two looks."""


class ClockAhead(Exception):
    """The clock has jumped forward. Nothing was written, and nothing will be until a restart."""


class SteadyClock:
    """Gives the time until it jumps; from then on it raises `ClockAhead`, also when set back.

    `steady` counts seconds and is never set. `alarm` is told once. Asked from many threads.
    """

    def __init__(
        self, clock: Callable[[], datetime], steady: Callable[[], float], alarm: Callable[[], None]
    ) -> None:
        self._clock, self._steady, self._alarm = clock, steady, alarm
        self._turn, self._jumped = threading.Lock(), False
        self._last = clock(), steady()

    def __call__(self) -> datetime:
        with self._turn:
            if self._jumped:
                raise ClockAhead
            now, steady = self._clock(), self._steady()
            then, before = self._last
            if (now - then).total_seconds() - (steady - before) > LEAP:
                self._jumped = True
                self._alarm()
                raise ClockAhead
            self._last = now, steady
            return now
