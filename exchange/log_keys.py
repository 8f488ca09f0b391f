"""The keys that the log signs its heads with: a file of its own, apart from the database.

One private key a line, all of the log's name. Every one of them signs, so that a new key can
be known to everybody before the old one goes.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from audit.checkpoints import NotAKey, NoteKey, new_note_key, read_note_key
from audit.notes import Algorithm
from exchange.security.keys import KeysRefused

ALGORITHMS = {"ed25519": Algorithm.ED25519, "ml-dsa-44": Algorithm.ML_DSA_44}


def open_log_keys(
    path: Path, origin: str, *, algorithms: Sequence[Algorithm], signed_before: bool
) -> tuple[NoteKey, ...]:
    """The keys that sign; made where none ever signed, and where another kind is switched on.

    Raises `KeysRefused` when the file is gone though it signed before, can be read by others,
    or holds anything but keys of this log.
    """
    if not path.exists() and signed_before:
        raise KeysRefused(f"the log was signed, but {path.name} is gone; restore it")
    keys = _read(path, origin) if path.exists() else []
    present = {key.algorithm for key in keys}
    missing = [new_note_key(origin, each) for each in algorithms if each not in present]
    if missing:
        keys += missing
        write_log_keys(path, keys)
    return tuple(key for key in keys if key.algorithm in algorithms)


def write_log_keys(path: Path, keys: Sequence[NoteKey]) -> None:
    """Replace the file, durably, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(path.name + ".new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.writelines(f"{key.text}\n" for key in keys)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _read(path: Path, origin: str) -> list[NoteKey]:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysRefused(f"{path.name} can be read by others; run: chmod 600 on it")
    try:
        keys = [read_note_key(line) for line in path.read_text("utf-8").splitlines()]
    except (NotAKey, OSError, ValueError):
        raise KeysRefused(f"{path.name} is damaged; restore it from its backup") from None
    if any(key.name != origin for key in keys):
        raise KeysRefused(f"{path.name} is of another log; restore the one of {origin}")
    return keys
