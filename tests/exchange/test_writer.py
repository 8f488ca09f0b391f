"""What the writer promises to those who wait for it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from audit import log
from exchange.admission import Admission
from exchange.batch import BatchRunner
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from exchange.writer import Busy, Writer
from tests.builders import Broker, Clock
from tests.exchange.commands import (
    PATIENCE,
    Commit,
    Hold,
    at_commit,
    note,
    notes,
    refuse,
    runner_for,
    write_and_fail,
)

MakeWriter = Callable[..., Writer]


@pytest.fixture
def made(services: Services) -> Iterator[MakeWriter]:
    """Makes a writer with other limits, in place of the services' own."""
    writers: list[Writer] = []

    def make(**limits: Any) -> Writer:
        writers.append(Writer(runner_for(services), **limits))
        return writers[-1]

    yield make
    for each in writers:
        each.close()


def test_a_future_is_resolved_after_the_commit_and_not_before(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Hold(services.writer)
    future = services.writer.submit(note, "one")
    seen: list[bool | int] = []

    def watch(_connection: Any, commit: Commit) -> None:
        commit()
        seen.append(future.done())

    def look(_: object) -> None:
        with services.database.reading() as connection:
            seen.append(log.head(connection, shard=SHARD).size)

    with services.database.reading() as connection:
        before = log.head(connection, shard=SHARD).size
    at_commit(monkeypatch, services.database, watch)
    future.add_done_callback(look)
    hold.release()

    assert future.result(PATIENCE).value == "one"
    services.writer.close()
    # Not done when COMMIT has returned; and when it is done, everybody can see the entry.
    assert seen in ([False, before + 1], [False, False, before + 1])


def test_an_answer_says_where_its_events_stand_in_the_log(services: Services) -> None:
    first = services.writer.submit(note, "first").result(PATIENCE)
    second = services.writer.submit(refuse, "second").result(PATIENCE)

    (one,), (two,) = first.entries, second.entries
    assert two.index == one.index + 1
    with services.database.reading() as connection:
        leaves = dict(log.entries(connection, shard=SHARD, start=one.index))
    assert b'"first"' in leaves[one.index]
    assert b'"second"' in leaves[two.index]


def test_commands_run_in_the_order_in_which_they_were_given(services: Services) -> None:
    names = [f"n{number:03d}" for number in range(600)]

    futures = [services.writer.submit(note, name) for name in names]

    assert [future.result(PATIENCE).value for future in futures] == names
    assert notes(services) == names


def test_a_command_that_raises_takes_nobody_with_it(services: Services) -> None:
    hold = Hold(services.writer)
    before = services.writer.submit(note, "before")
    broken = services.writer.submit(write_and_fail, "broken")
    after = services.writer.submit(note, "after")
    hold.release()

    with pytest.raises(KeyError):
        broken.result(PATIENCE)
    assert (before.result(PATIENCE).value, after.result(PATIENCE).value) == ("before", "after")
    assert notes(services) == ["before", "after"]


def test_a_full_queue_is_busy_and_keeps_room_for_withdrawals(
    services: Services, made: MakeWriter
) -> None:
    writer = made(capacity=2, reserved=1, reserved_for={refuse})
    hold = Hold(writer)
    ordinary = [writer.submit(note, "a"), writer.submit(note, "b")]

    with pytest.raises(Busy):
        writer.submit(note, "too many")
    withdrawal = writer.submit(refuse, "withdrawal")
    with pytest.raises(Busy):
        writer.submit(refuse, "one too many of them too")
    assert writer.waiting == 3

    hold.release()
    for future in (*ordinary, withdrawal):
        future.result(PATIENCE)
    # It came last, and stands before all that had not begun.
    assert notes(services) == ["withdrawal", "a", "b"]


def test_whoever_has_stopped_waiting_is_told_busy_and_nothing_is_done(
    services: Services, made: MakeWriter
) -> None:
    writer = made(patience=0.0)

    with pytest.raises(Busy):
        asyncio.run(asyncio.wait_for(writer.run(note, "too late"), PATIENCE))
    assert writer.submit(note, "patient").result(PATIENCE).value == "patient"

    assert notes(services) == ["patient"]


def test_hanging_up_undoes_nothing(services: Services) -> None:
    hold = Hold(services.writer)

    async def hang_up() -> None:
        asked = asyncio.create_task(services.writer.run(note, "done-all-the-same"))
        await asyncio.sleep(0)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        assert asked.cancelled()

    asyncio.run(hang_up())
    hold.release()
    services.writer.submit(note, "the-next").result(PATIENCE)

    assert notes(services) == ["done-all-the-same", "the-next"]


def test_many_event_loops_are_each_told_their_own(services: Services) -> None:
    answers: dict[str, str] = {}

    async def ask(name: str) -> None:
        one, two = await asyncio.gather(
            services.writer.run(note, f"{name}1"), services.writer.run(note, f"{name}2")
        )
        answers[name] = f"{one.value} {two.value}"

    threads = [threading.Thread(target=lambda n=name: asyncio.run(ask(n))) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)

    assert answers == {name: f"{name}1 {name}2" for name in "abcd"}


def test_closing_finishes_what_waits_and_takes_nothing_new(services: Services) -> None:
    hold = Hold(services.writer)
    futures = [services.writer.submit(note, name) for name in "abc"]
    closing = threading.Thread(target=services.writer.close)
    closing.start()
    hold.release()
    closing.join(PATIENCE)

    assert [future.result(0).value for future in futures] == ["a", "b", "c"]
    assert not services.writer.alive
    with pytest.raises(Busy):
        services.writer.submit(note, "too late")


def test_the_time_a_batch_has_run_is_there_for_the_watchdog(services: Services) -> None:
    hold = Hold(services.writer)
    during = services.writer.busy_since
    hold.release()
    hold.future.result(PATIENCE)
    services.writer.close()

    assert during is not None
    assert services.writer.busy_since is None


def test_everything_runs_in_the_writers_one_thread(services: Services) -> None:
    def where(_tx: Transaction) -> Outcome[int]:
        return Outcome(threading.get_ident())

    found = {services.writer.submit(where).result(PATIENCE).value for _ in range(5)}

    assert len(found) == 1
    assert threading.get_ident() not in found


def test_a_full_queue_is_503_over_http_and_says_when_to_come_back(
    settings: Settings, clock: Clock
) -> None:
    services = build_services(settings.model_copy(update={"queue_capacity": 1}), clock=clock)
    asking = Broker(services, clock).as_("destap-ww")
    hold = Hold(services.writer)
    services.writer.submit(note, "fills the queue")

    answer = asking.post("/v1/clients", json={"reference": "x-1"})

    hold.release()
    services.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "urn:overdracht:problem:unavailable"


def test_a_runner_that_fails_outside_every_command_fails_its_batch_and_the_next_one_runs(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("folding")

    runner: BatchRunner = runner_for(services)
    writer = Writer(runner)
    with monkeypatch.context() as patch:
        patch.setattr(log, "append", broken)
        with pytest.raises(ZeroDivisionError):
            writer.submit(note, "lost").result(PATIENCE)
    answer = writer.submit(note, "kept").result(PATIENCE)
    writer.close()

    assert answer.value == "kept"
    assert notes(services) == ["kept"]


@pytest.mark.parametrize("how", ["frozen", "unwitnessed"])
def test_what_already_waits_does_not_run_once_it_may_not_come_in(
    services: Services, made: MakeWriter, how: str
) -> None:
    admission = Admission({note})
    writer = made(admits=admission.admits)
    hold = Hold(writer)
    waits = writer.submit(note, "late")
    if how == "frozen":
        admission.freeze("the log is not the one that was signed")
    else:
        admission.hold_disclosures(unwitnessed=True)
    hold.release()

    with pytest.raises(Busy):
        waits.result(PATIENCE)
    assert notes(services) == []
