"""Export: a bundle that anybody can verify with `verify.py`, offline (audit-log.md, section 12).

Reads, and changes nothing; what is exported is logged by who asked for it. The same log, head
and question give the same bytes.
"""

import zipfile
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from audit import records, search, tallies, verify
from audit.leaf import NotALeaf, read
from audit.opening import PartKeys
from audit.parts import NOBODY, Mac, salt_of
from audit.records import EXPIRED, LIVE, LOST, SHREDDED, PartRow
from audit.tile_store import bundle_at, stored_tiles, tile_at
from audit.tiles import TileMissing
from audit.tree import TILE_WIDTH
from audit.verify import Unfit, read_head, read_note

FORMAT = 1
MOST_LEAVES = 20_000
"""Entries of a selection at most; more of them are better asked as a range."""
_STATES = {SHREDDED: "shredded", EXPIRED: "expired", LOST: "lost"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ExportRefused(Exception):
    """The bundle cannot be made; the text says why and what to do."""


class Earlier(NamedTuple):
    """An earlier head as it was signed, for whoever kept it to compare."""

    size: int
    note: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Where a bundle comes from. `note` is the signed head that everything is proven against.

    `labels` are the parts that may be shown (s, y, a); a system that acted is always shown
    where part a may not be, since it is nobody.
    """

    connection: Connection
    shard: int
    note: bytes
    policy: str
    tool: str
    keys: PartKeys | None = None
    labels: frozenset[str] = frozenset()
    earlier: Sequence[Earlier] = ()


@dataclass
class Exported:
    """What went into a bundle. `unreadable` are parts that may be shown and cannot be opened."""

    size: int
    entries: int = 0
    disclosed: int = 0
    unreadable: int = 0
    indexes: list[int] = field(default_factory=list)


def export_range(
    source: Source, out: IO[bytes], *, start: int = 0, stop: int | None = None
) -> Exported:
    """Every entry in `[start, stop)`, and all that ties them to the signed root.

    The range is widened to whole tiles. Raises `ExportRefused`.
    """
    with _Bundle(source, out) as bundle:
        _put_range(bundle, source, start, bundle.size if stop is None else stop)
        return bundle.result


def _put_range(bundle: "_Bundle", source: Source, start: int, stop: int) -> None:
    size = bundle.size
    stop = min(stop, size)
    least = _least(source)
    if not least <= start <= stop:
        raise ExportRefused(
            f"the log holds the entries {least} to {size - 1}; ask for a range of those"
        )
    first, last = start // TILE_WIDTH, -(-stop // TILE_WIDTH)
    bundle.manifest("range", start, stop, {})
    bundle.tiles(first, last)
    between = first * TILE_WIDTH, min(last * TILE_WIDTH, size)
    bundle.leaves(each for each in bundle.owned_up() if not between[0] <= each < between[1])
    bundle.parts(_in_range(source, *between))
    bundle.result.entries = between[1] - between[0]


def export_selection(
    source: Source,
    out: IO[bytes],
    *,
    indexes: Iterable[int],
    filters: Mapping[str, str | int],
    evidence: Mapping[str, bytes] | None = None,
) -> Exported:
    """Single entries, each with its proof, and documents that belong to them.

    `filters` say what was asked; `client` among them claims a complete record. `evidence` are
    documents by name. Raises `ExportRefused`.
    """
    with _Bundle(source, out) as bundle:
        wanted = [each for each in indexes if each < bundle.size]
        if len(wanted) > MOST_LEAVES:
            raise ExportRefused(f"more than {MOST_LEAVES} entries; export a range instead")
        bundle.result.indexes, bundle.result.entries = wanted, len(wanted)
        bundle.manifest("filtered", 0, bundle.size, filters)
        bundle.leaves({*wanted, *bundle.owned_up()})
        bundle.parts(_at(source, wanted))
        for name, content in sorted((evidence or {}).items()):
            bundle.add(f"evidence/{name}", content)
        return bundle.result


class _Bundle:
    """The members of one bundle, written in a fixed order with fixed times."""

    def __init__(self, source: Source, out: IO[bytes]) -> None:
        self._source = source
        try:
            self._head = read_head(read_note(source.note).text)
        except Unfit as error:
            raise ExportRefused(f"the checkpoint cannot be read: {error}") from None
        self.size = self._head.size
        state = records.state_of(source.connection, shard=source.shard)
        if state is None or state.origin != self._head.origin or state.size < self.size:
            raise ExportRefused("the checkpoint is not one of this log, or the log was cut short")
        self._tiles = stored_tiles(source.connection, shard=source.shard, size=self.size)
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.result = Exported(self.size)

    def __enter__(self) -> "_Bundle":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, name: str, content: bytes) -> None:
        """Write one member."""
        member = zipfile.ZipInfo(name, _EPOCH)
        member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
        member.external_attr = 0o100600 << 16
        self._zip.writestr(member, content)

    def manifest(self, mode: str, start: int, stop: int, filters: Mapping[str, str | int]) -> None:
        """The manifest, the checkpoint, the policy, earlier heads and the verifier."""
        source = self._source
        said = {"format": FORMAT, "origin": self._head.origin, "mode": mode, "from": start}
        said |= {"to": stop, "size": self.size, "root": self._head.root.hex()}
        self.add(
            "manifest.json", verify.canonical(said | {"filters": filters, "tool": source.tool})
        )
        self.add("checkpoint", source.note)
        self.add("policy.txt", source.policy.encode())
        for each in sorted(source.earlier):
            if max(_least(source), 1) <= each.size < self.size:
                self.add(f"older/{each.size}.note", each.note)
                path = _lines(self._proven(self._tiles.consistency, each.size))
                self.add(f"older/{each.size}-{self.size}.proof", path)
        self.add("verify.py", Path(verify.__file__).read_bytes())

    def tiles(self, first: int, last: int) -> None:
        """All tiles above the leaves, and those of the range with their entries."""
        level = 1
        while self.size >> 8 * level:
            for n in range(-(-(self.size >> 8 * level) // TILE_WIDTH)):
                self._tile(level, n)
            level += 1
        edge = {self.size // TILE_WIDTH} if self.size % TILE_WIDTH else set()
        for n in sorted({*range(first, last), *edge}):
            self._tile(0, n)
        for n in range(first, last):
            width = verify.width_of(self.size, 0, n)
            self.add(
                verify.tile_name("entries", n, width), self._needed(bundle_at, n=n, width=width)
            )

    def leaves(self, indexes: Iterable[int]) -> None:
        """Entries one by one, each with its proof."""
        source = self._source
        for index in sorted(indexes):
            between = {"shard": source.shard, "start": index, "stop": index + 1}
            found = list(records.entries_between(source.connection, **between))
            if not found:
                raise ExportRefused(f"entry {index} is missing; run: overdracht audit verify")
            self.add(f"leaves/{index}", found[0][1])
            path = _lines(self._proven(self._tiles.inclusion, index))
            top = f"c2sp.org/tlog-proof@v1\nindex {index}\n".encode()
            self.add(f"proofs/{index}.tlog-proof", top + path + b"\n" + source.note)

    def parts(self, rows: Iterator[tuple[bytes, PartRow]]) -> None:
        """What may be shown of the parts, and what became of those that are gone."""
        lines = BytesIO()
        for leaf, part in rows:
            if (said := self._said(leaf, part)) is not None:
                lines.write(verify.canonical({"i": part.idx, "l": part.label} | said) + b"\n")
        self.add("parts.jsonl", lines.getvalue())

    def owned_up(self) -> list[int]:
        """The entries that say which parts are gone, and which keys were changed."""
        source = self._source
        found = search.owned_up(source.connection, shard=source.shard)
        least = _least(source)
        return [each for each in found if least <= each < self.size]

    def _tile(self, level: int, n: int) -> None:
        width = verify.width_of(self.size, level, n)
        data = self._needed(tile_at, level=level, n=n, width=width)
        self.add(verify.tile_name(level, n, width), data)

    def _needed(self, read: Any, **place: int) -> bytes:
        source = self._source
        try:
            data: bytes | None = read(
                source.connection, shard=source.shard, size=self.size, **place
            )
        except TileMissing:
            data = None
        if data is None:
            raise ExportRefused(f"tile {place} is missing; run: overdracht audit verify")
        return data

    def _proven(self, prove: Any, place: int) -> list[bytes]:
        try:
            path: list[bytes] = prove(place)
        except TileMissing:
            raise ExportRefused("a tile is missing; run: overdracht audit verify") from None
        return path

    def _said(self, leaf: bytes, part: PartRow) -> dict[str, str] | None:
        if part.state != LIVE:
            return {"state": _STATES.get(part.state, "lost")}
        keys, system = self._source.keys, part.label == "a" and part.key_id == NOBODY
        if keys is None or not (system or part.label in self._source.labels):
            return None
        key = keys.nobody if part.key_id == NOBODY else keys.by_id(part.key_id or b"")
        try:
            body = read(leaf)
            text = search.text_of(body, part, keys)
        except NotALeaf:
            text = None
        if text is None or key is None:
            self.result.unreadable += 1
            return {"state": "withheld"}
        self.result.disclosed += 1
        salt = salt_of(Mac(key), part.label.encode(), UUID(body["id"]).bytes)
        return {"salt": urlsafe_b64encode(salt).decode().rstrip("="), "pt": text.decode()}


def _in_range(source: Source, start: int, stop: int) -> Iterator[tuple[bytes, PartRow]]:
    for at in range(start, stop, records.CHUNK):
        between = {"shard": source.shard, "start": at, "stop": min(stop, at + records.CHUNK)}
        parts = records.parts_between(source.connection, **between)
        shown = [each for each in parts if each.state != LIVE or source.labels]
        entries = dict(records.entries_between(source.connection, **between)) if shown else {}
        yield from ((entries.get(each.idx, b"{}"), each) for each in shown)


def _at(source: Source, indexes: Sequence[int]) -> Iterator[tuple[bytes, PartRow]]:
    for index in sorted(indexes):
        yield from _in_range(source, index, index + 1)


def _least(source: Source) -> int:
    return tallies.min_index(source.connection, shard=source.shard)


def _lines(path: Sequence[bytes]) -> bytes:
    return b"".join(b64encode(each) + b"\n" for each in path)
