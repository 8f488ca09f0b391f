"""Tiles as files: whoever serves the folder is a mirror, and what was written never changes."""

import threading
from pathlib import Path
from queue import Queue

import pytest

from audit.mirror import mirrored_head, mirrored_leaves
from audit.policy import NO_WITNESSES
from audit.publishing import NotTheSame
from audit.tiles import place_of
from audit.tree import leaf_hash
from exchange.checkpointing import Signing
from exchange.flows.prune_log import prune_log, sweep_log
from exchange.publishing import keep_publishing, publish
from exchange.regaining import fetching
from exchange.services import SHARD, Services
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import command_line
from tests.exchange.tampering import hashes, head, rewind


def grow(services: Services, count: int) -> None:
    made = [services.writer.submit(note, f"n-{number}") for number in range(count)]
    for each in made:
        each.result(PATIENCE)
    services.checkpointing.once()


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def write(services: Services, folder: Path, *, entries: bool = True) -> int:
    written = publish(services.database, folder, shard=SHARD, entries=entries)
    assert written is not None
    return written.files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "public"


def test_a_folder_that_is_served_as_it_is_proves_the_whole_log(
    services: Services, folder: Path
) -> None:
    grow(services, 300)

    write(services, folder)

    fetch = fetching(str(folder))
    said = mirrored_head(fetch, services.checkpointing.vkeys, NO_WITNESSES)
    leaves = list(mirrored_leaves(fetch, 0, said.size))
    assert [leaf_hash(each) for each in leaves] == hashes(services)
    width = said.size - 256
    assert {"checkpoint", "tile/0/000", f"tile/0/001.p/{width}", "tile/1/000.p/1"} <= {
        *files(folder)
    }
    assert (folder / "tile/0/000").read_bytes() == b"".join(hashes(services)[:256])


def test_what_is_written_again_is_written_once(services: Services, folder: Path) -> None:
    grow(services, 10)

    first, before = write(services, folder), files(folder)

    assert first == len(before) - 1  # the checkpoint changes, the others are new
    assert write(services, folder) == 0
    assert files(folder) == before


def test_a_log_that_grows_adds_files_and_takes_away_partial_ones_that_are_full_now(
    services: Services, folder: Path
) -> None:
    grow(services, 5)
    write(services, folder)
    assert list((folder / "tile/0").glob("000.p/*"))
    grow(services, 300)

    write(services, folder)

    full = (folder / "tile/0/000").stat()
    assert not (folder / "tile/0/000.p").exists()
    assert not (folder / "tile/entries/000.p").exists()
    grow(services, 5)
    write(services, folder)
    after = (folder / "tile/0/000").stat()
    assert (full.st_ino, full.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.case("AL03")
@pytest.mark.parametrize("name", ["tile/0/000", "tile/entries/000"])
def test_al03_a_full_tile_is_never_replaced_by_other_bytes(
    services: Services, folder: Path, name: str
) -> None:
    grow(services, 300)
    place = folder / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"another")

    with pytest.raises(NotTheSame, match=name):
        write(services, folder)

    assert place.read_bytes() == b"another"
    assert not (folder / "checkpoint").exists()


@pytest.mark.case("AL04")
def test_al04_a_log_that_was_put_back_is_not_written_over_what_was_shown(
    services: Services, folder: Path
) -> None:
    grow(services, 3)
    short = head(services)
    grow(services, 3)
    write(services, folder)
    before = files(folder)
    rewind(services, short)

    with pytest.raises(NotTheSame, match="the folder holds"):
        write(services, folder)
    services.settings.high_water_path.unlink()
    keep_publishing(services.database, folder, shard=SHARD, entries=True)

    assert files(folder) == before


@pytest.mark.case("AL07")
def test_al07_another_log_of_the_same_length_is_not_written_over_it(
    services: Services, folder: Path
) -> None:
    grow(services, 3)
    write(services, folder)
    shown = folder / "checkpoint"
    size, root = shown.read_text().split("\n")[1:3]
    shown.write_text(shown.read_text().replace(root, "A" * 43 + "="))

    with pytest.raises(NotTheSame, match=f"first {size} entries are others"):
        write(services, folder)


def test_entries_are_written_only_where_it_is_said(services: Services, folder: Path) -> None:
    grow(services, 3)

    write(services, folder, entries=False)

    assert not (folder / "tile/entries").exists()
    assert (folder / "checkpoint").stat().st_mode & 0o777 == 0o644
    write(services, folder.with_name("closed"))
    closed = folder.with_name("closed") / "tile/entries" / f"{place_of(0)}.p"
    assert {each.stat().st_mode & 0o777 for each in closed.iterdir()} == {0o640}


def test_each_new_head_is_written_by_the_host_that_signs(services: Services, folder: Path) -> None:
    written = threading.Event()

    def then() -> None:
        write(services, folder)
        written.set()

    signing = Signing(services.checkpointing, 0.01, then=then)

    assert written.wait(PATIENCE)
    signing.close()
    assert (folder / "checkpoint").read_bytes().startswith(b"127.0.0.1:8080/audit/tlog/s0e1\n")


def test_heads_are_signed_while_one_is_being_written(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, signed, written = services.checkpointing.once, Queue[int](), Queue[int]()
    enough = threading.Event()

    def signs() -> object:
        made = once()
        if made is not None:
            signed.put(made.size)
        return made

    def then() -> None:
        written.put(head(services).size)
        assert enough.wait(PATIENCE)

    monkeypatch.setattr(services.checkpointing, "once", signs)
    signing = Signing(services.checkpointing, 0.01, then=then)
    assert signed.get(timeout=PATIENCE) == written.get(timeout=PATIENCE)
    services.writer.submit(note, "meanwhile").result(PATIENCE)

    assert signed.get(timeout=10) == head(services).size
    assert written.empty()
    enough.set()
    assert written.get(timeout=PATIENCE) == head(services).size
    signing.close()


def test_a_folder_of_a_pruned_log_begins_where_the_log_does(
    services: Services, folder: Path
) -> None:
    grow(services, 600)
    services.writer.submit(prune_log, 256, "p-2026").result(PATIENCE)
    services.writer.submit(sweep_log).result(PATIENCE)
    services.checkpointing.once()

    write(services, folder)

    fetch = fetching(str(folder))
    said = mirrored_head(fetch, services.checkpointing.vkeys, NO_WITNESSES)
    assert not (folder / "tile/0/000").exists()
    assert not (folder / "tile/entries/000").exists()
    assert [leaf_hash(each) for each in mirrored_leaves(fetch, 256, said.size)] == hashes(services)
    assert write(services, folder) == 0


def test_the_command_line_publishes_what_is_signed(
    services: Services,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    overdracht = command_line(services.settings, monkeypatch, capsys)

    assert overdracht("audit", "publish", str(folder)).code == 2
    services.checkpointing.once()
    done = overdracht("audit", "publish", str(folder), "--json")

    assert (done.code, done.json["size"]) == (0, head(services).size)
    assert not (folder / "tile/entries").exists()
