"""From a mirror the log goes on after a loss: no entry is missing, and numbers have no gap."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlmodel import SQLModel

from audit import log, published
from audit.head_checks import verify_heads
from audit.live import verify_log
from audit.log import NotOpened
from audit.verify import tile_name
from exchange.database import Unsafe
from exchange.exporting import range_bundle
from exchange.keeping import clients_erase, keys_rotate
from exchange.operations import OperationRefused
from exchange.regaining import Restored, fetching, from_mirror, named
from exchange.restoring import WAIT
from exchange.services import SHARD, Services, build_services
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.backups import BIN, backed_up, put_back
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import command_line
from tests.exchange.tampering import hashes, tamper
from tests.exchange.test_upgrading import BOUNDS


@dataclass
class Lost:
    """A broker on an older database, and a mirror that has what was lost."""

    services: Services
    story: Story
    clock: Clock
    size: int
    before: list[bytes]
    entries: list[dict[str, Any]]
    mirror: Path

    def again(self, *, regains: str = "") -> None:
        self.services.close()
        settings = self.services.settings
        self.services = build_services(settings, clock=self.clock, regains=regains)
        broker = Broker(self.services, self.clock, _applications=self.story.broker._applications)  # noqa: SLF001 - the same parties
        self.story = Story(broker, *self.story.rest)

    def restore(self, fetch: Callable[[str], bytes | None] | None = None) -> Restored:
        self.clock.move(WAIT)
        done = from_mirror(self.services, fetch or fetching(str(self.mirror)), operator="op-1")
        self.again()
        return done


Loses = Callable[[Callable[[Services, Story], object]], Lost]


@pytest.fixture
def losing(
    broker: Broker, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Loses]:
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    services, found = broker.services, list[Lost]()
    story = broker.story("cl-0004", "vdab-gent", "P2")
    assert story.answer("acceptance").is_success
    services.checkpointing.once()
    made = backed_up(services.settings, tmp_path / "copy")

    def lose(meanwhile: Callable[[Services, Story], object]) -> Lost:
        meanwhile(services, story)
        services.checkpointing.once()
        mirror = tmp_path / "mirror.odaudit"
        with mirror.open("wb") as out:
            range_bundle(services, out, 0, None)
        said = hashes(services), logged(services)
        services.close()
        put_back(services.settings, tmp_path / "copy")
        found.append(Lost(services, story, clock, made["size"], *said, mirror))
        found[0].again()
        return found[0]

    yield lose
    found[0].services.close()


def busy(services: Services, story: Story) -> None:
    """Two clients are looked at, one of them for the first time."""
    assert story.fetch().is_success
    other = story.broker.story("cl-0005", "vdab-wvl", "P2")
    assert other.fetch().is_success
    assert story.fetch(handover="h-unknown").status_code in (404, 422)
    services.writer.submit(note, "busy").result(PATIENCE)


def findings(services: Services) -> list[tuple[str, int | None, str]]:
    with services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
        heads = verify_heads(connection, shard=SHARD, everything=True)
    return [(each.code, each.at, each.text) for each in (*report.findings, *heads)]


@pytest.mark.case("AL05")
def test_al05_the_log_goes_on_where_it_was_with_every_entry(losing: Loses) -> None:
    lost = losing(busy)
    assert lost.services.admission.frozen is not None

    done = lost.restore()

    assert lost.services.admission.frozen is None
    assert hashes(lost.services)[: len(lost.before)] == lost.before
    assert (done.first, done.entries) == (lost.size, len(lost.before) - lost.size)
    assert findings(lost.services) == []
    head = lost.services.checkpointing.once(again=True)
    assert head is not None
    assert head.note.startswith("127.0.0.1:8080/audit/tlog/s0e1\n")


def test_every_client_keeps_their_numbers_and_goes_on_from_there(losing: Loses) -> None:
    lost = losing(busy)
    done = lost.restore()
    lost.story.broker.given(lost.story.sample, lost.story.handle)
    assert lost.story.fetch().is_success

    now = logged(lost.services)
    told = [
        (each["index"], each["client"], each["sn"])
        for each in lost.entries
        if "sn" in each and "client" in each
    ]
    again = [(each["index"], each["client"], each["sn"]) for each in now if each.get("client")]
    assert again[: len(told)] == told
    assert done.sealed["s"] == len([each for each in told if each[0] >= lost.size])
    assert done.lost["s"] == 0
    by_client: dict[str, list[int]] = {}
    for _, client, number in again:
        by_client.setdefault(client, []).append(number)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_client.values())


def test_the_log_owns_up_to_every_part_that_is_lost(losing: Loses) -> None:
    lost = losing(busy)
    done = lost.restore()

    entries = logged(lost.services)
    owned, by, *held = entries[len(lost.before) :]
    assert owned["k"] == "parts.lost"
    assert owned["e"] == {
        "n": sum(done.lost.values()),
        "from": lost.size,
        "to": len(lost.before),
    }
    assert (by["e"]["act"], by["e"]["id"]) == ("restored", "op-1")
    assert {each["k"] for each in held} == {"consent.suspended"}
    assert len(held) == done.suspended
    assert done.kinds["summary.released"] == 2
    assert done.lost["y"] == done.sealed["s"] + done.lost["s"]


def test_an_erasure_in_the_lost_range_is_done_again(losing: Loses) -> None:
    def erase(services: Services, story: Story) -> None:
        busy(services, story)
        asked = {"client": story.handle, "organisation": story.sample.holder}
        list(clients_erase(services, asked | {"basis": "gdpr-17-1-b", "request": "r-1"}))

    lost = losing(erase)
    done = lost.restore()

    assert done.forgotten == 1
    assert findings(lost.services) == []
    assert lost.story.fetch().status_code == 404


def test_a_key_that_the_log_took_up_in_the_lost_range_goes_on_opening_its_heads(
    losing: Loses,
) -> None:
    def rotate(services: Services, _: Story) -> None:
        list(keys_rotate(services, {"use": "log"}))
        services.checkpointing.once(again=True)
        list(keys_rotate(services, {"use": "log", "destroy_old": True}))

    lost = losing(rotate)
    lost.restore()

    with lost.services.database.reading() as connection:
        old, new = published.key_history(connection, shard=SHARD)
    assert old.to_size is not None
    assert [new.vkey] == lost.services.checkpointing.vkeys
    assert findings(lost.services) == []


def test_the_whole_database_can_be_lost_and_the_log_stands_again(losing: Loses) -> None:
    lost = losing(busy)
    lose_all(lost)

    done = lost.restore()

    assert (done.first, done.entries) == (0, len(lost.before))
    assert hashes(lost.services)[: len(lost.before)] == lost.before
    assert done.lost["s"] == 0
    assert findings(lost.services) == []


@pytest.mark.parametrize("again", [False, True])
def test_a_refused_restore_of_a_lost_database_leaves_no_log_behind(
    losing: Loses, *, again: bool
) -> None:
    lost = losing(busy)
    lose_all(lost)
    fetch = fetching(str(lost.mirror))

    with pytest.raises(OperationRefused, match="run out"):
        from_mirror(lost.services, fetch, operator="op-1")
    with lost.services.database.reading() as connection, pytest.raises(NotOpened):
        log.head(connection, shard=SHARD)
    if again:
        lost.again(regains=named(fetch))
        assert lost.restore().entries == len(lost.before)


@pytest.mark.case("AL04")
def test_al04_a_log_that_was_opened_and_has_no_entry_is_not_gone_on_with(losing: Loses) -> None:
    lost = losing(busy)
    lose_all(lost)
    settings, name = lost.services.settings, named(fetching(str(lost.mirror)))
    tamper(lost.services, lambda known: log.open_log(known, shard=SHARD, origin=name))

    with pytest.raises(Unsafe, match="no first entry; put it back with"):
        lost.again()

    lost.services = build_services(settings, clock=lost.clock, regains=name)
    assert lost.restore().entries == len(lost.before)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_restore_may_take_as_long_as_it_takes_and_reads_all_keys_at_once(losing: Loses) -> None:
    lost = losing(busy)
    held, looks = set[str](), list[str]()

    @event.listens_for(lost.services.database.writing_engine, "before_cursor_execute")
    def look(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if cursor is not None and "FROM audit_subject" in statement:
            said = (cursor.connection.execute(f"SHOW {each}").fetchone() for each in BOUNDS)
            held.update(value for (value,) in said)

    for engine in (lost.services.database.writing_engine, lost.services.database.reading_engine):
        event.listen(engine, "before_cursor_execute", lambda *said: looks.append(said[2]))

    lost.restore()

    assert held == {"0"}
    first = next(n for n, each in enumerate(looks) if "INTO audit_entry" in each)
    assert len([each for each in looks[:first] if "FROM overdracht_keys" in each]) == 1


@pytest.mark.parametrize(
    "source", ["http://127.0.0.1:1/x", "https://[broken", "https://127.0.0.1:1/x"]
)
def test_a_mirror_that_does_not_answer_is_refused_in_one_line(
    losing: Loses,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
) -> None:
    lost = losing(busy)
    with pytest.raises(OperationRefused, match="does not serve"):
        lost.restore(fetching("http://127.0.0.1:1/x"))
    lost.services.close()
    overdracht = command_line(lost.services.settings, monkeypatch, capsys)

    done = overdracht("restore", "from-mirror", source, "--operator", "op-1")

    assert done.code == 2
    assert "mirror" in done.words


def test_a_token_is_sent_to_nobody_in_clear() -> None:
    for address in ("http://mirror.example/log", "http://localhost:1@mirror.example/log"):
        with pytest.raises(OperationRefused, match="https:// alone"):
            fetching(address, "a-token")
    for address in ("https://mirror.example/log", "http://127.0.0.1:1/log"):
        fetching(address, "a-token")


def lose_all(lost: Lost) -> None:
    lost.services.writer.close()
    tamper(lost.services, empty)
    lost.again(regains=named(fetching(str(lost.mirror))))


def empty(connection: Connection) -> None:
    """Every table; the wrapped keys lie elsewhere."""
    for table in reversed(SQLModel.metadata.sorted_tables):
        connection.execute(table.delete())


def refused(lost: Lost, change: Callable[[str, bytes | None], bytes | None]) -> str:
    fetch = fetching(str(lost.mirror))
    before = hashes(lost.services)
    with pytest.raises(OperationRefused) as told:
        lost.restore(lambda name: change(name, fetch(name)))
    lost.again()
    assert hashes(lost.services) == before
    assert lost.services.admission.frozen is not None
    return str(told.value)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("tile/entries", lambda raw: raw.replace(b"admin.changed", b"admin.changes"), "no leaf"),
        ("tile/entries", lambda raw: raw[:-9], "cut off"),
        ("tile/entries", lambda _: None, "it has no tile/entries"),
        ("checkpoint", lambda raw: raw.replace(b"s0e1\n", b"s0e2\n"), "no checkpoint"),
        ("checkpoint", lambda _: None, "no checkpoint"),
    ],
)
def test_a_mirror_that_does_not_hold_this_log_changes_nothing(
    losing: Loses, name: str, change: Callable[[bytes], bytes | None], why: str
) -> None:
    lost = losing(busy)

    told = refused(lost, lambda asked, raw: change(raw) if raw and asked.startswith(name) else raw)

    assert why in told


def test_another_entry_in_the_place_of_one_that_was_signed_is_refused(losing: Loses) -> None:
    lost = losing(busy)
    place = tile_name("entries", 0, len(lost.before))

    told = refused(
        lost,
        lambda asked, raw: raw.replace(b'"busy"', b'"idle"') if raw and asked == place else raw,
    )

    assert "not those that were signed" in told


def test_a_mirror_that_ends_before_what_was_signed_is_refused(losing: Loses) -> None:
    early: dict[str, bytes] = {}

    def twice(services: Services, story: Story) -> None:
        services.writer.submit(note, "one").result(PATIENCE)
        head = services.checkpointing.once()
        assert head is not None
        early["checkpoint"] = head.note.encode()
        busy(services, story)

    lost = losing(twice)

    assert "were signed" in refused(lost, early.get)


def test_proofs_of_the_lost_range_must_have_run_out(losing: Loses) -> None:
    lost = losing(busy)

    with pytest.raises(OperationRefused, match="run out"):
        from_mirror(lost.services, fetching(str(lost.mirror)), operator="op-1")


def test_a_log_that_is_whole_takes_nothing_from_a_mirror(
    services: Services, tmp_path: Path
) -> None:
    with pytest.raises(OperationRefused, match="nothing to mend"):
        from_mirror(services, fetching(str(tmp_path)), operator="op-1")


def test_keys_that_are_missing_and_that_nobody_erased_stop_it(losing: Loses) -> None:
    lost = losing(busy)
    client = next(each["client"] for each in lost.entries if each.get("client"))
    key_id = bytes.fromhex(client.replace("-", ""))
    lost.services.writer.close()
    shelf = lost.services.keys._shelf  # noqa: SLF001 - where it stands
    with lost.services.database.writing(shard=SHARD) as connection:
        shelf.drop(connection, [key_id])
        shelf.finish(connection)

    with pytest.raises(OperationRefused, match="put the wrapped keys back"):
        lost.restore()
    assert len(hashes(lost.services)) == lost.size


def test_the_command_line_tells_in_numbers_what_stands_again_and_what_not(
    losing: Loses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = losing(busy)
    lost.services.close()
    overdracht = command_line(lost.services.settings, monkeypatch, capsys)

    assert overdracht("restore", "from-mirror", "nowhere", "--operator", "op-1").code == 2
    assert overdracht("restore", "from-mirror", str(lost.mirror), "--operator", "Jan P").code == 2
    done = overdracht("restore", "from-mirror", str(lost.mirror), "--operator", "op-1")

    assert done.code == 0, done.words
    assert f"{len(lost.before) - lost.size} entries stand again, from {lost.size} on." in done.words
    assert "2 summary.released" in done.words
    assert overdracht("audit", "verify", "--deep").code == 0
