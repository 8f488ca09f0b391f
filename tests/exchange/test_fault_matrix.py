"""Whatever statement of an append fails, done or not, the log stays whole and goes on."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest

from audit import sealing
from audit.events import Actor, ClientRefused
from audit.live import verify_log
from audit.parts import Mac, seal
from exchange.batch import EXIT_IO, BatchRunner
from exchange.services import SHARD, Services
from exchange.transaction import AnyCommand, Outcome, Transaction
from exchange.writer import Halted, NotStored
from policies.decision import Refused
from policies.vocabulary import Reason
from tests.builders import logged
from tests.exchange.commands import (
    Commit,
    at_commit,
    keep,
    kept,
    notes,
    run_batch,
    runner_for,
    values,
)
from tests.exchange.disasters import disk_broken, disk_full, gone
from tests.exchange.faults import Faults

LENGTHS = (5, 3)
"""As many commands as in the batch that failed, and another number."""


def refuse_nobody(_tx: Transaction, user: str) -> Outcome[None]:
    """An event with all its parts, by somebody whose key is made for it."""
    event = ClientRefused(application="a", actor=Actor(user=user), client="", reason="X")
    return Outcome(Refused(Reason.NOT_THE_HOLDER), (event,))


class Batches:
    """Batches on a broker's log, and what was acknowledged of them."""

    def __init__(self, services: Services) -> None:
        self.services, self._numbers = services, count()
        self.runner: BatchRunner = runner_for(services)
        self.acknowledged: list[str] = []

    def commands(self, length: int) -> tuple[list[str], list[AnyCommand]]:
        texts = [f"n{next(self._numbers)}" for _ in range(length - 1)]
        made: list[AnyCommand] = [partial(keep, text=each) for each in texts]
        return texts, [*made, partial(refuse_nobody, user=f"u-{next(self._numbers)}")]

    def stored(self, length: int) -> None:
        """A batch that must succeed."""
        texts, commands = self.commands(length)
        assert values(run_batch(self.runner, *commands))[:-1] == texts
        self.acknowledged += texts

    def reload(self) -> None:
        self.runner.close()
        self.runner = runner_for(self.services)

    def check(self) -> int:
        """The whole log, deep: it holds, and it is what was acknowledged, once and in order."""
        with self.services.database.reading() as connection:
            keys = self.services.keys
            report = verify_log(connection, shard=SHARD, keys=keys, deep=True)
        assert report.findings == ()
        assert notes(self.services) == self.acknowledged
        return report.size


@pytest.fixture
def batches(services: Services) -> Iterator[Batches]:
    made = Batches(services)
    yield made
    made.runner.close()


