"""The container of a bundle, and every bit in it: nothing changes unnoticed, nothing breaks out."""

import json
from functools import partial
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection

from audit.export import Earlier
from audit.verify import canonical
from tests.audit.bundles import (
    changed,
    erase,
    judged,
    members,
    note_of,
    note_over,
    range_of,
    record_of,
    repacked,
    said,
    source_of,
)
from tests.audit.log_builders import BEN, Ring, a_log


def test_a_stranger_among_the_members_is_refused(connection: Connection, tmp_path: Path) -> None:
    keys = Ring()
    a_log(connection, keys, 10)
    good = members(range_of(source_of(connection, keys)))

    for name in ("../evil", "/etc/passwd", "tile/0/../000", "leaves/01x", "evidence/../x", "a b"):
        report = judged(tmp_path, repacked(good | {name: b"x"}))
        assert (report.exit_code, said(report)) == (2, {"container": None}), name


@pytest.mark.parametrize(
    "name", ["checkpoint", "tile/0/000.p/40", "tile/entries/000.p/40", "manifest.json"]
)
def test_a_bundle_that_lacks_something_is_incomplete(
    connection: Connection, tmp_path: Path, name: str
) -> None:
    keys = Ring()
    a_log(connection, keys, 40)
    contents = members(range_of(source_of(connection, keys)))
    del contents[name]

    assert judged(tmp_path, repacked(contents)).exit_code == 2


@pytest.mark.parametrize("start", [0, 8_999_999_999_999_000])
def test_a_size_that_is_only_claimed_costs_nothing(
    connection: Connection, tmp_path: Path, start: int
) -> None:
    keys, size = Ring(), 9_000_000_000_000_000
    a_log(connection, keys, 10)
    contents = members(range_of(source_of(connection, keys)))
    manifest = json.loads(contents["manifest.json"]) | {"from": start, "to": size, "size": size}
    claimed = {
        "manifest.json": canonical(manifest),
        "checkpoint": note_over(size, bytes.fromhex(manifest["root"])),
    }

    report = judged(tmp_path, repacked(contents | claimed))

    assert report.exit_code == 2
    assert any("are missing" in each.text or "is missing" in each.text for each in report.findings)
    assert not any("could not be verified" in each.text for each in report.findings)


def test_every_single_bit_that_is_changed_is_noticed(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 270)
    erase(connection, keys, head)
    earlier = [Earlier(100, note_of(connection, size=100))]
    source = source_of(connection, keys, earlier=earlier)
    kinds = {
        "tile/entries/000": range_of(source),
        "tile/entries/001.p/15": range_of(source),
        "tile/0/000": range_of(source),
        "tile/1/000.p/1": range_of(source),
        "parts.jsonl": range_of(source),
        "leaves/5": record_of(source, keys, BEN),
        "proofs/5.tlog-proof": record_of(source, keys, BEN),
        "older/100-271.proof": record_of(source, keys, BEN),
    }
    for name, bundle in kinds.items():
        content = members(bundle)[name]
        assert judged(tmp_path, repacked(members(bundle))).findings == ()
        for bit in range(3, len(content) * 8, max(1, len(content) * 8 // 17)):
            report = judged(tmp_path, changed(bundle, name, partial(_flip, bit)))
            assert report.exit_code in (1, 2), (name, bit)
    checkpoint = members(kinds["leaves/5"])["checkpoint"].partition(b"\n\n")[0]
    for bit in range(0, len(checkpoint) * 8, 5):
        bundle = changed(kinds["leaves/5"], "checkpoint", partial(_flip, bit))
        assert judged(tmp_path, bundle).exit_code in (1, 2), bit


def test_a_container_with_changed_bytes_never_breaks_the_verifier(
    connection: Connection, tmp_path: Path
) -> None:
    keys, random = Ring(), Random(7)  # noqa: S311 - the same mistakes every time
    a_log(connection, keys, 20)
    whole = range_of(source_of(connection, keys))
    for attempt in range(150):
        raw = bytearray(whole)
        for _ in range(random.choice([1, 1, 1, 4])):
            raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
        if attempt % 7 == 0:
            del raw[random.randrange(len(raw)) :]

        report = judged(tmp_path, bytes(raw))

        assert not any("could not be verified" in each.text for each in report.findings)


def _flip(bit: int, raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
