"""The log's tiles as files (C2SP tlog-tiles), so that a plain static host can be its mirror.

What was written never changes: a full tile is linked into its place, never put over another one.
The checkpoint comes last, so whoever follows it finds all that it speaks of.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy import Connection

from audit import tallies
from audit.checkpoints import Checkpoint, checkpoint_in
from audit.notes import read_note
from audit.tile_store import bundle_at, stored_tiles, tile_at
from audit.tiles import TileMissing, width_of
from audit.tree import TILE_WIDTH
from audit.verify import tile_name

PUBLIC, CLOSED = 0o644, 0o640
"""Hashes are for anybody; entries tell who asked whom when, and are for those under contract."""


class NotTheSame(Exception):
    """The folder holds something else than this log; nothing of it was replaced."""


@dataclass(frozen=True, slots=True)
class Written:
    """Up to which size the folder now goes, and how many files are new in it."""

    size: int
    files: int


def write_tiles(
    connection: Connection, folder: Path, *, shard: int, note: bytes, entries: bool = False
) -> Written:
    """Bring the folder up to the head in `note`; the same again writes nothing but the note.

    With `entries` the leaves are written too. Raises `NotTheSame`, `TileMissing`, `OSError`.
    """
    head = checkpoint_in(read_note(note))
    if head is None:
        raise NotTheSame("this is no checkpoint")
    old = _published(folder)
    _require_beginning(connection, shard, head, old)
    made = _Folder(folder)
    for name, mode, data in _wanted(connection, shard, head.size, 0 if old is None else old.size):
        if entries or mode == PUBLIC:
            made.add(name, mode, data)
    made.replace("checkpoint", note)
    made.clear_partial(head.size, 0 if old is None else old.size)
    return Written(head.size, made.files)


def _published(folder: Path) -> Checkpoint | None:
    """The head that the folder shows."""
    try:
        raw = (folder / "checkpoint").read_bytes()
    except FileNotFoundError:
        return None
    found = checkpoint_in(read_note(raw))
    if found is None:
        raise NotTheSame("the checkpoint in the folder can not be read")
    return found


def _require_beginning(
    connection: Connection, shard: int, head: Checkpoint, old: Checkpoint | None
) -> None:
    if old is None:
        return
    if old.origin != head.origin or old.size > head.size:
        raise NotTheSame(f"the folder holds {old.size} entries of {old.origin}")
    if stored_tiles(connection, shard=shard, size=old.size).root() != old.root:
        raise NotTheSame(f"the folder's first {old.size} entries are others than ours")


def _wanted(
    connection: Connection, shard: int, size: int, old: int
) -> Iterator[tuple[str, int, bytes]]:
    """Every file that changed since a size and was not pruned: its name, its mode, its bytes."""
    level, least = 0, tallies.min_index(connection, shard=shard)
    while size >> 8 * level:
        begin = max(old, least) if level == 0 else old
        for n in range((begin >> 8 * level) // TILE_WIDTH, -(-(size >> 8 * level) // TILE_WIDTH)):
            width = width_of(level, n, size)
            place = {"shard": shard, "size": size, "n": n, "width": width}
            tile = tile_at(connection, level=level, **place)
            if tile is None:
                raise TileMissing(level, n)
            yield tile_name(level, n, width), PUBLIC, tile
            if level == 0:
                yield tile_name("entries", n, width), CLOSED, bundle_at(connection, **place) or b""
        level += 1


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path, self.files = path, 0
        path.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, mode: int, data: bytes) -> None:
        """A file that is not there yet; one that is there must be the same."""
        place = self._path / name
        if not place.exists():
            new = self._durable(place, mode, data)
            try:
                # A link fails where a name is taken; a rename would put one over the other.
                os.link(new, place)
                self.files += 1
            except FileExistsError:
                pass
            finally:
                new.unlink()
            _sync(place.parent)
        if place.read_bytes() != data:
            raise NotTheSame(f"{name} in the folder has other bytes than ours")

    def replace(self, name: str, data: bytes) -> None:
        """The one file that changes: readers see the old one or the new one, whole."""
        place = self._path / name
        self._durable(place, PUBLIC, data).replace(place)
        _sync(self._path)

    def clear_partial(self, size: int, old: int) -> None:
        """Partial tiles whose full one stands beside them serve nobody any more."""
        for level in ("entries", *range(8)):
            depth = 0 if level == "entries" else int(level)
            for n in range((old >> 8 * depth) // TILE_WIDTH, (size >> 8 * depth) // TILE_WIDTH):
                full = self._path / tile_name(level, n, TILE_WIDTH)
                partial = full.with_name(f"{full.name}.p")
                if full.exists() and partial.is_dir():
                    for each in partial.iterdir():
                        each.unlink()
                    with suppress(OSError):
                        partial.rmdir()

    def _durable(self, place: Path, mode: int, data: bytes) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=place.parent, prefix=".new-", delete=False) as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return Path(file.name)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
