"""What the hashes in the tables must prove. Standard library only.

Leaves are taken one after the other and forgotten; what is kept is one tile a level.
"""

from collections.abc import Callable, Sequence

from audit.tiles import TileMissing, Tiles
from audit.tree import HASH_BYTES, TILE_WIDTH, fold, leaf_hash, root_of
from audit.verify import Findings

MISSING = bytes(HASH_BYTES)


class TreeCheck:
    """Hashes leaves again, and compares every tile and the compact range with what is stored.

    The first `start` leaves are gone, whole tiles of them: what is stored above them is taken
    as it is, and only compared with itself.
    """

    def __init__(
        self, findings: Findings, stored: Callable[[int, int], bytes | None], start: int = 0
    ) -> None:
        self._findings, self._stored = findings, stored
        self._compact: tuple[bytes, ...] = ()
        self._size = start
        self._pending: list[bytes] = []
        self._above: dict[int, bytes] = {}
        self._bad: list[int] = []
        if start:
            self._begin(start)

    def _begin(self, start: int) -> None:
        """Go on from the hashes that are left of the leaves before."""
        tiles = Tiles(self._shelf, start)
        try:
            self._compact = tiles.compact()
            level = 1
            while count := start >> 8 * level:
                for position in range(count >> 8):
                    under = tiles.hashes(level, position << 8, position + 1 << 8)
                    if tiles.hashes(level + 1, position, position + 1) != [_root(under)]:
                        words = f"tile {level}/{position} does not fit the one above it"
                        self._findings.add("tile", position << 8 * level << 8, words)
                self._above[level] = b"".join(tiles.hashes(level, count >> 8 << 8, count))
                level += 1
        except TileMissing as missing:
            self._findings.add("tile", missing.n << 8 * missing.level << 8, str(missing))

    def _shelf(self, level: int, n: int, width: int) -> bytes:
        return (self._stored(level, n) or b"")[: width * HASH_BYTES]

    @property
    def size(self) -> int:
        """How many leaves were taken."""
        return self._size + len(self._pending)

    def take(self, leaf: bytes | None, *, known_bad: bool = False) -> None:
        """The next leaf, or nothing where one is missing.

        What follows from a leaf that is `known_bad` is not reported again.
        """
        if leaf is None or known_bad:
            self._bad.append(self.size)
        self._pending.append(MISSING if leaf is None else leaf_hash(leaf))
        if len(self._pending) == TILE_WIDTH:
            self._compare(0, self._size // TILE_WIDTH, b"".join(self._pending))
            self._fold()

    def finish(self, compact: Sequence[bytes]) -> tuple[bytes, ...]:
        """Compare what is left with the right edge, and give back the true compact range."""
        self._fold()
        for level, data in self._above.items():
            if data:
                self._compare(level, self._size >> 8 * level >> 8, data)
        start = 0
        for bit in range(self._size.bit_length() - 1, -1, -1):
            if self._size >> bit & 1:
                self._compare_subtree(compact, start, start + (1 << bit))
                start += 1 << bit
        if len(compact) != len(self._compact):
            self._findings.add("compact", None, "the compact range does not fit the size")
        return self._compact

    def _fold(self) -> None:
        self._compact, completed = fold(self._compact, self._size, self._pending)
        self._size += len(self._pending)
        self._pending = []
        for level, position, root in completed:
            data = self._above.get(level, b"") + root
            if len(data) == TILE_WIDTH * HASH_BYTES:
                self._compare(level, position // TILE_WIDTH, data)
                data = b""
            self._above[level] = data

    def _compare(self, level: int, n: int, data: bytes) -> None:
        stored = self._stored(level, n)
        if stored == data:
            return
        at = _first_difference(data, stored or b"")
        start, stop = ((n * TILE_WIDTH + at + more) << 8 * level for more in (0, 1))
        # A changed leaf changes every hash above it: only the lowest is worth a word.
        if level and self._explained(start, stop):
            return
        self._bad.append(start)
        self._findings.add("tile", start, f"tile {level}/{n} is not the hash of its leaves")

    def _compare_subtree(self, compact: Sequence[bytes], start: int, stop: int) -> None:
        position = (self._size >> (stop - start).bit_length()).bit_count()
        stored = compact[position] if position < len(compact) else None
        if stored != self._compact[position] and not self._explained(start, stop):
            words = f"the leaves from here to {stop - 1} are not those of the compact range"
            self._findings.add("compact", start, words)

    def _explained(self, start: int, stop: int) -> bool:
        return any(start <= each < stop for each in self._bad)


def _root(hashes: Sequence[bytes]) -> bytes:
    return root_of(fold((), 0, hashes)[0])


def _first_difference(data: bytes, stored: bytes) -> int:
    pieces = range(0, max(len(data), len(stored)), HASH_BYTES)
    differ = (data[at : at + HASH_BYTES] != stored[at : at + HASH_BYTES] for at in pieces)
    return next(number for number, differs in enumerate(differ) if differs)
