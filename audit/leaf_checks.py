"""What the leaves alone must prove: form, order, tree. Standard library only.

Leaves are taken one after the other and forgotten; what is kept is one tile a level, and 16
bytes a leaf to notice an event id that comes twice.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from audit.findings import Findings
from audit.leaf import NotALeaf, read
from audit.tree import HASH_BYTES, TILE_WIDTH, fold, leaf_hash

MISSING = bytes(HASH_BYTES)
_ID_BYTES = 16
_TOMBSTONES = {"subject.erased": 1, "parts.expired": 2, "parts.lost": 3}


class SeenIds:
    """Event ids, 16 bytes each, in 256 heaps by their last byte, which is random."""

    def __init__(self) -> None:
        self._heaps = [bytearray() for _ in range(256)]

    def add(self, event_id: str) -> None:
        """Remember one."""
        raw = bytes.fromhex(event_id.replace("-", ""))
        self._heaps[raw[-1]] += raw

    def repeated(self) -> Iterator[bytes]:
        """The ids that came more than once; one heap in memory at a time."""
        for heap in self._heaps:
            seen: set[bytes] = set()
            for at in range(0, len(heap), _ID_BYTES):
                raw = bytes(heap[at : at + _ID_BYTES])
                if raw in seen:
                    yield raw
                seen.add(raw)


class LeafCheck:
    """Form, schema, order and time of leaves, and how many tombstones they own up to."""

    def __init__(self, findings: Findings) -> None:
        self._findings, self.ids = findings, SeenIds()
        self.last_t = 0
        self.tombstones = dict.fromkeys(_TOMBSTONES.values(), 0)

    def take(self, index: int, leaf: bytes) -> dict[str, Any] | None:
        """The next leaf's values, or nothing when it cannot be read."""
        try:
            body = read(leaf)
        except NotALeaf as error:
            self._findings.add("leaf", index, f"not a leaf of version 1: {error}")
            return None
        if (index == 0) != (body["k"] == "log.opened"):
            self._findings.add("opening", index, "log.opened is the first leaf, and no other is")
        if body["t"] < self.last_t:
            self._findings.add("time", index, "earlier than the leaf before it")
        self.last_t = max(self.last_t, body["t"])
        if body["k"] in _TOMBSTONES:
            self.tombstones[_TOMBSTONES[body["k"]]] += body["e"]["n"]
        self.ids.add(body["id"])
        return body


class TreeCheck:
    """Hashes leaves again, and compares every tile and the compact range with what is stored."""

    def __init__(self, findings: Findings, stored: Callable[[int, int], bytes | None]) -> None:
        self._findings, self._stored = findings, stored
        self._compact: tuple[bytes, ...] = ()
        self._size = 0
        self._pending: list[bytes] = []
        self._above: dict[int, bytes] = {}
        self._bad: list[int] = []

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


def _first_difference(data: bytes, stored: bytes) -> int:
    pieces = range(0, max(len(data), len(stored)), HASH_BYTES)
    differ = (data[at : at + HASH_BYTES] != stored[at : at + HASH_BYTES] for at in pieces)
    return next(number for number, differs in enumerate(differ) if differs)