def test_every_statement_fails_in_turn_and_the_next_batch_is_stored(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(batches.services.database, monkeypatch)
    struck: list[str] = []
    batches.stored(40)
    for number in count():
        said = ""
        for done, length in ((False, LENGTHS[0]), (True, LENGTHS[1])):
            before = batches.check()
            texts, commands = batches.commands(LENGTHS[0])
            faults.arm(number, done=done)
            settled = values(run_batch(batches.runner, *commands))
            said = faults.disarm()
            if not said:
                break
            assert {type(each) for each in settled} == {NotStored}
            assert batches.check() == before
            assert not any(kept(batches.services, each) for each in texts)
            batches.stored(length)
            batches.check()
            batches.reload()
            batches.stored(1 + number % 2)
        if not said:
            batches.acknowledged += texts
            break
        struck.append(said)

    assert batches.check() > 256
    for of in ("BEGIN" if batches.services.database.is_sqlite else "pg_advisory", "audit_entry",
               "audit_part", "audit_index", "UPDATE audit_state", "FROM audit_state",
               "replay"):  # fmt: skip
        assert any(of in each for each in struck), (of, struck)


def test_every_statement_fails_in_turn_where_tiles_are_filled(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = batches.check()
    batches.stored(254 - size)
    assert batches.check() == 254
    faults = Faults(batches.services.database, monkeypatch)
    struck: list[str] = []
    for number in count():
        said = ""
        for done in (False, True):
            texts, commands = batches.commands(LENGTHS[0])
            faults.arm(number, done=done)
            settled = values(run_batch(batches.runner, *commands))
            said = faults.disarm()
            if not said:
                break
            assert {type(each) for each in settled} == {NotStored}
            assert batches.check() == 254
        if not said:
            batches.acknowledged += texts
            break
        struck.append(said)

    assert batches.check() == 254 + LENGTHS[0]
    assert any("audit_tile" in each for each in struck), struck
    batches.reload()
    batches.stored(LENGTHS[1])
    batches.check()


@pytest.mark.parametrize("length", LENGTHS)
def test_a_commit_that_fails_and_stored_nothing_is_followed_by_one_that_does(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    def full(_connection: Any, _commit: Commit) -> None:
        raise disk_full(batches.services.database)

    before = batches.check()
    with monkeypatch.context() as patch:
        at_commit(patch, batches.services.database, full)
        settled = values(run_batch(batches.runner, *batches.commands(LENGTHS[0])[1]))

    assert {type(each) for each in settled} == {NotStored}
    assert batches.check() == before
    batches.stored(length)
    batches.check()
    batches.reload()
    batches.stored(length)
    assert batches.check() == before + 2 * length


@pytest.mark.case("AL18")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("stored", [True, False])
def test_al18_a_commit_without_an_answer_is_stored_exactly_once(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, length: int, *, stored: bool
) -> None:
    lost: list[None] = []

    def unanswered(connection: Any, commit: Commit) -> None:
        if lost:
            commit()
            return
        lost.append(None)
        if stored:
            commit()
        raise gone(connection)

    before = batches.check()
    at_commit(monkeypatch, batches.services.database, unanswered)
    batches.stored(LENGTHS[0])

    assert lost == [None]
    assert batches.check() == before + LENGTHS[0]
    batches.stored(length)
    batches.reload()
    batches.stored(length)
    assert batches.check() == before + LENGTHS[0] + 2 * length


@pytest.mark.case("AL18")
@pytest.mark.parametrize("stored", [True, False])
def test_al18_after_a_disk_that_failed_at_commit_nothing_is_written_before_a_restart(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, *, stored: bool
) -> None:
    def broken(_connection: Any, commit: Commit) -> None:
        if stored:
            commit()
        raise disk_broken(batches.services.database)

    before = batches.check()
    texts, commands = batches.commands(LENGTHS[0])
    with monkeypatch.context() as patch:
        at_commit(patch, batches.services.database, broken)
        with pytest.raises(Halted) as halted:
            run_batch(batches.runner, *commands)

    assert halted.value.code == EXIT_IO
    batches.reload()
    # Nobody was told; the log says which of the two it was, and all of the batch or nothing.
    batches.acknowledged += texts if stored else []
    assert batches.check() == before + LENGTHS[0] * stored
    batches.stored(LENGTHS[1])
    batches.check()


def test_what_is_checked_after_each_step_is_the_whole_log(batches: Batches) -> None:
    batches.stored(LENGTHS[0])

    assert batches.check() == len(logged(batches.services))


@pytest.mark.case("AL20")
def test_al20_however_often_a_batch_is_run_again_nothing_is_sealed_twice(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed: list[tuple[bytes, bytes, bytes]] = []

    def watched(mac: Mac, label: bytes, event_id: bytes, said: bytes) -> tuple[bytes, bytes]:
        sealed.append((mac.digest(b"which key"), label, event_id))
        return seal(mac, label, event_id, said)

    monkeypatch.setattr(sealing, "seal", watched)
    faults = Faults(batches.services.database, monkeypatch)
    for number in range(12):
        faults.arm(number, done=True)
        commands = [partial(refuse_nobody, user="u-1"), partial(refuse_nobody, user="u-2")]
        run_batch(batches.runner, *commands)
        faults.disarm()
        run_batch(batches.runner, *commands)

    assert len(sealed) > 12 * 2 * 3
    assert len(set(sealed)) == len(sealed)
