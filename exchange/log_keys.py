"""The keys that the log signs its heads with: a file of its own, apart from the database.

One private key a line, all of the log's name, the older first. Every one of them signs, so that
a new key can be known to everybody before the old one goes (audit-log.md, section 17). A key
that is to come waits in a file beside it until the log has named it.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from audit.checkpoints import NotAKey, NoteKey, new_note_key, read_note_key
from audit.notes import Algorithm
from audit.published import SignerKey
from exchange.security.keys import KeysRefused

ALGORITHMS = {"ed25519": Algorithm.ED25519, "ml-dsa-44": Algorithm.ML_DSA_44}


def open_log_keys(
    path: Path, origin: str, *, algorithms: Sequence[Algorithm], history: Sequence[SignerKey]
) -> tuple[NoteKey, ...]:
    """The keys that sign; made where none ever signed, and where another kind is switched on.

    A rotation that was cut short is gone on with: what the log has named signs, what it has
    ended does not. Raises `KeysRefused` when the file is gone though it signed before, can be
    read by others, or holds anything but keys of this log.
    """
    if not path.exists() and history:
        raise KeysRefused(f"the log was signed, but {path.name} is gone; restore it")
    keys = _caught_up(path, origin, history) if path.exists() else []
    if not keys and history:
        raise KeysRefused(f"{path.name} has only keys that are ended; restore the newest one")
    present = {key.algorithm for key in keys}
    missing = [new_note_key(origin, each) for each in algorithms if each not in present]
    if missing:
        keys += missing
        write_log_keys(path, keys)
    return tuple(key for key in keys if key.algorithm in algorithms)


def propose_log_keys(path: Path, keys: Sequence[NoteKey]) -> list[NoteKey]:
    """A successor for each key, durable and not signing yet; asked again, the same ones."""
    waiting = _waiting(path)
    found = _read(waiting, keys[0].name) if waiting.exists() else []
    if {each.algorithm for each in found} != {each.algorithm for each in keys}:
        found = [new_note_key(each.name, each.algorithm) for each in keys]
        write_log_keys(waiting, found)
    return found


def take_up(path: Path, new: Sequence[NoteKey]) -> None:
    """Have the proposed keys sign beside those that do; the log has named them."""
    keys = _read(path, new[0].name)
    write_log_keys(path, [*keys, *(each for each in new if each not in keys)])
    _waiting(path).unlink(missing_ok=True)


def leave(path: Path, old: Sequence[NoteKey]) -> None:
    """Destroy these keys: the file no longer has them, and nobody else had."""
    write_log_keys(path, [each for each in _read(path, old[0].name) if each not in old])


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


def _waiting(path: Path) -> Path:
    return path.with_name(path.name + ".next")


def _caught_up(path: Path, origin: str, history: Sequence[SignerKey]) -> list[NoteKey]:
    keys, waiting = _read(path, origin), _waiting(path)
    named = {each.vkey for each in history}
    ended = {each.vkey for each in history if each.to_size is not None}
    coming = _read(waiting, origin) if waiting.exists() else []
    if new := [each for each in coming if each.vkey.text in named]:
        take_up(path, new)
        keys = _read(path, origin)
    old = [each for each in keys if each.vkey.text in ended]
    if old and len(old) < len(keys):
        leave(path, old)
    return [each for each in keys if each not in old]


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
