"""Who keeps the key ring: a file alone, or a file whose secrets a safe of others has sealed.

The ring itself wraps, unwraps and derives in memory. Its provider is asked at start and when
keys turn, never inside a command: what is on the way of a request never waits for a network
or a card.
"""

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from exchange.security.keys import (
    KeyRing,
    KeysRefused,
    read_document,
    read_key_ring,
    replace_document,
    replace_key_ring,
    ring_document,
    ring_from,
)

SEALED_FORMAT = 2
REST = "rest"
"""All that is in a ring but its key-encrypting keys, which go by the number of their epoch."""
SECONDS = 20.0
"""How long a safe may take for all that it is asked at once."""

STILL_NEEDED = "the old key seals what is kept too; run first: overdracht keys rotate"
"""Why a safe refuses to end a key. So it is when the ring has moved there since it last turned."""

Answered = TypeVar("Answered")


class KeyProvider(Protocol):
    """Keeps the ring of one installation. All three raise `KeysRefused`, which names the mend."""

    def exists(self) -> bool:
        """Whether there is a ring; a damaged one counts."""

    def read(self) -> KeyRing:
        """The ring as it stands."""

    def keep(self, ring: KeyRing) -> None:
        """Put this ring in the place of the one that stands; durable when it returns.

        An epoch that the ring no longer has is destroyed, in a safe too. A crash leaves one of
        the two rings; kept again, the rest is done.
        """


class Safe(Protocol):
    """Holds keys that never leave it, of which the newest seals. Raises `KeysRefused`."""

    @property
    def name(self) -> str:
        """As `OVERDRACHT_KEY_RING` calls it."""

    def seal(self, secrets: Mapping[str, bytes]) -> dict[str, str]:
        """Each secret sealed so that any change is noticed; the text tells which key did it."""

    def open(self, sealed: Mapping[str, str]) -> dict[str, bytes]:
        """The secrets again; left out is what was sealed under a key that has ended."""

    def turn(self) -> None:
        """Make a new key, which seals from now on."""

    def end(self, ended: Collection[str], kept: Collection[str]) -> None:
        """Destroy the keys that sealed `ended`: nothing opens that again.

        Refused, and nothing is destroyed, when one of them sealed something of `kept` too.
        """


class FileRing:
    """The ring in a file that its owner alone may read: whoever has the file has the keys."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        return self._path.exists()

    def read(self) -> KeyRing:
        safe = read_document(self._path).get("safe")
        if safe is not None:
            mend = f"set OVERDRACHT_KEY_RING={safe}, or run: overdracht keys move"
            raise KeysRefused(f"{self._path.name} is sealed by {safe}; {mend}")
        return read_key_ring(self._path)

    def keep(self, ring: KeyRing) -> None:
        replace_key_ring(ring, self._path)


class SealedRing:
    """The ring in a file that opens nothing without the safe. Opened, it is held in memory.

    Each key-encrypting key is sealed once, under a key that the safe made for its epoch; all
    else is sealed together, anew whenever the ring is kept.
    """

    def __init__(self, path: Path, safe: Safe, *, seconds: float = SECONDS) -> None:
        self._path, self._safe, self._seconds = path, safe, seconds

    def exists(self) -> bool:
        return self._path.exists()

    def read(self) -> KeyRing:
        sealed = self._sealed(read_document(self._path))
        opened = self._opened(sealed)
        rest = opened.pop(REST, None)
        if rest is None:
            mend = "put the newest copy of it here"
            raise KeysRefused(f"{self._path.name} is sealed under a key that has ended; {mend}")
        try:
            body = json.loads(rest)
            # An epoch that was ended elsewhere is ended here: what it wrapped opens no more.
            body["kek"] = {epoch: b64encode(key).decode() for epoch, key in opened.items()}
            if str(body["epoch"]) not in opened:
                raise self._damaged()
        except (ValueError, KeyError, TypeError):
            raise self._damaged() from None
        return ring_from(body, self._path)

    def keep(self, ring: KeyRing) -> None:
        body = ring_document(ring)
        keks: dict[str, str] = body.pop("kek")
        before = self._before()
        fresh = {epoch: b64decode(key) for epoch, key in keks.items() if epoch not in before}
        if fresh:
            self._asked(self._safe.turn)
        sealed = before | self._seal(fresh | {REST: json.dumps(body).encode()})
        kept = {name: text for name, text in sealed.items() if name in keks or name == REST}
        # A newer one that is taken back has wrapped nothing: it has no end.
        gone = [epoch for epoch in before if epoch not in keks and int(epoch) < ring.epoch]
        if ended := [before[epoch] for epoch in gone]:
            # The safe first: a crash leaves a file that tells what is still to be destroyed.
            self._asked(lambda: self._safe.end(ended, kept.values()))
        document = {"format": SEALED_FORMAT, "safe": self._safe.name, "sealed": kept}
        replace_document(document, self._path)

    def _seal(self, secrets: Mapping[str, bytes]) -> dict[str, str]:
        bound = {name: _bound(name) + secret for name, secret in secrets.items()}
        return self._asked(lambda: self._safe.seal(bound))

    def _opened(self, sealed: Mapping[str, str]) -> dict[str, bytes]:
        opened = self._asked(lambda: self._safe.open(sealed))
        # What was sealed in one place must not be taken for what belongs in another.
        if not all(secret.startswith(_bound(name)) for name, secret in opened.items()):
            raise self._damaged()
        return {name: secret.removeprefix(_bound(name)) for name, secret in opened.items()}

    def _before(self) -> dict[str, str]:
        """The key-encrypting keys that stand there, sealed; none where no sealed ring stands."""
        document = read_document(self._path) if self.exists() else {}
        if document.get("safe") != self._safe.name:
            return {}
        return {name: text for name, text in self._sealed(document).items() if name != REST}

    def _sealed(self, document: Mapping[str, Any]) -> dict[str, str]:
        name, sealed = self._safe.name, document.get("sealed")
        if document.get("format") != SEALED_FORMAT or document.get("safe") != name:
            mend = "run: overdracht keys move"
            raise KeysRefused(f"{self._path.name} is not sealed by {name}; {mend}")
        if not isinstance(sealed, dict) or not all(map(_is_part, sealed.items())):
            raise self._damaged()
        return sealed

    def _damaged(self) -> KeysRefused:
        return KeysRefused(f"{self._path.name} is damaged; restore it from its backup")

    def _asked(self, ask: Callable[[], Answered]) -> Answered:
        """The safe's answer in bounded time, whatever it or the way to it does."""
        answers: SimpleQueue[Answered | Exception] = SimpleQueue()

        def run() -> None:
            try:
                answers.put(ask())
            except Exception as error:  # noqa: BLE001 - raised again for whoever waits
                answers.put(error)

        threading.Thread(target=run, name="safe", daemon=True).start()
        try:
            answer = answers.get(timeout=self._seconds)
        except Empty:
            mend = "see that it runs and can be reached"
            raise KeysRefused(f"{self._safe.name} took too long; {mend}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _is_part(part: tuple[str, object]) -> bool:
    name, text = part
    return isinstance(text, str) and (name == REST or (name.isascii() and name.isdecimal()))


def _bound(name: str) -> bytes:
    return b"overdracht-key-ring\0" + name.encode() + b"\0"
