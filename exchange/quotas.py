"""How much may be asked in a minute, by whom: counted before anything is decided or looked up.

In memory, and so for each process; what is asked for tells nothing, only who asks.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

MOST = 10_000
"""Names that are counted at once. One more is refused: who is not counted is not let in."""
MOST_ONCE = 100_000
"""Proofs and assertions that are known to be counted; the oldest are forgotten first."""
STOPPING_TOKENS = 6
"""Tokens a minute for withdrawing that an application may have beyond its quota."""
CODE_TRIES = 5
"""Codes from a letter that may be tried in a minute from one address."""
WRONG_CODES = 60
"""Codes that were nobody's of which the log takes a note in a minute, wherever they came from."""
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

    def crowded(self, name: str) -> bool:
        """Whether a name is not counted because so many others are."""
        with self._turn:
            return name not in self._left and len(self._left) >= self._most

    def _now(self, name: str, a_minute: int, now: float) -> float:
        left, at, _ = self._left.get(name, (float(a_minute), now, a_minute))
        return min(float(a_minute), left + (now - at) * a_minute / _MINUTE)

    def _forget(self, now: float) -> None:
        """Those who have all they may have are as good as not counted."""
        counted = {name: most for name, (_, _, most) in self._left.items()}
        full = [name for name, most in counted.items() if self._now(name, most, now) >= most]
        for name in full:
            del self._left[name]


def sender(address: str) -> str:
    """Whom to count there: one IPv4 address, or the 64 bits that stand for a network in IPv6.

    Whoever has one address of IPv6 has all 2⁶⁴ of its network (RFC 4291, section 2.5.1). An
    address of IPv4 written as one of IPv6 is one of IPv4: else all of those were one sender.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None and found not in _TRANSLATED:
        return str(IPv6Network((int(found), 64), strict=False))
    return str(IPv4Address(int(found) & 0xFFFF_FFFF))


_TRANSLATED = IPv6Network("64:ff9b::/96")
"""Addresses of IPv4 as a translator writes them (RFC 6052, section 2.1)."""


class Counted:
    """Names of what was counted already. Used from many threads."""

    def __init__(self, most: int = MOST_ONCE) -> None:
        self._most, self._turn = most, threading.Lock()
        self._names: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, name: object) -> bool:
        with self._turn:
            return name in self._names

    def add(self, name: bytes) -> None:
        with self._turn:
            self._names[name] = None
            if len(self._names) > self._most:
                self._names.popitem(last=False)


class Failures:
    """Who failed to say who they are, or asked further than their token reaches, by minute.

    That does not reach the writer, so that nobody can flood the log: the number for each
    application does, once a minute (`auth.failures`). Used from many threads; holds no more
    names than there are applications.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._turn = clock, threading.Lock()
        self._minute, self._now = 0, Counter[str]()
        self._before = Counter[str]()

    def note(self, application: str, times: int = 1) -> None:
        """One more, now."""
        with self._turn:
            self._pass()
            self._now[application] += times

    def take(self, *, unfinished: bool = False) -> list[tuple[str, int]]:
        """Those of the minutes that are over, by application; they are counted no more.

        And, `unfinished`, those of this minute.
        """
        with self._turn:
            self._pass()
            taken = self._before + self._now if unfinished else self._before
            self._before = Counter[str]()
            if unfinished:
                self._now = Counter[str]()
            return sorted(taken.items())

    def _pass(self) -> None:
        minute = int(self._clock() // _MINUTE)
        if minute != self._minute:
            self._before += self._now
            self._now, self._minute = Counter[str](), minute


@dataclass(frozen=True, slots=True)
class Limits:
    """So many a minute; 0: as many as you like.

    `requests` and `tokens` are an organisation's, `requests_of` those of organisations of a
    type; `failures` are those of one sender (see `sender`) to say who it is.
    """

    requests: int = 0
    tokens: int = 0
    failures: int = 0
    requests_of: Mapping[str, int] = field(default_factory=dict)


class Quotas:
    """Counts what organisations ask, and who fails to say who they are.

    What counts once, a proof or an assertion, is counted once however often it is sent: whoever
    has only recorded a request takes nothing from the organisation that made it.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._requests, self._tokens, self._stopping = (Buckets(clock) for _ in range(3))
        self._failures, self._excess, self._alarms = (Buckets(clock) for _ in range(3))
        self._codes, self._wrong_codes = Buckets(clock), Buckets(clock)
        self._let, self._in_excess = Counted(), Counted()
        self.failures = Failures(clock)

    def request(self, organisation: str, type: str, proof: bytes | None = None) -> bool:
        """Whether the organisation may ask one thing more; it is counted, and the proof once."""
        return self._counted(self._requests, organisation, self._a_minute(type), proof)

    def token(self, organisation: str, assertion: bytes | None = None) -> bool:
        """Whether the organisation may have one token more; it is counted, the assertion once."""
        return self._counted(self._tokens, organisation, self._limits.tokens, assertion)

    def stopping_token(self, application: str, assertion: bytes) -> bool:
        """As `token`, beside it, for an application that wants no more than to withdraw."""
        return self._counted(self._stopping, application, STOPPING_TOKENS, assertion)

    def _counted(self, buckets: Buckets, name: str, a_minute: int, once: bytes | None) -> bool:
        if once is None:
            return buckets.take(name, a_minute)
        if once in self._let:
            return True
        room = buckets.take(name, a_minute)
        if room:
            self._let.add(once)
        return room

    def burst(self, application: str, type: str, proof: bytes | None = None) -> bool:
        """Whether, over its quota, it has asked for as much again: said once a minute."""
        if proof is not None:
            if proof in self._in_excess:
                return False
            self._in_excess.add(proof)
        over = not self._excess.take(application, self._a_minute(type))
        return over and self._alarms.take(application, 1)

    def may_try(self, address: str) -> bool:
        """Whether somebody there may still try to say who they are."""
        return self._failures.take(sender(address), self._limits.failures, look=True)

    def failed(self, address: str) -> None:
        """Count one more who could not say who they are."""
        self._failures.take(sender(address), self._limits.failures)

    def code(self, address: str) -> bool:
        """Whether somebody there (see `sender`) may try one code more.

        Where more addresses try than are counted, all may: a crowd keeps nobody from stopping.
        """
        name = sender(address)
        return self._codes.take(name, CODE_TRIES) or self._codes.crowded(name)

    def notes_wrong_code(self) -> bool:
        """Whether the log takes a note of one more: who guesses must not be able to flood it."""
        return self._wrong_codes.take("", WRONG_CODES)

    def _a_minute(self, type: str) -> int:
        return self._limits.requests_of.get(type, self._limits.requests)
