"""Verify a log where it lives: everything it claims about itself, recomputed.

Steps 4, 5, 7, 8, 9 and 11 of the offline verifier, with its own checks of leaves and rules; all
of them run, and none hides what another finds.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from audit import log, records, tallies
from audit.leaf import LABELS
from audit.opening import PartKeys
from audit.part_checks import PartCheck
from audit.tile_store import stored_tiles
from audit.tiles import TileMissing
from audit.tree import EMPTY_ROOT, TILE_WIDTH, root_of
from audit.tree_checks import TreeCheck
from audit.verify import Findings, LeafCheck, Report, read_object

_STATES = {"shredded": records.SHREDDED, "expired": records.EXPIRED, "lost": records.LOST}

_END = 2**62
"""Beyond every index, so that rows past the stated size are seen."""


def verify_log(
    connection: Connection, *, shard: int, keys: PartKeys | None = None, deep: bool = False
) -> Report:
    """Read the whole log and report every kind of thing that does not hold.

    By default leaves, tiles, root and counters; `deep` also opens the parts whose keys are at
    hand and rebuilds the search index. Memory stays flat but for 16 bytes an entry, and when
    deep one number a client. Raises nothing of its own.
    """
    findings = Findings()
    state = records.state_of(connection, shard=shard)
    if state is None:
        findings.add("state", None, "this shard has no log", contradicts=False)
        return Report("", 0, EMPTY_ROOT, findings.all())
    parts, least = None, tallies.min_index(connection, shard=shard)
    if deep and keys is not None:
        parts = PartCheck(findings, keys, pruned=least)
    elif deep:
        findings.add("key", None, "no keys at hand: parts and index", contradicts=False)
    root = _check_entries(connection, shard, findings, parts)
    notes: tuple[str, ...] = ()
    if parts and parts.later and least:
        words = "clients are complete from a later number than their first on: the log was pruned"
        notes = (f"{parts.later} {words}",)
    return Report(state.origin, state.size, root, findings.all(), notes)


def _check_entries(
    connection: Connection, shard: int, findings: Findings, parts: PartCheck | None
) -> bytes:
    now = log.head(connection, shard=shard)
    least = tallies.min_index(connection, shard=shard)
    leaves = LeafCheck(findings)
    tree = TreeCheck(findings, lambda level, n: tallies.tile(connection, shard, level, n), least)
    for chunk in _chunks(records.entries_between(connection, shard=shard, start=least, stop=_END)):
        beside = _Beside(connection, shard, tree.size, chunk[-1][0] + 1) if parts else None
        for index, leaf in chunk:
            if index >= now.size:
                findings.add("state", index, "an entry beyond the size of the log")
                continue
            for missing in range(tree.size, index):
                findings.add("missing", missing, "no such entry")
                tree.take(None)
            body = leaves.take(index, leaf)
            tree.take(leaf, known_bad=body is None)
            if parts and beside and body is not None:
                parts.take(index, read_object(leaf), *beside.of(index))
    for missing in range(tree.size, now.size):
        findings.add("missing", missing, "no such entry")
        tree.take(None)
    if now.size and leaves.last_t != now.last_t:
        findings.add("state", now.size - 1, "the log's last time is not its last entry's")
    compact = tree.finish(now.compact)
    _check_pruned(connection, shard, least, leaves.pruned, findings)
    _check_ids(connection, shard, leaves, findings)
    _check_counts(connection, shard, now.size, leaves, findings)
    return root_of(compact)


class _Beside:
    """The parts and the index rows of a range of entries."""

    def __init__(self, connection: Connection, shard: int, start: int, stop: int) -> None:
        between = {"shard": shard, "start": start, "stop": stop}
        self._parts: dict[int, list[records.PartRow]] = {}
        for part in records.parts_between(connection, **between):
            self._parts.setdefault(part.idx, []).append(part)
        self._rows = {row.idx: row for row in records.index_between(connection, **between)}

    def of(self, index: int) -> tuple[list[records.PartRow], records.IndexRow | None]:
        return self._parts.get(index, []), self._rows.get(index)


def _chunks(entries: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == records.CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _check_ids(connection: Connection, shard: int, leaves: LeafCheck, findings: Findings) -> None:
    repeated = set(leaves.ids.repeated())
    if not repeated:
        return
    seen: set[bytes] = set()
    again = LeafCheck(Findings())
    least = tallies.min_index(connection, shard=shard)
    for index, leaf in records.entries_between(connection, shard=shard, start=least, stop=_END):
        body = again.take(index, leaf)
        raw = bytes.fromhex(body.id.replace("-", "")) if body else b""
        if raw in repeated and raw in seen:
            findings.add("id", index, "an event id that an earlier entry has")
        seen |= {raw} & repeated


def _check_pruned(
    connection: Connection, shard: int, least: int, owned: Mapping[int, str], findings: Findings
) -> None:
    """What is gone before the first entry that is kept, an entry that is kept owns up to."""
    if least and least not in owned:
        words = f"the entries before {least} are gone, and no entry owns up to it"
        findings.add("pruned", 0, words)
    for size, root in owned.items():
        try:
            made = stored_tiles(connection, shard=shard, size=size).root().hex()
        except TileMissing:
            made = ""
        if made != root:
            words = f"the first {size} entries are not those that are said to be pruned"
            findings.add("pruned", 0, words)


def _check_counts(
    connection: Connection, shard: int, size: int, leaves: LeafCheck, findings: Findings
) -> None:
    """Counters of clients, tombstones owned up to, rows that belong to no entry."""
    first = tallies.min_index(connection, shard=shard) // TILE_WIDTH
    least = first * TILE_WIDTH
    for level, tiles in tallies.tiles_per_level(connection, shard=shard, least=least):
        full, any_of = size // TILE_WIDTH - first, -(-(size >> 8 * level) // TILE_WIDTH)
        due = any_of if level else full
        if tiles != due:
            findings.add("tile", None, f"{tiles} tiles on level {level} where {due} are due")
    _check_tombstones(connection, shard, least, leaves, findings)
    for first in tallies.rows_beyond(connection, shard=shard, size=size):
        findings.add("state", first, "a part or index row beyond the size of the log")


def _check_tombstones(
    connection: Connection, shard: int, least: int, leaves: LeafCheck, findings: Findings
) -> None:
    """Every part that is gone is owned up to, and clients miss no number besides.

    Where entries were pruned, as many tombstones may lack as those can have had parts.
    """
    buried = tallies.tombstones(connection, shard=shard, least=least)
    for state, stated in leaves.tombstones.items():
        n = sum(more for (why, _), more in buried.items() if why == _STATES[state])
        if not n <= stated <= n + least * len(LABELS):
            findings.add("balance", None, f"{n} parts are {state}, {stated} are owned up to")
    kept = tallies.kept_too_long(connection, shard=shard)
    if kept is not None:
        findings.add("balance", kept, "a number is kept, and a later one has expired")
    gone = least + buried.get((records.EXPIRED, "s"), 0) + buried.get((records.LOST, "s"), 0)
    for first, short in tallies.miscounted(connection, shard=shard):
        if 0 <= short <= gone:
            gone -= short
        else:
            findings.add("counter", first, "a client's counter is not the number of entries")
