"""A clock that jumps forward is not believed: an entry dated ahead would drag all others along."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from audit.high_water import HighWater
from exchange import cli
from exchange.checkpointing import Signing
from exchange.services import Services, build_services
from exchange.settings import Settings
from exchange.steady_clock import ClockAhead, SteadyClock
from exchange.writer import Busy
from tests.builders import Broker, Clock, logged
from tests.exchange.commands import PATIENCE, keep, note, notes
from tests.exchange.console import command_line


@dataclass
class Steady:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, clock: Clock, span: timedelta) -> None:
        self.seconds += span.total_seconds()
        clock.move(span)


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def services(settings: Settings, clock: Clock, steady: Steady) -> Iterator[Services]:
    built = build_services(settings, clock=clock, steady=steady)
    yield built
    built.close()


@pytest.mark.case("AL24")
def test_al24_a_clock_that_jumps_a_day_ahead_stops_the_writer(
    services: Services, clock: Clock
) -> None:
    last = logged(services)[-1]["t"]
    clock.move(timedelta(days=1))

    with pytest.raises(Busy):
        services.writer.submit(keep, "ahead").result(PATIENCE)

    assert logged(services)[-1]["t"] == last
    assert services.admission.frozen is not None
    with pytest.raises(Busy):
        services.writer.submit(note, "later").result(PATIENCE)
    clock.move(timedelta(days=-1))
    with pytest.raises(Busy):
        services.writer.submit(note, "set-back").result(PATIENCE)
    assert notes(services) == []


@pytest.mark.case("AL24")
def test_al24_who_says_stop_is_heard_although_the_clock_jumped(
    services: Services, clock: Clock
) -> None:
    broker = Broker(services, clock)
    story = broker.story("cl-0004", "vdab-gent", "P2")
    broker.application("vdab-gent")
    clock.move(timedelta(minutes=2))
    assert story.fetch().status_code == 503

    assert story.withdraw().status_code == 202
    assert len(list(services.spool.kept())) == 1


def test_after_a_restart_the_clock_is_believed(
    services: Services, clock: Clock, steady: Steady
) -> None:
    clock.move(timedelta(days=1))
    with pytest.raises(Busy):
        services.writer.submit(note, "ahead").result(PATIENCE)
    services.close()

    again = build_services(services.settings, clock=clock, steady=steady)

    assert again.writer.submit(note, "confirmed").result(PATIENCE).value == "confirmed"
    again.close()


@pytest.mark.parametrize("leap", [timedelta(seconds=60), timedelta(hours=-1)])
def test_a_small_step_and_a_step_back_stop_nothing(
    services: Services, clock: Clock, steady: Steady, leap: timedelta
) -> None:
    steady.pass_by(clock, timedelta(days=3))
    clock.move(leap)

    assert services.writer.submit(note, "fine").result(PATIENCE).value == "fine"
    assert services.admission.frozen is None


def test_nothing_is_signed_with_a_time_that_is_not_believed(
    services: Services, clock: Clock
) -> None:
    services.checkpointing.once()
    before = HighWater(services.settings.high_water_path).read()
    services.writer.submit(note, "more").result(PATIENCE)
    clock.move(timedelta(days=1))

    with pytest.raises(ClockAhead):
        services.checkpointing.once()

    assert HighWater(services.settings.high_water_path).read() == before
    signing = Signing(services.checkpointing, 0.01)
    signing._closing.wait(0.1)  # noqa: SLF001 - some rounds
    assert all(each.is_alive() for each in signing.threads)
    signing.close()


def test_a_clock_that_was_set_back_is_not_believed_either_and_it_is_told_once(
    clock: Clock, steady: Steady
) -> None:
    told: list[str] = []
    watched = SteadyClock(clock, steady, lambda: told.append("jumped"))
    assert watched() == clock()

    for leap in (timedelta(days=1), timedelta(days=-1), timedelta(0)):
        clock.move(leap)
        with pytest.raises(ClockAhead):
            watched()

    assert told == ["jumped"]


def test_a_server_watches_its_clock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Services] = []
    monkeypatch.setattr(cli, "serve_until_stopped", lambda services, *_: served.append(services))
    overdracht = command_line(settings, monkeypatch, capsys)

    assert overdracht("serve", "--port", "8437").code == 0

    (services,) = served
    runner: Any = services.writer._runner  # noqa: SLF001 - nothing shows the clock outside
    services.close()
    assert isinstance(runner._clock, SteadyClock)  # noqa: SLF001 - as above
