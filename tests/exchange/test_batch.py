"""A batch is committed whole or not at all, and nobody in it suffers for another."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from audit import log
from audit.live import verify_log
from exchange.batch import ISOLATIONS, BatchRunner
from exchange.services import SHARD, Services, build_services
from exchange.transaction import Outcome, Transaction
from exchange.uses import AlreadyUsed, Use
from exchange.writer import BATCH_SECONDS, NotStored
from policies.decision import Refused
from policies.vocabulary import Reason
from tests.builders import Clock
from tests.exchange.commands import (
    DAY,
    PATIENCE,
    Commit,
    Hold,
    at_commit,
    keep,
    kept,
    note,
    noted,
    notes,
    refuse,
    run_batch,
    runner_for,
    values,
    write_and_fail,
    write_and_refuse,
)
from tests.exchange.disasters import disk_full


@pytest.fixture
def runner(services: Services) -> Iterator[BatchRunner]:
    made = runner_for(services)
    yield made
    made.close()


class Savepoints:
    """Counts the savepoints that were taken round commands."""

    def __init__(self, services: Services) -> None:
        self.taken = 0
        event.listen(services.database.writing_engine, "before_cursor_execute", self._look)

    def _look(self, *args: Any) -> None:
        self.taken += args[2] == "SAVEPOINT command"


def test_a_refusal_that_wrote_nothing_is_logged_and_costs_no_savepoint(
    services: Services, runner: BatchRunner
) -> None:
    savepoints = Savepoints(services)

    one, no, two = run_batch(runner, partial(note, text="one"), partial(refuse, text="no"),
                             partial(note, text="two"))  # fmt: skip

    assert values([one, two]) == ["one", "two"]
    assert no.result is not None
    assert isinstance(no.result.value, Refused)
    assert notes(services) == ["one", "no", "two"]
    assert savepoints.taken == 0


def test_a_refusal_after_writing_keeps_its_events_and_loses_its_writes(
    services: Services, runner: BatchRunner
) -> None:
    before, no, after = run_batch(runner, partial(keep, text="before"),
                                  partial(write_and_refuse, text="no"),
                                  partial(keep, text="after"))  # fmt: skip

    assert values([before, after]) == ["before", "after"]
    assert no.result is not None
    assert isinstance(no.result.value, Refused)
    assert notes(services) == ["before", "no", "after"]
    assert [kept(services, each) for each in ("before", "no", "after")] == [True, False, True]


def test_a_crash_loses_its_writes_and_its_events_and_its_neighbours_keep_theirs(
    services: Services, runner: BatchRunner
) -> None:
    before, broken, after = run_batch(runner, partial(keep, text="before"),
                                      partial(write_and_fail, text="broken"),
                                      partial(keep, text="after"))  # fmt: skip

    assert values([before, after]) == ["before", "after"]
    assert isinstance(broken.failure, KeyError)
    assert notes(services) == ["before", "after"]
    assert [kept(services, each) for each in ("before", "broken", "after")] == [True, False, True]


def test_a_statement_that_the_database_refuses_hurts_only_its_own_command(
    services: Services, runner: BatchRunner
) -> None:
    def twice(tx: Transaction) -> Outcome[None]:
        keep(tx, "same")
        keep(tx, "same")
        return Outcome(None, (noted("twice"),))

    before, broken, after = run_batch(runner, partial(keep, text="before"), twice,
                                      partial(keep, text="after"))  # fmt: skip

    assert values([before, after]) == ["before", "after"]
    assert broken.failure is not None
    assert notes(services) == ["before", "after"]
    assert not kept(services, "same")


def test_one_poisoned_command_in_a_full_batch_fails_alone(
    services: Services, runner: BatchRunner
) -> None:
    names = [f"n{number:03d}" for number in range(255)]
    commands = [partial(note, text=name) for name in names]
    poisoned = [*commands[:100], partial(write_and_fail, text="poison"), *commands[100:]]

    settled = run_batch(runner, *poisoned)

    assert sum(each.failure is not None for each in settled) == 1
    assert notes(services) == names


@pytest.mark.parametrize("bad", [1, ISOLATIONS, ISOLATIONS + 1])
def test_after_more_than_three_isolations_every_command_has_a_savepoint(
    services: Services, runner: BatchRunner, bad: int
) -> None:
    savepoints = Savepoints(services)
    commands = [partial(write_and_refuse, text=f"bad{n}") for n in range(bad)]
    others = [partial(keep, text="first"), partial(keep, text="last")]

    settled = run_batch(runner, others[0], *commands, others[1])

    every = len(settled)
    # Each try knows one more that needs a savepoint; the last one takes them all, or all the bad.
    last = every if bad > ISOLATIONS else bad
    assert savepoints.taken == sum(range(bad)) + last
    assert notes(services) == ["first", *(f"bad{n}" for n in range(bad)), "last"]
    assert [kept(services, each) for each in ("first", "bad0", "last")] == [True, False, True]


def test_a_command_run_again_sees_the_same_and_gets_other_ids(
    services: Services, runner: BatchRunner
) -> None:
    runs: list[tuple[Any, ...]] = []

    def watch(tx: Transaction) -> Outcome[str]:
        found = tx.connection.scalar(text("SELECT count(*) FROM replay"))
        runs.append((tx.at, tx.now, tx.day, found, tx.directory.version))
        ids.append(tx.new_id())
        return Outcome(ids[-1], (noted("watched"),))

    ids: list[str] = []

    _, watched, _ = run_batch(runner, partial(keep, text="one"), watch,
                              partial(write_and_fail, text="broken"))  # fmt: skip

    assert len(runs) == 2
    assert runs[0] == runs[1]
    assert len(set(ids)) == 2
    assert values([watched]) == [ids[-1]]
    assert notes(services) == ["one", "watched"]


def test_the_log_s_time_never_runs_backwards(
    services: Services, runner: BatchRunner, clock: Clock
) -> None:
    times: list[int] = []

    def watch(tx: Transaction) -> Outcome[None]:
        times.append(tx.now)
        return Outcome(None, (noted("watched"),))

    run_batch(runner, watch)
    clock.move(clock.now.replace(year=2020))
    run_batch(runner, watch)

    assert times[0] == times[1]
    with services.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0


def test_a_batch_without_events_leaves_the_log_alone(
    services: Services, runner: BatchRunner
) -> None:
    def silent(tx: Transaction) -> Outcome[None]:
        keep(tx, "row")
        return Outcome(None)

    with services.database.reading() as connection:
        before = log.head(connection, shard=SHARD)
    run_batch(runner, silent)

    assert kept(services, "row")
    with services.database.reading() as connection:
        assert log.head(connection, shard=SHARD) == before


def test_a_disk_that_is_full_at_commit_fails_all_and_what_comes_after_is_stored(
    services: Services, runner: BatchRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_connection: Any, _commit: Commit) -> None:
        raise disk_full(services.database)

    with monkeypatch.context() as patch:
        at_commit(patch, services.database, full)
        lost = run_batch(runner, partial(keep, text="a"), partial(note, text="b"))
    stored = run_batch(runner, partial(keep, text="c"))

    assert [type(each) for each in values(lost)] == [NotStored, NotStored]
    assert values(stored) == ["c"]
    assert notes(services) == ["c"]
    assert not kept(services, "a")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_database_that_may_not_grow_fails_all_and_recovers(
    services: Services, runner: BatchRunner
) -> None:
    def fill(tx: Transaction) -> Outcome[None]:
        (pages,) = tx.connection.exec_driver_sql("PRAGMA page_count").one()
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        for number in range(2000):
            keep(tx, f"row-{number}-{'x' * 100}")
        return Outcome(None)

    lost = run_batch(runner, partial(keep, text="a"), fill)
    stored = run_batch(runner, partial(keep, text="b"))

    assert [type(each) for each in values(lost)] == [NotStored, NotStored]
    assert values(stored) == ["b"]
    assert notes(services) == ["b"]


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_statement_that_takes_too_long_fails_the_batch_and_recovers(
    services: Services, runner: BatchRunner
) -> None:
    def slow(tx: Transaction) -> Outcome[None]:
        tx.connection.exec_driver_sql("SET LOCAL statement_timeout = '20ms'")
        tx.connection.exec_driver_sql("SELECT pg_sleep(5)")
        return Outcome(None)

    lost = run_batch(runner, partial(keep, text="a"), slow)
    stored = run_batch(runner, partial(keep, text="b"))

    assert [type(each) for each in values(lost)] == [NotStored, NotStored]
    assert values(stored) == ["b"]
    assert not kept(services, "a")


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_connection_that_died_between_batches_costs_nobody_anything(
    services: Services, runner: BatchRunner
) -> None:
    (pid,) = values(run_batch(runner, who))
    end_connection(services, pid)

    (stored,) = values(run_batch(runner, partial(keep, text="a")))

    assert stored == "a"
    assert notes(services) == ["a"]


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_connection_that_dies_under_a_batch_costs_that_batch(
    services: Services, runner: BatchRunner
) -> None:
    def die(tx: Transaction) -> Outcome[int]:
        end_connection(services, tx.connection.scalar(text("SELECT pg_backend_pid()")))
        return who(tx)

    lost = run_batch(runner, partial(keep, text="a"), die)
    stored = run_batch(runner, partial(keep, text="b"))

    assert [type(each) for each in values(lost)] == [NotStored, NotStored]
    assert values(stored) == ["b"]
    assert notes(services) == ["b"]


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_database_that_is_away_fails_who_waits_instead_of_keeping_them_waiting(
    services: Services, runner: BatchRunner
) -> None:
    def away(*_: object) -> None:
        raise psycopg.OperationalError("could not connect")

    engine = services.database.writing_engine
    engine.dispose()
    event.listen(engine, "do_connect", away)
    lost = run_batch(runner, partial(keep, text="a"), partial(keep, text="b"))
    event.remove(engine, "do_connect", away)
    stored = run_batch(runner, partial(keep, text="c"))

    assert [type(each) for each in values(lost)] == [NotStored, NotStored]
    assert values(stored) == ["c"]
    assert notes(services) == ["c"]


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_waiting_for_the_lock_takes_nothing_from_the_time_of_a_batch(
    services: Services, clock: Clock
) -> None:
    batches: list[object] = []
    event.listen(services.database.writing_engine, "commit", batches.append)
    other = build_services(services.settings, clock=clock)
    hold = Hold(other.writer)
    answers = [services.writer.submit(keep, name) for name in "abc"]
    with pytest.raises(TimeoutError):
        answers[0].result(BATCH_SECONDS * 3)
    hold.release()

    assert [each.result(PATIENCE).value for each in answers] == ["a", "b", "c"]
    other.close()
    assert len(batches) == 1


def who(tx: Transaction) -> Outcome[int]:
    return Outcome(tx.connection.scalar(text("SELECT pg_backend_pid()")))


def end_connection(services: Services, pid: int) -> None:
    address = services.settings.url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


def test_of_two_in_a_batch_that_use_up_the_same_one_is_done_and_its_neighbours_too(
    services: Services, runner: BatchRunner
) -> None:
    def using(tx: Transaction, text: str, name: bytes) -> Outcome[str]:
        if name in tx.used:
            return Outcome(Refused(Reason.PROOF_REPLAYED))
        return Outcome(text, (noted(text),), uses=(Use(name, tx.now + DAY),))

    first = run_batch(runner, partial(using, text="a", name=b"1"), partial(note, text="b"),
                      partial(using, text="c", name=b"1"))  # fmt: skip
    second = run_batch(runner, partial(note, text="d"), partial(using, text="e", name=b"1"),
                       partial(using, text="f", name=b"2"))  # fmt: skip

    assert values(first) == ["a", "b", Refused(Reason.PROOF_REPLAYED)]
    assert values(second) == ["d", Refused(Reason.PROOF_REPLAYED), "f"]
    assert notes(services) == ["a", "b", "d", "f"]


def test_a_command_that_uses_something_up_without_looking_fails_and_holds_nobody_up(
    runner: BatchRunner,
) -> None:
    def blind(tx: Transaction) -> Outcome[None]:
        return Outcome(None, uses=(Use(b"1", tx.now + DAY),))

    assert values(run_batch(runner, blind)) == [None]
    (settled,) = run_batch(runner, blind)
    assert isinstance(settled.failure, AlreadyUsed)
    assert values(run_batch(runner, partial(note, text="after"))) == ["after"]
