"""What a second process finds in an export is what one finds alone; and it never outlives us."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Unreadable
from exchange import importing
from exchange.checking import (
    Export,
    Fit,
    ReaderLost,
    Unread,
    findings,
    findings_from_beside,
)
from exchange.importing import Import, ImportRefused
from exchange.samples import DATA
from exchange.services import Services
from tests.adapters.exports import EXCERPTS
from tests.builders import logged

CSV, JSONL = "registration-csv", "registration-jsonl"
FOLDERS = {CSV: EXCERPTS / "leerwinkel", JSONL: EXCERPTS / "destap"}
HOLDERS = {CSV: "leerwinkel-wvl", JSONL: "destap-ww"}
LARGE = DATA / "leerwinkel"

BESIDE, ALONE = 0, 1_000_000

every_kind = pytest.mark.parametrize("kind", FOLDERS)


def export(services: Services, kind: str, path: Path) -> Export:
    scanner = services.directory().scanner
    return Export(kind, {}, path, services.clock().date(), scanner)


def report(services: Services, kind: str, beside_from: int, *, dry_run: bool = False) -> Any:
    run = Import(services, kind, HOLDERS[kind], dry_run=dry_run)
    for _ in run.run(FOLDERS[kind], beside_from=beside_from):
        pass
    return {name: each for name, each in run.report.document().items() if name != "seconds"}


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """Every process that reading starts."""
    started: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    return started


def test_the_other_process_is_told_nothing_of_our_settings(
    services: Services, children: list["subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERDRACHT_DATABASE_URL", "postgresql://somebody:secret@nowhere/none")

    with findings_from_beside(export(services, JSONL, FOLDERS[JSONL])) as found:
        next(found)
        (child,) = children
        told = Path(f"/proc/{child.pid}/environ").read_bytes()

    assert b"PATH=" in told
    assert b"OVERDRACHT_" not in told


@every_kind
def test_another_process_finds_the_same_in_the_same_order(services: Services, kind: str) -> None:
    asked = export(services, kind, FOLDERS[kind])

    alone = list(findings(asked))
    with findings_from_beside(asked) as found:
        beside = list(found)

    assert beside == alone
    assert any(isinstance(each, Fit) for each in alone)
    assert isinstance(alone[-1], Unread)


@every_kind
def test_an_import_reports_and_stores_the_same_wherever_it_reads(
    services: Services, kind: str
) -> None:
    assert report(services, kind, BESIDE, dry_run=True) == report(
        services, kind, ALONE, dry_run=True
    )

    first = report(services, kind, BESIDE)
    again = report(services, kind, ALONE)

    assert first["stored"] == first["new"] == again["unchanged"] > 1
    assert again["stored"] == 0


def test_the_other_process_ends_when_nobody_listens(
    services: Services, children: list["subprocess.Popen[bytes]"]
) -> None:
    with findings_from_beside(export(services, CSV, LARGE)) as found:
        next(found)
        (reader,) = children
        assert reader.poll() is None

    # At once, and not only when it next has something to say.
    assert reader.returncode == -signal.SIGKILL


def test_the_other_process_leaves_the_interrupt_to_who_started_it(
    services: Services, children: list["subprocess.Popen[bytes]"]
) -> None:
    asked = export(services, CSV, LARGE)
    with findings_from_beside(asked) as found:
        first = next(found)
        os.kill(children[0].pid, signal.SIGINT)
        rest = list(found)

    assert [first, *rest] == list(findings(asked))


def test_a_path_that_is_no_export_is_told_as_if_it_were_read_here(
    services: Services, tmp_path: Path
) -> None:
    with (
        findings_from_beside(export(services, CSV, tmp_path)) as found,
        pytest.raises(Unreadable, match="code book"),
    ):
        next(found)


def test_a_reader_that_dies_is_noticed(
    services: Services, children: list["subprocess.Popen[bytes]"]
) -> None:
    with findings_from_beside(export(services, CSV, LARGE)) as found:
        next(found)
        children[0].kill()
        with pytest.raises(ReaderLost):
            list(found)


def test_an_import_whose_reader_dies_says_so_and_goes_on_the_next_time(
    services: Services,
    children: list["subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 8)
    run = Import(services, CSV, HOLDERS[CSV], dry_run=False)
    taken = run.run(LARGE, beside_from=BESIDE)
    while run.report.clients < 40:
        next(taken)
    children[0].kill()

    with pytest.raises(ImportRefused, match="run the import again"):
        list(taken)
    before = sum(each["k"] == "client.registered" for each in logged(services))
    again = Import(services, CSV, HOLDERS[CSV], dry_run=False)
    list(again.run(LARGE, beside_from=BESIDE))

    assert before >= 40 - 8
    assert again.report.unchanged == before
    assert again.report.new == again.report.stored
