"""The server looks after itself: deadlines pass, a stuck writer ends it, and it ends in order."""

import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from exchange import serving
from exchange.admin_socket import ask_server, socket_path
from exchange.flows.expire_handovers import expire_handovers
from exchange.services import Services, build_services
from exchange.serving import EXIT_STUCK, STUCK_SECONDS, Upkeep, is_stuck
from exchange.settings import Settings
from exchange.writer import Halted, NotStored
from tests.builders import Broker, Clock, logged
from tests.exchange.commands import PATIENCE, Commit, Hold, at_commit, keep
from tests.exchange.disasters import disk_broken


def halted(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the writer's thread, as a failing disk does."""

    def broken(_connection: Any, _commit: Commit) -> None:
        raise disk_broken(services.database)

    at_commit(monkeypatch, services.database, broken)
    with pytest.raises(NotStored):
        services.writer.submit(keep, "lost").result(PATIENCE)
    services.writer.close()


@pytest.fixture
def standing(settings: Settings, clock: Clock) -> Iterator[Services]:
    """Services whose process goes on when the writer has stopped."""

    def note(_halted: Halted) -> None:
        """The process goes on; a real one would end here."""

    built = build_services(settings, clock=clock, halt=note)
    yield built
    built.close()


def test_a_writer_that_rests_or_has_just_begun_is_not_stuck(services: Services) -> None:
    resting = is_stuck(services.writer, time.monotonic())
    hold = Hold(services.writer)
    since = services.writer.busy_since
    assert since is not None
    begun = [is_stuck(services.writer, since + late) for late in (0.0, STUCK_SECONDS)]
    too_long = is_stuck(services.writer, since + STUCK_SECONDS + 0.001)
    hold.release()

    assert (resting, begun, too_long) == (False, [False, False], True)


def test_a_writer_whose_thread_has_ended_is_stuck(
    standing: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted(standing, monkeypatch)

    assert is_stuck(standing.writer, time.monotonic())


def test_a_stuck_writer_ends_the_process_with_code_75(
    standing: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted(standing, monkeypatch)
    ended: queue.Queue[int] = queue.Queue()

    upkeep = Upkeep(standing, ended.put)
    code = ended.get(timeout=PATIENCE)
    upkeep.close()

    assert code == EXIT_STUCK == 75


def test_a_handover_past_its_deadline_expires_by_itself(
    services: Services, broker: Broker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    monkeypatch.setattr(serving, "SWEEP_SECONDS", 0.0)
    swept: queue.Queue[None] = queue.Queue()

    def watch(_connection: Any, commit: Commit) -> None:
        commit()
        swept.put(None)

    at_commit(monkeypatch, services.database, watch)
    clock.move(timedelta(days=15))

    upkeep = Upkeep(services)
    swept.get(timeout=PATIENCE)
    upkeep.close()
    services.writer.submit(keep, "after").result(PATIENCE)

    assert [each["k"] for each in logged(services)].count("handover.expired") == 1
    state = broker.as_("destap-ww").get(f"/v1/handovers/{story.handover}").json()["state"]
    assert state == "expired"


def test_a_sweep_before_the_deadline_changes_nothing(
    services: Services, broker: Broker, clock: Clock
) -> None:
    broker.story("cl-0004", "vdab-gent", "P2")
    before = len(logged(services))
    clock.move(timedelta(days=13))

    services.writer.submit(expire_handovers).result(PATIENCE)

    assert len(logged(services)) == before


class Server:
    """`overdracht serve` in a process of its own."""

    def __init__(self, data_dir: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.data_dir = data_dir
        command = [sys.executable, "-m", "exchange.cli", "serve", "--port"]
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            [*command, self.address.rpartition(":")[2]],
            env=os.environ | {"OVERDRACHT_DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ready(self) -> bool:
        assert self.process.stdout is not None
        assert "service.started" in self.process.stdout.readline()
        transport = httpx2.HTTPTransport(retries=8)
        with httpx2.Client(transport=transport, base_url=self.address) as asking:
            return asking.get("/readyz").status_code == 200

    def ended(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "data")
    yield started
    started.process.kill()
    started.process.communicate()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_in_order(
    server: Server, clock: Clock, told: signal.Signals
) -> None:
    assert server.ready()
    asked = ask_server(server.data_dir, "applications list", {})
    assert list(asked or ()) == [{"result": {"applications": []}}]

    code, said = server.ended(told)

    assert "service.stopped" in said
    assert code == 0
    assert not socket_path(server.data_dir).exists()
    services = build_services(Settings(data_dir=server.data_dir), clock=clock)
    started = [each for each in logged(services) if each["k"] == "admin.started"]
    services.close()
    assert len(started) == 1
