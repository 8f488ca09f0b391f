"""Assertions that were used while nothing could be written: remembered in memory."""

import threading

MOST = 10_000
"""Uses that are remembered; while there are as many, no other assertion counts."""


class UsedAssertions:
    """Lets every assertion count once in this process. Used from many threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._turn = most, threading.Lock()
        self._until: dict[bytes, int] = {}

    def first(self, token: bytes, *, until: int, now: int) -> bool:
        """Whether this is its first use; it is remembered until then. Times in µs."""
        with self._turn:
            if len(self._until) >= self._most:
                self._until = {each: end for each, end in self._until.items() if end > now}
            if token in self._until or len(self._until) >= self._most:
                return False
            self._until[token] = until
            return True
