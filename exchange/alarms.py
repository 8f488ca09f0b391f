"""When a gate or a rule fails: the answer was no, and the operator hears which one it was."""

import time
from collections.abc import Callable

from exchange.observability import log
from exchange.tally import Tally

QUIET_SECONDS = 60.0
"""How long the same name is only counted after a line was written about it."""


class Alarms:
    """Counts every failure, and writes one line a minute for each name: code, and no more."""

    def __init__(self, tally: Tally, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tally, self._monotonic = tally, monotonic
        self._told: dict[str, float] = {}

    def raise_for(self, name: str) -> None:
        """The gate or rule of this name has failed once more."""
        self._tally.count_failure(name)
        now, before = self._monotonic(), self._told.get(name)
        if before is None or now - before >= QUIET_SECONDS:
            self._told[name] = now
            log.error("gate.failed", code=name)
