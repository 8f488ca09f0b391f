"""A log of every format version there was is opened and verified, for ever (audit-log.md, 19)."""

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pysqlite3
import pytest
from sqlalchemy import Connection, create_engine, insert, text

from audit import log, search, verify
from audit.live import verify_log
from audit.parts import Mac, blind
from tests.audit.bundles import members
from tests.audit.conftest import TABLES
from tests.audit.log_builders import NOON, POLICY, Ring, record, released

FOLDERS = sorted((Path(__file__).parents[1] / "data").glob("log-v*"))
ROOTS = {"log-v1": (270, "8be25431eb5ac4b423f9c3f50462013c5afa87a286348f39ba714ea4efe5d70a")}


class KeptKeys(Ring):
    """The keys that were kept with the log, and new ones for who comes after."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        kept = json.loads(path.read_text("utf-8"))
        self.nobody = bytes.fromhex(kept["nobody"])
        self.client: str = kept["client"]
        self._mac = Mac(bytes.fromhex(kept["index"]))
        self._by_id = {bytes.fromhex(id): bytes.fromhex(key) for id, key in kept["by_id"].items()}

    def blind(self, use: str, identifier: str) -> bytes:
        return blind(self._mac, use, identifier)


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def opened(connection: Connection, folder: Path, tmp_path: Path) -> Connection:
    """The kept log, copied row by row into a database of each kind."""
    copy = shutil.copy(folder / "log.db", tmp_path / "kept.db")
    kept = create_engine(f"sqlite:///{copy}", module=pysqlite3)
    with kept.connect() as source:
        for table in TABLES:
            # A column that came later is not in it.
            there = text(f"SELECT * FROM {table.name}")  # noqa: S608 - our names
            rows = [dict(row) for row in source.execute(there).mappings()]
            if rows:
                connection.execute(insert(table), rows)
    kept.dispose()
    return connection


def test_there_is_one_for_every_version_that_is_written() -> None:
    assert [path.name for path in FOLDERS] == [f"log-v{n}" for n in range(1, verify.FORMAT + 1)]


def test_it_is_byte_for_byte_the_one_that_was_kept(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}

    names = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}

    assert names == sums.keys()
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_the_log_still_holds(opened: Connection, folder: Path) -> None:
    keys = KeptKeys(folder / "keys.json")

    report = verify_log(opened, shard=0, keys=keys, deep=True)

    assert report.findings == ()
    assert (report.size, report.root.hex()) == ROOTS[folder.name]
    timeline = search.timeline(opened, shard=0, client=keys.client, keys=keys)
    assert (timeline.complete, len(timeline.hits), timeline.expired) == (True, 83, 2)


def test_it_can_be_gone_on_with(opened: Connection, folder: Path) -> None:
    keys = KeptKeys(folder / "keys.json")
    after = log.head(opened, shard=0)
    events = record([released(keys.client) for _ in range(300)])
    at = NOON + timedelta(days=9000)

    log.append(opened, events, after=after, at=at, keys=keys, policy=POLICY)

    report = verify_log(opened, shard=0, keys=keys, deep=True)
    assert (report.findings, report.size) == ((), after.size + 300)


@pytest.mark.parametrize("name", ["bundle", "record"])
def test_its_bundles_still_verify(folder: Path, name: str, tmp_path: Path) -> None:
    policy = (folder / "policy.txt").read_bytes()
    older = (folder / "older.note").read_bytes()
    path = folder / f"{name}.odaudit"

    report = verify.verify_bundle(path, policy, [older] if name == "bundle" else [])
    # A verifier that was handed out once goes on working, too.
    (tmp_path / "verify.py").write_bytes(members(path.read_bytes())["verify.py"])
    command = [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(path)]
    then = subprocess.run(  # noqa: S603 - the verifier that was kept
        [*command, "--policy", str(folder / "policy.txt")], capture_output=True, check=False
    )

    assert (report.findings, report.exit_code) == ((), 0)
    assert then.returncode == 0, then.stdout
