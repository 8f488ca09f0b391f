"""A backup is a whole copy without keys; put back, it is told for what it is."""

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from audit import records
from exchange import backing_up
from exchange.backing_up import back_up
from exchange.database import DatabaseOptions, Unsafe
from exchange.services import SHARD, VERSION, Services, build_services
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.backups import BIN, backed_up, put_back, unpacked
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import command_line
from tests.exchange.tampering import flip, head, tamper

sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def with_its_own_pg_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")


def started(services: Services, clock: Clock) -> Services:
    return build_services(services.settings, clock=clock)


@pytest.mark.case("T89")
@pytest.mark.case("AL05")
def test_t89_a_backup_that_was_put_back_is_told_and_only_hears_withdrawals(
    broker: Broker, clock: Clock, tmp_path: Path
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    broker.application("vdab-gent")
    made = backed_up(broker.services.settings, tmp_path / "copy")
    assert story.withdraw().status_code == 200
    broker.services.checkpointing.once()
    broker.services.close()
    put_back(broker.services.settings, tmp_path / "copy")

    again = started(broker.services, clock)
    there = Story(Broker(again, clock, _applications=broker._applications), *story.rest)  # noqa: SLF001 - the same parties

    assert head(again).size == made["size"]
    assert again.admission.frozen is not None
    assert there.fetch().status_code == 503
    assert there.withdraw().status_code == 202
    assert len(list(again.spool.kept())) == 1
    assert head(again).size == made["size"]
    again.close()


def test_a_backup_that_lost_nothing_may_be_put_back(
    services: Services, clock: Clock, tmp_path: Path
) -> None:
    services.checkpointing.once()
    services.close()
    backed_up(services.settings, tmp_path / "copy")
    put_back(services.settings, tmp_path / "copy")

    again = started(services, clock)

    assert again.admission.frozen is None
    assert again.writer.submit(note, "goes-on").result(PATIENCE).value == "goes-on"
    again.close()


def test_the_manifest_says_what_is_in_it_and_what_is_not(
    services: Services, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    made = backed_up(services.settings, out)

    stored = json.loads((out / "manifest.json").read_text())
    raw = (out / made["file"]).read_bytes()
    assert stored == made
    assert (made["size"], made["epoch"]) == (head(services).size, 1)
    assert (made["bytes"], made["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert {path.name for path in out.iterdir()} == {made["file"], "manifest.json"}
    assert any("high-water" in each for each in made["left_out"])
    assert out.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.iterdir())


def test_no_key_is_in_a_backup(broker: Broker, tmp_path: Path) -> None:
    broker.story("cl-0004", "vdab-gent", "P2")
    services = broker.services
    services.checkpointing.once()
    with services.database.reading() as connection:
        parts = records.parts_between(connection, shard=SHARD, start=0, stop=1000)
    keys = {bytes(each.key_id) for each in parts if each.key_id and any(each.key_id)}
    shelf = services.keys._shelf  # noqa: SLF001 - what stands there is what must not be copied
    wrapped = [each for key_id in keys if (each := shelf.get(key_id))]
    out = tmp_path / "copy"

    made = backed_up(services.settings, out)

    raw = unpacked(out / made["file"])
    assert wrapped
    assert not any(each in raw or each.hex().encode() in raw for each in wrapped)
    assert any(each in raw or each.hex().encode() in raw for each in keys)


@sqlite
def test_what_is_written_meanwhile_neither_disturbs_the_copy_nor_waits(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "PAGES", 8)
    before, told = head(services).size, list[tuple[int, int]]()

    def tell(done: int, total: int) -> None:
        told.append((done, total))
        assert len(told) < 1000, "the copy begins anew with every write"
        services.writer.submit(note, f"meanwhile-{len(told)}").result(PATIENCE)

    options = DatabaseOptions(services.settings.url)
    made = back_up(options, tmp_path / "copy", shard=SHARD, version=VERSION, tell=tell)

    assert made["size"] == before
    assert head(services).size == before + len(told)
    assert len(told) > 2
    assert told[-1][0] == told[-1][1] > 0
    assert [done for done, _ in told] == sorted({done for done, _ in told})


@sqlite
def test_with_a_journal_that_is_deleted_the_copy_is_whole_too(
    services: Services, tmp_path: Path
) -> None:
    size = head(services).size
    services.close()
    other = services.settings.model_copy(update={"sqlite_journal": "delete"})

    made = backed_up(other, tmp_path / "copy")

    assert made["size"] == size
    with sqlite3.connect(tmp_path / "copy" / "overdracht.db") as copy:
        assert copy.execute("SELECT count(*) FROM audit_entry").fetchone() == (size,)


@postgresql
def test_a_dump_holds_what_its_manifest_says_whatever_is_written_meanwhile(
    services: Services, clock: Clock, tmp_path: Path
) -> None:
    def tell(_done: int, _total: int) -> None:
        services.writer.submit(note, "meanwhile").result(PATIENCE)

    options = DatabaseOptions(services.settings.url)
    made = back_up(options, tmp_path / "copy", shard=SHARD, version=VERSION, tell=tell)
    assert head(services).size == made["size"] + 2
    services.close()
    put_back(services.settings, tmp_path / "copy")

    again = started(services, clock)

    assert len(logged(again)) == made["size"]
    again.close()


@postgresql
def test_without_pg_dump_the_operator_is_told_what_to_run(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unsafe, match="pg_dump --format=custom --exclude-schema=overdracht_keys"):
        backed_up(services.settings, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@sqlite
def test_a_damaged_database_gives_no_backup(services: Services, tmp_path: Path) -> None:
    tamper(services, lambda connection: flip(connection, 5))

    with pytest.raises(Unsafe, match="the log in the copy is damaged"):
        backed_up(services.settings, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_folder_that_is_there_is_never_written_over(services: Services, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(Unsafe, match="name a new folder"):
        backed_up(services.settings, tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_the_command_line_tells_what_is_missing_on_purpose(
    services: Services,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    overdracht = command_line(services.settings, monkeypatch, capsys)

    done = overdracht("backup", "--out", tmp_path / "copy")

    assert done.code == 0, done.words
    assert f"{head(services).size} entries" in done.words
    assert "Not in it: log.key" in done.words
    assert overdracht("backup", "--out", tmp_path / "copy").code == 2
