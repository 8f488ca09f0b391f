"""The keys of another authorisation server: read beside the requests, never within one."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from audit.witnessing import Unreachable
from exchange.observability import log
from exchange.security.registered_keys import RegisteredKey, register_keys
from exchange.witnesses import over_http

ALGORITHMS = frozenset({"ES256", "EdDSA", "PS256"})
REFRESH, SOONEST, COUNT_FOR = 60.0, 5.0, 3_600.0
"""Seconds between two readings; at least, when an unknown key is asked for; keys count for."""
MOST, PATIENCE = 65_536, 5.0
"""Bytes that a key set may have, and seconds that it may take to come."""
_GOOD = 200


class KeysUnavailable(Exception):
    """The keys were not read for so long that they count no more. Nobody was let in."""


class ForeignKeys:
    """The keys as they were read last, as long as that is not too long ago. Used from threads.

    `read` gives the key set (JSON) or raises; it bounds its own time and size.
    """

    def __init__(
        self, issuer: str, read: Callable[[], bytes], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.issuer = issuer
        self._read, self._clock = read, clock
        self._keys: Mapping[str, RegisteredKey] = {}
        self._read_at: float | None = None
        self._closing, self._wanted = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def key_of(self, kid: str) -> RegisteredKey | None:
        """The key of that name, if there is one. Raises `KeysUnavailable`."""
        if self._read_at is None or self._clock() - self._read_at >= COUNT_FOR:
            self._wanted.set()
            raise KeysUnavailable
        key = self._keys.get(kid)
        if key is None:
            self._wanted.set()
        return key

    def refresh(self) -> None:
        """Read the keys now. What can not be read leaves those that stand; a bad key is passed."""
        try:
            found = register_keys(
                json.loads(self._read()), issuer=self.issuer, algorithms=ALGORITHMS
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the old ones stand
            log.warning("keys.unread", failure=type(error).__name__)
            return
        if found.refused:
            log.warning("keys.refused", count=len(found.refused))
        # One that stayed the same stays itself: tokens that were verified with it go on counting.
        before = self._keys
        now = {key.kid: key for key in found.keys}
        self._keys = {k: before[k] if before.get(k) == key else key for k, key in now.items()}
        self._read_at = self._clock()

    def start(self) -> None:
        """Read them now, and again and again in a thread of its own."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="foreign-keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while not self._closing.wait(SOONEST):
            self._wanted.wait(REFRESH - SOONEST)
            self._wanted.clear()
            if not self._closing.is_set():
                self.refresh()


def read_keys_at(address: str) -> bytes:
    """The key set at an address. A redirect is no key set. Raises `Unreachable`."""
    answer = over_http(address, None, seconds=PATIENCE)
    if answer.status != _GOOD or len(answer.body) > MOST:
        raise Unreachable
    return answer.body


def read_keys_file(path: Path) -> bytes:
    """The key set in a file. Raises `OSError`, or `Unreachable` when it is too large to be one."""
    with path.open("rb") as stream:
        raw = stream.read(MOST + 1)
    if len(raw) > MOST:
        raise Unreachable
    return raw
