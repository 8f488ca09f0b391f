"""The operating system fails a write or a flush, or kills in the middle of it: nothing is torn.

Collected where `strace` can be run (tests/conftest.py): it makes the calls fail.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from audit.live import verify_log
from exchange.batch import EXIT_IO
from exchange.services import SHARD, build_services
from exchange.settings import Settings
from tests.builders import Clock
from tests.exchange.appending import TEXTS
from tests.exchange.commands import notes

SYNCS, WRITES = "fsync,fdatasync", "pwrite64"
LONG = 120


class Round(NamedTuple):
    """One run: whether the call was met, how the process ended, what it acknowledged."""

    struck: bool
    code: int
    said: list[str]


def struck_at(place: Path, template: Settings, calls: str, act: str, number: int) -> Round:
    """Append in a process whose call of this number, on the files of the database, goes wrong."""
    shutil.copytree(template.data_dir, place / "data")
    file = place / "data" / "overdracht.db"
    trace = ["-f", "-qq", "-o", str(place / "calls"), "-e", f"trace={calls}"]
    paths = ["-P", str(file), "-P", f"{file}-wal"]
    inject = ["-e", f"inject={calls}:{act}:when={number}"]
    run = [sys.executable, "-m", "tests.exchange.appending", str(place / "data")]
    done = subprocess.run(  # noqa: S603  # our own process
        ["strace", *trace, *paths, *inject, *run],  # noqa: S607  # whichever is installed
        capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    calls_made = (place / "calls").read_text()
    struck = "INJECTED" in calls_made or "killed by SIGKILL" in calls_made
    return Round(struck, done.returncode, done.stdout.split())


def numbers(calls: str) -> Iterator[int]:
    """Every flush; of the writes, which are many, ever fewer."""
    return count(1) if calls == SYNCS else (3**n for n in count())


@pytest.mark.case("AL17")
@pytest.mark.case("AL18")
@pytest.mark.parametrize("act", ["error=EIO", "signal=KILL"])
@pytest.mark.parametrize("calls", [SYNCS, WRITES])
def test_al17_al18_no_call_that_fails_tears_the_log(
    sqlite_template: Settings, tmp_path: Path, calls: str, act: str
) -> None:
    met = 0
    for number in numbers(calls):
        place = tmp_path / f"r{number}"
        place.mkdir()
        found = struck_at(place, sqlite_template, calls, act, number)
        settings = Settings(data_dir=place / "data")
        services = build_services(settings, clock=Clock())
        with services.database.reading() as connection:
            report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
        assert report.findings == (), number
        stored, acknowledged = notes(services), found.said[1:]
        assert stored[: len(acknowledged)] == acknowledged
        assert stored == list(TEXTS)[: len(stored)]
        services.close()
        if not found.struck:
            assert (found.code, acknowledged) == (0, list(TEXTS))
            break
        met += 1
        # What a failed flush left in the page cache may lie: there is no going on from it.
        if act == "error=EIO" and 0 < len(found.said) <= len(TEXTS):
            assert found.code == EXIT_IO, number
    assert met >= len(TEXTS)
