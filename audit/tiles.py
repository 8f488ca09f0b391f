"""Proofs and roots from tiles: a few reads however long the log (C2SP tlog-tiles).

Nothing here reads by itself: whoever keeps tiles hands in a `Shelf`.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from audit.tree import (
    HASH_BYTES,
    TILE_WIDTH,
    consistency_ranges,
    fold,
    inclusion_ranges,
    root_of,
)

Shelf: TypeAlias = Callable[[int, int, int], bytes]
"""The first `width` hashes of tile `n` of `level`. Raises `TileMissing` when there are fewer."""

_BITS: Final = 8
_GROUP: Final = 1000


class TileMissing(Exception):
    """A tile, or an entry under it, that the tree must have is not there."""

    def __init__(self, level: int, n: int) -> None:
        super().__init__(f"tile {level}/{n} is missing, or an entry under it")
        self.level, self.n = level, n


class Tiles:
    """The tree of one size, seen through its tiles; each tile is read once."""

    def __init__(self, shelf: Shelf, size: int) -> None:
        self._shelf, self.size = shelf, size
        self._read: dict[tuple[int, int], bytes] = {}

    @property
    def reads(self) -> int:
        """How many tiles were read."""
        return len(self._read)

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that leaf `index` is in the tree (RFC 6962, section 2.1.1)."""
        return [self._range(*each) for each in inclusion_ranges(index, self.size)]

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree extends that of size `old` (RFC 6962, section 2.1.2)."""
        return [self._range(*each) for each in consistency_ranges(old, self.size)]

    def root(self) -> bytes:
        """The root of the tree."""
        return root_of(self.compact())

    def compact(self) -> tuple[bytes, ...]:
        """The roots of the full subtrees that the size is made of, largest first."""
        return tuple(self._full(0, self.size))

    def hashes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Some of the hashes of a level, from the one tile that they must lie in."""
        return _split(self._hashes(level, start, stop))

    def _range(self, start: int, stop: int) -> bytes:
        return root_of(tuple(self._full(start, stop)))

    def _full(self, start: int, stop: int) -> list[bytes]:
        """The roots of the full subtrees that a range is made of, from the left."""
        found = []
        while start < stop:
            height = (stop - start).bit_length() - 1
            found.append(self._subtree(height, start >> height))
            start += 1 << height
        return found

    def _subtree(self, height: int, position: int) -> bytes:
        """The root over `2 ** height` leaves, from the one tile that holds what it is made of."""
        level, more = divmod(height, _BITS)
        start = position << more
        hashes = _split(self._hashes(level, start, start + (1 << more)))
        return root_of(fold((), 0, hashes)[0])

    def _hashes(self, level: int, start: int, stop: int) -> bytes:
        """Some of the hashes of a level; they must lie in one tile."""
        n = start // TILE_WIDTH
        tile = self._read.get((level, n))
        if tile is None:
            width = width_of(level, n, self.size)
            tile = self._shelf(level, n, width)
            if len(tile) != width * HASH_BYTES:
                raise TileMissing(level, n)
            self._read[level, n] = tile
        first = start - n * TILE_WIDTH
        return tile[first * HASH_BYTES : (first + stop - start) * HASH_BYTES]


def width_of(level: int, n: int, size: int) -> int:
    """How many hashes tile `n` of a level has in a tree of this size; 0: there is no such tile."""
    return max(0, min(TILE_WIDTH, (size >> _BITS * level) - n * TILE_WIDTH))


def read_place(text: Any) -> tuple[int, int | None] | None:
    """Number and partial width in `x001/x234/067.p/8`; no width stands for a full tile.

    Nothing for what is not the one form of a place (C2SP tlog-tiles).
    """
    if not isinstance(text, str):
        return None
    found = re.fullmatch(r"((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", text)
    if found is None:
        return None
    n = int(found[1].replace("x", "").replace("/", ""))
    width = None if found[2] is None else int(found[2])
    if place_of(n) != found[1] or (width is not None and width >= TILE_WIDTH):
        return None
    return n, width


def place_of(n: int) -> str:
    """The number of a tile as a path: `1234067` is `x001/x234/067`."""
    groups = [f"{n % _GROUP:03}"]
    while n >= _GROUP:
        n //= _GROUP
        groups.append(f"x{n % _GROUP:03}")
    return "/".join(reversed(groups))


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
