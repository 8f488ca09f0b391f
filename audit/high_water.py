"""The last head that was signed, in a file outside the database and on another volume.

A database that was put back, or cut off, can not tell; this file can.
"""

import base64
import fcntl
import json
import os
from pathlib import Path
from typing import NamedTuple

FORMAT = 1
_PLAIN = 0o600


class HighWaterUnreadable(Exception):
    """The file is there and is not ours; without it the log's past can not be vouched for."""


class Mark(NamedTuple):
    """A head, when it was signed (µs since 1970), and the note with the log's own lines."""

    origin: str
    size: int
    root: bytes
    signed_at: int
    note: str


class HighWater:
    """One file, written by one signer at a time. Also holds the lock that makes it one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def read(self) -> Mark | None:
        """The mark, or nothing before the first. Raises `HighWaterUnreadable`."""
        try:
            body = json.loads(self.path.read_text(encoding="utf-8"))
            if body["format"] != FORMAT:
                raise HighWaterUnreadable
            root = base64.b64decode(body["root"], validate=True)
            return Mark(body["origin"], body["size"], root, body["signed_at"], body["note"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise HighWaterUnreadable from None

    def write(self, mark: Mark) -> None:
        """Replace the mark, durably: afterwards it is the old one or the new one, whole."""
        said = mark._asdict() | {"format": FORMAT, "root": base64.b64encode(mark.root).decode()}
        new = self.path.with_name(self.path.name + ".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PLAIN)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(said, indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def claim(self) -> bool:
        """Whether we are the one who signs with this file; once so, until `close`."""
        if self._lock is not None:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PLAIN)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def close(self) -> None:
        """Let another one sign."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
