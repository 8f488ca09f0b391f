"""How much may be asked in a minute, by whom: counted before anything is decided or looked up.

In memory, and so for each process; what is asked for tells nothing, only who asks.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MOST = 10_000
"""Names that are counted at once. One more is refused: who is not counted is not let in."""
_MINUTE = 60.0


class Buckets:
    """So many a minute for each name, all at once or spread. Used from many threads."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._left: dict[str, tuple[float, float, int]] = {}
        self._turn = threading.Lock()

    def take(self, name: str, a_minute: int, *, look: bool = False) -> bool:
        """Whether there was one left, which is taken, but for a `look`. 0 a minute: no bound."""
        if not a_minute:
            return True
        with self._turn:
            now = self._clock()
            if name not in self._left and len(self._left) >= self._most:
                self._forget(now)
                if len(self._left) >= self._most:
                    return False
            left = self._now(name, a_minute, now)
            if left < 1:
                return False
            if not look:
                self._left[name] = (left - 1, now, a_minute)
            return True

    def _now(self, name: str, a_minute: int, now: float) -> float:
        left, at, _ = self._left.get(name, (float(a_minute), now, a_minute))
        return min(float(a_minute), left + (now - at) * a_minute / _MINUTE)

    def _forget(self, now: float) -> None:
        """Those who have all they may have are as good as not counted."""
        counted = {name: most for name, (_, _, most) in self._left.items()}
        full = [name for name, most in counted.items() if self._now(name, most, now) >= most]
        for name in full:
            del self._left[name]


@dataclass(frozen=True, slots=True)
class Limits:
    """So many a minute; 0: as many as you like.

    `requests` and `tokens` are an organisation's, `requests_of` those of organisations of a
    type; `failures` are those of one address to say who it is.
    """

    requests: int = 0
    tokens: int = 0
    failures: int = 0
    requests_of: Mapping[str, int] = field(default_factory=dict)


class Quotas:
    """Counts what organisations ask, and who fails to say who they are."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._requests, self._tokens = Buckets(clock), Buckets(clock)
        self._failures, self._excess, self._alarms = (Buckets(clock) for _ in range(3))

    def request(self, organisation: str, type: str) -> bool:
        """Whether the organisation may ask one thing more; it is counted."""
        return self._requests.take(organisation, self._a_minute(type))

    def token(self, organisation: str) -> bool:
        """Whether the organisation may have one token more; it is counted."""
        return self._tokens.take(organisation, self._limits.tokens)

    def burst(self, application: str, type: str) -> bool:
        """Whether, over its quota, it has asked for as much again: said once a minute."""
        over = not self._excess.take(application, self._a_minute(type))
        return over and self._alarms.take(application, 1)

    def may_try(self, address: str) -> bool:
        """Whether somebody there may still try to say who they are."""
        return self._failures.take(address, self._limits.failures, look=True)

    def failed(self, address: str) -> None:
        """Count one more who could not say who they are."""
        self._failures.take(address, self._limits.failures)

    def _a_minute(self, type: str) -> int:
        return self._limits.requests_of.get(type, self._limits.requests)
