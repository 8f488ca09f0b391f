"""When going on could harm the log, nothing is written any more; when we cannot tell, we ask."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text

from audit.live import verify_log
from exchange.app import create_app
from exchange.batch import EXIT_IO, EXIT_LOG_MOVED
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from exchange.writer import Busy, Halted, NotStored
from tests.builders import Clock
from tests.exchange.commands import PATIENCE, Commit, at_commit, keep, kept, note, noted, notes
from tests.exchange.disasters import disk_broken, gone, pages_torn
from tests.exchange.processes import ended, out_of_room

postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture
def halts() -> list[Halted]:
    """Why the writer had to stop, where a server would end its process."""
    return []


@pytest.fixture
def services(settings: Settings, clock: Clock, halts: list[Halted]) -> Iterator[Services]:
    built = build_services(settings, clock=clock, halt=halts.append)
    yield built
    built.close()


def assert_stopped(services: Services, halts: list[Halted], code: int) -> None:
    services.writer.close()  # its thread has come to its end
    assert [each.code for each in halts] == [code]
    assert not services.writer.alive
    with pytest.raises(Busy):
        services.writer.submit(note, "later")
    ready = TestClient(create_app(services)).get("/readyz")
    assert ready.status_code == 503


def test_an_io_error_at_commit_stops_the_writer_with_code_74(
    services: Services, halts: list[Halted], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_connection: Any, _commit: Commit) -> None:
        raise disk_broken(services.database)

    at_commit(monkeypatch, services.database, broken)

    with pytest.raises(NotStored):
        services.writer.submit(keep, "lost").result(PATIENCE)

    assert_stopped(services, halts, EXIT_IO)
    assert EXIT_IO == 74
    assert not kept(services, "lost")


def test_pages_that_a_command_finds_torn_stop_the_writer_too(
    services: Services, halts: list[Halted]
) -> None:
    def read(_tx: Transaction) -> Outcome[None]:
        raise pages_torn(services.database)

    with pytest.raises(NotStored):
        services.writer.submit(read).result(PATIENCE)

    assert_stopped(services, halts, EXIT_IO)


def test_all_that_waited_when_the_writer_stopped_are_told_so(
    services: Services, halts: list[Halted], monkeypatch: pytest.MonkeyPatch
) -> None:
    committing, filled = threading.Event(), threading.Event()

    def broken(_connection: Any, _commit: Commit) -> None:
        committing.set()
        assert filled.wait(PATIENCE)
        raise disk_broken(services.database)

    at_commit(monkeypatch, services.database, broken)
    futures = [services.writer.submit(keep, "first")]
    assert committing.wait(PATIENCE)
    futures += [services.writer.submit(keep, name) for name in "abc"]
    filled.set()

    assert [type(each.exception(PATIENCE)) for each in futures] == [NotStored] * 4
    assert_stopped(services, halts, EXIT_IO)


def test_a_log_that_somebody_moved_without_the_lock_stops_the_writer_with_code_75(
    services: Services, halts: list[Halted]
) -> None:
    def move(tx: Transaction) -> Outcome[None]:
        tx.connection.execute(text("UPDATE audit_state SET size = size + 1"))
        return Outcome(None, (noted("moved"),))

    with pytest.raises(NotStored):
        services.writer.submit(move).result(PATIENCE)

    assert_stopped(services, halts, EXIT_LOG_MOVED)
    assert EXIT_LOG_MOVED == 75
    assert notes(services) == []
    with services.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0


@sqlite
def test_a_disk_that_really_fails_ends_the_process_at_once_with_code_74(
    settings: Settings, clock: Clock
) -> None:
    assert ended(out_of_room, settings) == EXIT_IO

    again = build_services(settings, clock=clock)
    try:
        assert kept(again, "stored")
        with again.database.reading() as connection:
            assert verify_log(connection, shard=SHARD).exit_code == 0
        assert again.writer.submit(keep, "goes-on").result(PATIENCE).value == "goes-on"
    finally:
        again.close()


class Commits:
    """What becomes of one COMMIT after the other; those that follow are `fine`.

    `stored`: the connection breaks after the deed, `lost`: before it. Asking whether a batch
    was stored ends with a COMMIT too.
    """

    def __init__(self, *fates: str) -> None:
        self.left = list(fates)

    def __call__(self, connection: Any, commit: Commit) -> None:
        fate = self.left.pop(0) if self.left else "fine"
        if fate != "lost":
            commit()
        if fate != "fine":
            raise gone(connection)


@postgresql
@pytest.mark.parametrize("fate", ["stored", "lost"])
def test_a_commit_without_an_answer_is_found_out_and_happens_once(
    services: Services, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    runs: list[str] = []

    def keep_once(tx: Transaction) -> Outcome[str]:
        runs.append(tx.new_id())
        return keep(tx, "once")

    commits = Commits(fate)
    at_commit(monkeypatch, services.database, commits)

    done = services.writer.submit(keep_once).result(PATIENCE)
    after = services.writer.submit(keep, "after").result(PATIENCE)

    assert not commits.left
    assert (done.value, after.value) == ("once", "after")
    assert notes(services) == ["once", "after"]
    assert kept(services, "once")
    assert len(runs) == {"stored": 1, "lost": 2}[fate]
    assert after.entries[0].index == done.entries[0].index + 1
    with services.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0


@postgresql
def test_a_connection_that_breaks_again_is_given_up_and_nothing_is_stored(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_commit(monkeypatch, services.database, Commits("lost", "fine", "lost"))

    with pytest.raises(NotStored):
        services.writer.submit(keep, "lost").result(PATIENCE)

    assert services.writer.submit(keep, "after").result(PATIENCE).value == "after"
    assert notes(services) == ["after"]


@postgresql
def test_a_batch_stored_at_the_second_try_is_recognised_too(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_commit(monkeypatch, services.database, Commits("lost", "fine", "stored"))

    assert services.writer.submit(keep, "once").result(PATIENCE).value == "once"
    assert notes(services) == ["once"]


@postgresql
def test_somebody_elses_entry_in_the_place_of_ours_is_not_taken_for_ours(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = build_services(services.settings, clock=clock)
    fates = Commits("lost")

    def overtaken(connection: Any, commit: Commit) -> None:
        try:
            fates(connection, commit)
        except psycopg.OperationalError:
            other.writer.submit(keep, "theirs").result(PATIENCE)
            raise

    at_commit(monkeypatch, services.database, overtaken)
    done = services.writer.submit(keep, "ours").result(PATIENCE)
    other.close()

    assert done.value == "ours"
    assert notes(services) == ["theirs", "ours"]


@postgresql
def test_a_database_that_cannot_be_asked_stops_the_writer_and_nobody_is_answered(
    services: Services, halts: list[Halted], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = services.database.writing_engine

    def unreachable(*_: object) -> None:
        raise psycopg.OperationalError("could not connect")

    def hang_up(connection: Any, commit: Commit) -> None:
        commit()
        event.listen(engine, "do_connect", unreachable)
        raise gone(connection)

    at_commit(monkeypatch, services.database, hang_up)

    with pytest.raises(NotStored):
        services.writer.submit(keep, "who-knows").result(PATIENCE)

    assert_stopped(services, halts, EXIT_IO)
