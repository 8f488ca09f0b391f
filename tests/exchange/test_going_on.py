"""What must go on beside the requests goes on, whatever goes wrong in one of its turns."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import TimeoutError as PoolExhausted

from exchange import serving
from exchange.app import create_app
from exchange.checkpointing import Signing
from exchange.reader import LONG, LONG_WAITING
from exchange.services import Services, build_services
from exchange.serving import Upkeep
from exchange.settings import Settings
from exchange.writer import Busy
from tests.builders import Clock
from tests.exchange.commands import PATIENCE, note
from tests.exchange.tampering import head


@contextmanager
def every_reader_busy(services: Services) -> Iterator[None]:
    """Until it ends, who wants to look at the database finds no connection left."""
    with ExitStack() as held:
        for _ in range(services.database.options.readers):
            held.enter_context(services.database.reading_engine.connect())
        with pytest.raises(PoolExhausted):
            services.database.reading_engine.connect()
        yield


def until(true: Callable[[], bool]) -> bool:
    """Whether it came true before patience ended."""
    end = time.monotonic() + PATIENCE
    while not (came := true()) and time.monotonic() < end:
        threading.Event().wait(0.02)
    return came


def test_the_signer_and_the_watch_outlive_that_every_reader_is_busy(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ""

    def failed_twice() -> bool:
        nonlocal told
        told += capsys.readouterr().out
        return told.count('"event": "checkpoint.postponed"') >= 4

    signing = Signing(services.checkpointing, 0.02)
    try:
        with every_reader_busy(services):
            assert until(failed_twice)
        alive = [each.is_alive() for each in signing.threads]
        services.writer.submit(note, "more").result(PATIENCE)
        wanted = head(services).size
        signed = until(lambda: _signed(services) == wanted)
    finally:
        signing.close()

    assert alive == [True, True, True]
    assert signed
    assert '"failure": "TimeoutError"' in told


def _signed(services: Services) -> int | None:
    mark = services.checkpointing._high_water.read()  # noqa: SLF001 - what was signed
    return None if mark is None else mark.size


def test_the_upkeep_outlives_that_every_reader_is_busy(
    services: Services, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "SWEEP_SECONDS", 0.0)
    upkeep = Upkeep(services)
    try:
        with every_reader_busy(services):
            assert until(lambda: '"event": "sweep.postponed"' in capsys.readouterr().out)
        alive = upkeep.thread.is_alive()
    finally:
        upkeep.close()

    assert alive


def test_the_upkeep_outlives_a_clock_that_has_jumped(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    services = build_services(settings, clock=clock, steady=lambda: 0.0)
    monkeypatch.setattr(serving, "SWEEP_SECONDS", 0.0)
    clock.move(datetime.fromisoformat("2027-01-01T00:00:00+00:00"))
    upkeep = Upkeep(services)
    try:
        postponed = until(lambda: '"event": "sweep.postponed"' in capsys.readouterr().out)
        alive = upkeep.thread.is_alive()
    finally:
        upkeep.close()
        services.close()

    assert (postponed, alive) == (True, True)


def test_a_service_of_which_a_thread_has_ended_is_not_ready(services: Services) -> None:
    anybody = TestClient(create_app(services))
    upkeep = Upkeep(services)
    services.threads.append(upkeep.thread)

    before = anybody.get("/readyz")
    upkeep.close()
    after = anybody.get("/readyz")

    assert (before.status_code, after.status_code) == (200, 503)


def test_a_few_long_looks_leave_the_others_their_connections(services: Services) -> None:
    held, at_once = threading.Event(), threading.Semaphore(0)

    def long() -> None:
        at_once.release()
        assert held.wait(PATIENCE)

    async def asked() -> list[BaseException | None]:
        many = [services.reader.run_long(long) for _ in range(LONG + LONG_WAITING + 1)]
        running = [asyncio.ensure_future(each) for each in many]
        last = await asyncio.gather(running[-1], return_exceptions=True)
        looked = await services.reader.run(lambda connection: connection.closed)
        held.set()
        rest = await asyncio.gather(*running[:-1], return_exceptions=True)
        return [*last, *rest, None if not looked else Busy()]

    found = asyncio.run(asked())

    assert isinstance(found[0], Busy)
    assert found[1:] == [None] * (LONG + LONG_WAITING + 1)
