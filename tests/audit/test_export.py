import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update
from sqlmodel import col

from audit import leaf, verify
from audit.events import SubjectErased
from audit.export import Earlier, ExportRefused
from audit.records import AuditEntry, AuditIndex, AuditPart, AuditTile
from tests.audit.bundles import (
    POLICY_TEXT,
    changed,
    erase,
    judged,
    members,
    note_of,
    note_over,
    range_of,
    record_of,
    said,
    source_of,
)
from tests.audit.log_builders import ANN, BEN, Ring, a_log, add, change, leaf_at


@pytest.mark.parametrize("size", [4, 255, 256, 257, 513, 700])
def test_a_whole_log_is_exported_and_holds(
    connection: Connection, tmp_path: Path, size: int
) -> None:
    keys = Ring()
    a_log(connection, keys, size)

    report = judged(tmp_path, range_of(source_of(connection, keys)))

    assert (report.findings, report.exit_code, report.size) == ((), 0, size)


@pytest.mark.parametrize("labels", [(), ("s", "y")])
def test_a_part_of_the_log_holds_by_itself(
    connection: Connection, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    keys = Ring()
    a_log(connection, keys, 1000)
    source = source_of(connection, keys, labels=frozenset(labels))

    bundle = range_of(source, start=300, stop=400)

    assert judged(tmp_path, bundle).findings == ()
    entries = [name for name in members(bundle) if name.startswith("tile/entries/")]
    assert entries == ["tile/entries/001"]


def test_a_persons_record_is_shown_to_be_complete(connection: Connection, tmp_path: Path) -> None:
    keys = Ring()
    a_log(connection, keys, 300)

    report = judged(tmp_path, record_of(source_of(connection, keys), keys, ANN))

    assert report.findings == ()
    assert report.notes == ("numbered without a gap: 100 entries of 1 person(s)",)


def test_the_same_question_gives_the_same_bytes(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    source = source_of(connection, keys)

    assert range_of(source) == range_of(source)
    assert record_of(source, keys, BEN) == record_of(source, keys, BEN)


def test_nothing_is_shown_that_may_not_be(connection: Connection) -> None:
    keys = Ring()
    a_log(connection, keys, 60)
    source = source_of(connection, keys, labels=frozenset({"s"}))

    shown = [json.loads(line) for line in members(range_of(source))["parts.jsonl"].splitlines()]

    assert {each["l"] for each in shown} == {"s"}
    assert {each["i"] for each in shown if "pt" not in each} == set()


def test_the_verifier_runs_alone_with_the_standard_library(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    (tmp_path / "b.odaudit").write_bytes(range_of(source_of(connection, keys)))
    (tmp_path / "mine.txt").write_text(POLICY_TEXT)
    (tmp_path / "verify.py").write_bytes(Path(verify.__file__).read_bytes())
    (tmp_path / "older.note").write_bytes(note_of(connection, size=100))

    command = [sys.executable, "-I", "-S", "verify.py", "b.odaudit", "--policy", "mine.txt"]
    ran = subprocess.run(  # noqa: S603 - our own file
        [*command, "--checkpoint", "older.note", "--json"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["findings"] == []


def test_wrong_use_ends_with_2_and_words(tmp_path: Path) -> None:
    for arguments in ([], ["none.odaudit"], ["none.odaudit", "--policy", "none.txt"]):
        ran = subprocess.run(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", verify.__file__, *arguments],
            cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 2
        assert b"Traceback" not in ran.stderr
        assert ran.stdout + ran.stderr


def test_keys_that_come_with_the_bundle_prove_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 10)

    report = judged(tmp_path, range_of(source_of(connection, keys)), policy=None)

    assert (report.exit_code, said(report)) == (2, {"policy": None})


@pytest.mark.case("AL01")
@pytest.mark.parametrize("idx", [0, 7, 255, 256, 299])
def test_al01_a_changed_leaf_is_named(connection: Connection, tmp_path: Path, idx: int) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    note, raw = note_of(connection), leaf_at(connection, idx)

    change(connection, AuditEntry, idx, leaf=raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:])

    report = judged(tmp_path, range_of(source_of(connection, keys, note=note)))
    assert report.exit_code == 1
    places = [each.at for each in report.findings if each.contradicts]
    assert idx in places or places == [None]


@pytest.mark.case("AL01")
def test_al01_a_forgery_in_good_form_is_found_offline(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    body = leaf.read(leaf_at(connection, 17))

    change(connection, AuditEntry, 17, leaf=leaf.canon(body | {"c": "org:somebody-else"}))

    report = judged(tmp_path, range_of(source_of(connection, keys, labels=frozenset())))
    assert (report.exit_code, said(report)) == (1, {"tile": 17})


@pytest.mark.case("AL02")
def test_al02_two_leaves_swapped_are_found(connection: Connection, tmp_path: Path) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    one, other = leaf_at(connection, 30), leaf_at(connection, 31)

    change(connection, AuditEntry, 30, leaf=other)
    change(connection, AuditEntry, 31, leaf=one)

    report = judged(tmp_path, range_of(source_of(connection, keys, labels=frozenset())))
    assert (report.exit_code, said(report)) == (1, {"tile": 30})


@pytest.mark.case("AL02")
def test_al02_a_log_with_a_hole_is_not_exported_as_if_it_were_whole(
    connection: Connection,
) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    source = source_of(connection, keys)

    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == 40))

    with pytest.raises(ExportRefused, match="audit verify"):
        range_of(source)


@pytest.mark.case("AL03")
def test_al03_a_changed_tile_is_found_offline(connection: Connection, tmp_path: Path) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    source = source_of(connection, keys)

    connection.execute(
        update(AuditTile)
        .where(col(AuditTile.level) == 0, col(AuditTile.n) == 1)
        .values(data=bytes(8192))
    )

    report = judged(tmp_path, range_of(source))
    assert report.exit_code == 1
    assert said(report)["tile"] == 256


@pytest.mark.case("AL06")
def test_al06_a_history_that_was_written_anew_is_betrayed_by_an_older_head(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    forged = note_over(256, bytes(32))
    kept = note_of(connection, size=300)

    bundle = range_of(source_of(connection, keys))

    assert judged(tmp_path, bundle, kept).findings == ()
    report = judged(tmp_path, bundle, forged)
    assert (report.exit_code, said(report)) == (1, {"consistency": None})


@pytest.mark.case("AL06")
def test_al06_earlier_heads_travel_along_with_their_proofs(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    earlier = [Earlier(size, note_of(connection, size=size)) for size in (3, 256, 300)]

    source = source_of(connection, keys, earlier=earlier)
    assert judged(tmp_path, record_of(source, keys, ANN), earlier[1].note).findings == ()

    wrong = [Earlier(300, note_over(300, bytes(32)))]
    report = judged(tmp_path, range_of(source_of(connection, keys, earlier=wrong)))
    assert (report.exit_code, said(report)) == (1, {"consistency": None})


@pytest.mark.case("AL07")
def test_al07_without_a_quorum_nothing_is_proven(connection: Connection, tmp_path: Path) -> None:
    keys = Ring()
    a_log(connection, keys, 20)

    report = judged(
        tmp_path, range_of(source_of(connection, keys, note=note_of(connection, by=("one",))))
    )

    assert (report.exit_code, said(report)) == (2, {"quorum": None})


@pytest.mark.case("AL08")
def test_al08_an_entry_hidden_from_the_index_leaves_its_number(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 300)
    source = source_of(connection, keys)
    connection.execute(delete(AuditIndex).where(col(AuditIndex.idx) == 64))

    report = judged(tmp_path, record_of(source, keys, ANN))

    assert (report.exit_code, said(report)) == (2, {"number": 67})


@pytest.mark.case("AL10")
def test_al10_a_part_of_another_event_is_not_shown_as_this_ones(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 60)
    connection.execute(
        update(AuditPart)
        .where(col(AuditPart.idx) == 10, col(AuditPart.label) == "y")
        .values(ct=bytes(60))
    )
    bundle = range_of(source_of(connection, keys))
    lines = [json.loads(line) for line in members(bundle)["parts.jsonl"].splitlines()]
    ten = [each for each in lines if each["i"] == 10 and each["l"] == "y"]
    assert ten == [{"i": 10, "l": "y", "state": "withheld"}]

    one, other = (each for each in lines if each["i"] in (7, 13) and each["l"] == "y")
    moved = [one | {"i": other["i"]} if each is other else each for each in lines]
    text = b"".join(verify.canonical(each) + b"\n" for each in moved)
    report = judged(tmp_path, changed(bundle, "parts.jsonl", lambda _: text))
    assert (report.exit_code, said(report)) == (1, {"part": 13})


@pytest.mark.case("AL11")
@pytest.mark.parametrize("forge", ["salt", "pt"])
def test_al11_a_forged_salt_or_text_fits_no_commitment(
    connection: Connection, tmp_path: Path, forge: str
) -> None:
    keys = Ring()
    a_log(connection, keys, 60)
    bundle = range_of(source_of(connection, keys))
    lines = [json.loads(line) for line in members(bundle)["parts.jsonl"].splitlines()]
    part = next(each for each in lines if each["i"] == 9 and each["l"] == "y")
    part[forge] = part[forge].replace("c-canary-1", "c-canary-2") if forge == "pt" else "A" * 43
    if forge == "pt" and "canary-2" not in part["pt"]:
        part["pt"] = part["pt"].replace("NO_CONSENT", "NO_CONSENU")
    text = b"".join(verify.canonical(each) + b"\n" for each in lines)

    report = judged(tmp_path, changed(bundle, "parts.jsonl", lambda _: text))

    assert (report.exit_code, said(report)["part"]) == (1, 9)


@pytest.mark.case("AL12")
@pytest.mark.parametrize("away", [timedelta(hours=1), timedelta(days=2)])
def test_al12_entries_dated_after_a_witness_saw_them_are_found(
    connection: Connection, tmp_path: Path, away: timedelta
) -> None:
    keys = Ring()
    head = a_log(connection, keys, 40)
    add(connection, keys, head, [SubjectErased(kf="k", n=0, lb="x", rq="y")], later=away)

    report = judged(tmp_path, range_of(source_of(connection, keys)))

    assert (report.exit_code, said(report)) == (1, {"dated": 40})


@pytest.mark.case("AL12")
def test_al12_entries_dated_before_a_head_without_them_are_found(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 40)
    earlier = [Earlier(20, note_of(connection, size=20, seen=2_000_000_000))]
    later = note_of(connection, seen=2_000_000_000)

    report = judged(tmp_path, range_of(source_of(connection, keys, note=later, earlier=earlier)))

    assert (report.exit_code, said(report)) == (1, {"dated": 20})


@pytest.mark.case("AL13")
def test_al13_an_erasure_balances_or_contradicts(connection: Connection, tmp_path: Path) -> None:
    keys = Ring()
    head = a_log(connection, keys, 300)
    erase(connection, keys, head)

    whole = range_of(source_of(connection, keys))
    assert judged(tmp_path, whole).findings == ()
    assert judged(tmp_path, record_of(source_of(connection, keys), keys, BEN)).findings == ()

    fewer = changed(whole, "parts.jsonl", lambda raw: raw.replace(b"shredded", b"withheld", 1))
    assert said(judged(tmp_path, fewer)) == {"balance": None}


@pytest.mark.case("AL13")
def test_al13_parts_that_nobody_owned_up_to_contradict_a_whole_log_and_leave_a_part_open(
    connection: Connection, tmp_path: Path
) -> None:
    keys = Ring()
    a_log(connection, keys, 600)
    connection.execute(
        update(AuditPart).where(col(AuditPart.idx) == 10).values(ct=None, key_id=None, state=2)
    )

    source = source_of(connection, keys)
    whole, part = range_of(source), range_of(source, start=0, stop=200)

    assert (judged(tmp_path, whole).exit_code, said(judged(tmp_path, whole))) == (
        1,
        {"balance": 1},
    )
    assert (judged(tmp_path, part).exit_code, said(judged(tmp_path, part))) == (
        2,
        {"balance": None},
    )
