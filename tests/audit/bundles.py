"""Signed heads, witnesses and bundles over a log in the tables, and ways to tamper with them."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from audit import export, log, search
from audit.checkpoints import Checkpoint, new_note_key, with_lines
from audit.erasure import shred
from audit.events import SubjectErased
from audit.export import Source
from audit.notes import Algorithm
from audit.tile_store import stored_tiles
from audit.tree import root_of
from audit.verify import Report, verify_bundle
from tests.audit.log_builders import ANN, NOON, Ring, add

ORIGIN = "broker.example/audit/tlog/s0e1"
WITNESSES = {
    name: new_note_key(f"witness.example/{name}", Algorithm.COSIGNATURE) for name in ("one", "two")
}
_log_key = lru_cache(new_note_key)
SEEN = int(NOON.timestamp()) + 120


def policy_for(origin: str) -> str:
    """Believe the log of this origin when both witnesses have seen it."""
    witnesses = [f"witness {name} {key.vkey.text}" for name, key in WITNESSES.items()]
    lines = [f"log {_log_key(origin).vkey.text}", *witnesses, "group all all one two", "quorum all"]
    return "\n".join([*lines, ""])


POLICY_TEXT = policy_for(ORIGIN)


def note_of(
    connection: Connection,
    *,
    size: int | None = None,
    by: tuple[str, ...] = ("one", "two"),
    seen: int = SEEN,
) -> bytes:
    """The head of the log, or of its beginning, signed and cosigned."""
    head = log.head(connection, shard=0)
    if size is None or size == head.size:
        size, root = head.size, root_of(head.compact)
    else:
        root = stored_tiles(connection, shard=0, size=size).root()
    return note_over(size, root, by=by, seen=seen)


def note_over(
    size: int,
    root: bytes,
    *,
    by: tuple[str, ...] = ("one", "two"),
    seen: int = SEEN,
    origin: str = ORIGIN,
) -> bytes:
    """A head of this size and root, signed and cosigned."""
    checkpoint = Checkpoint(origin, size, root)
    keys = [_log_key(origin), *(WITNESSES[name] for name in by)]
    lines = [key.line(checkpoint.text, seconds=seen) for key in keys]
    return with_lines(checkpoint.text, lines).encode()


def source_of(connection: Connection, keys: Ring, **changes: Any) -> Source:
    """Everything may be shown, unless the test says otherwise."""
    labels = frozenset({"s", "y", "a"})
    whole = Source(connection, 0, b"", POLICY_TEXT, "test", keys, labels)
    changed = replace(whole, **changes)
    return changed if changed.note else replace(changed, note=note_of(connection))


def range_of(source: Source, **asked: Any) -> bytes:
    """The bytes of a bundle of a range."""
    out = BytesIO()
    export.export_range(source, out, **asked)
    return out.getvalue()


def record_of(source: Source, keys: Ring, client: str) -> bytes:
    """The bytes of a bundle of one client's record."""
    out = BytesIO()
    wanted = search.Filter(subject=keys.blind("sub", client))
    found = search.indexes(source.connection, shard=0, wanted=wanted)
    export.export_selection(source, out, indexes=found, filters={"client": "asked"})
    return out.getvalue()


def judged(place: Path, bundle: bytes, *older: bytes, policy: str | None = POLICY_TEXT) -> Report:
    """What the verifier says of a bundle."""
    path = place / "bundle.odaudit"
    path.write_bytes(bundle)
    return verify_bundle(path, None if policy is None else policy.encode(), older)


def said(report: Report) -> dict[str, int | None]:
    """The contradictions by code, or where there are none, what could not be verified."""
    sort = report.exit_code == 1
    return {each.code: each.at for each in report.findings if each.contradicts is sort}


def members(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(contents: Mapping[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def changed(bundle: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The bundle with one member changed, in a container that is whole."""
    contents = members(bundle)
    return repacked(contents | {name: change(contents[name])})


def erase(connection: Connection, keys: Ring, head: log.Head, n: int | None = None) -> log.Head:
    """Erase the first client, and own up to it."""
    buried = shred(connection, shard=0, key_id=UUID(ANN).bytes)
    keys.forget(ANN)
    event = SubjectErased(kf="k" * 43, n=buried if n is None else n, lb="x", rq="y")
    return add(connection, keys, head, [event])
