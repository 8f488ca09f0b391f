"""Witnesses are asked beside the requests; silent, they hold data back, and proof stops the log."""

import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audit import published
from audit.checkpoints import (
    Checkpoint,
    new_note_key,
    open_note,
    read_note_key,
)
from audit.notes import Algorithm, read_vkey
from audit.policy import read_policy
from audit.signer import Frozen
from audit.witness import Witness, WitnessServer, witness_key
from audit.witnessing import Answer, Unreachable
from exchange.database import Unsafe
from exchange.notary import witness_policy
from exchange.services import SHARD, Services, build_services
from exchange.settings import Profile, Settings
from exchange.witnesses import LONGEST_PAUSE, Witnesses, last_quorum
from exchange.writer import Busy
from tests.builders import Broker, Clock
from tests.exchange.commands import PATIENCE, note
from tests.exchange.tampering import head, rewind

ALARM, REFUSE = timedelta(minutes=10), timedelta(hours=4)


class Helper:
    """A witness in this process, reached over HTTP, that can be switched off."""

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        self.folder, self.name, self.clock = folder / name, name, clock
        self.key = witness_key(self.folder, f"{name}.example")
        self._server: WitnessServer | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def line(self) -> str:
        return f"witness {self.name} {self.key.vkey.text} http://127.0.0.1:{self.port}/\n"

    @property
    def witness(self) -> Witness:
        assert self._server is not None
        return self._server.witness

    def start(self, vkeys: list[str]) -> None:
        logs = [key for key in map(read_vkey, vkeys) if key is not None]
        witness = Witness(self.folder / "heads.db", self.key, logs, self._seconds)
        self._server = WitnessServer(("127.0.0.1", self.port), witness)
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()

    def _seconds(self) -> float:
        return self.clock().timestamp()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.witness.close()
            self._server = None


class Witnessed:
    """A broker whose log has two witnesses, of which one is enough."""

    def __init__(self, services: Services, helpers: list[Helper], clock: Clock) -> None:
        self.services, self.helpers, self.clock = services, helpers, clock

    def start(self) -> None:
        for each in self.helpers:
            each.start(self.services.checkpointing.vkeys)


@pytest.fixture
def witnessed(settings: Settings, clock: Clock, tmp_path: Path) -> Iterator[Witnessed]:
    helpers = [Helper(tmp_path, name, clock) for name in ("clinic", "city")]
    policy = tmp_path / "policy"
    words = "".join(each.line for each in helpers)
    policy.write_text(f"{words}group both any clinic city\nquorum both\n")
    given = settings.model_copy(update={"witness_policy": str(policy)})
    made = Witnessed(build_services(given, clock=clock), helpers, clock)
    yield made
    for each in helpers:
        each.stop()
    made.services.close()


def test_the_head_carries_the_lines_of_its_witnesses(witnessed: Witnessed) -> None:
    witnessed.start()

    done = witnessed.services.checkpointing.once()

    assert done is not None
    assert done.quorum
    shown = TestClient(Broker(witnessed.services, witnessed.clock).app).get("/v1/audit/checkpoint")
    keys = witnessed.services.checkpointing.vkeys
    keys += [each.key.vkey.text for each in witnessed.helpers]
    opened = open_note(shown.text, keys)
    assert opened is not None
    assert {each.key.name for each in opened.signatures} >= {"clinic.example", "city.example"}
    assert {each.seconds for each in opened.signatures[1:]} == {int(witnessed.clock().timestamp())}


def test_they_follow_the_log_as_it_grows_and_after_they_were_away(witnessed: Witnessed) -> None:
    witnessed.start()
    once = witnessed.services.checkpointing.once
    sizes = [once()]
    for number in range(3):
        witnessed.services.writer.submit(note, f"more-{number}").result(PATIENCE)
        sizes.append(once())
    witnessed.services.close()

    again = build_services(witnessed.services.settings, clock=witnessed.clock)
    again.writer.submit(note, "later").result(PATIENCE)
    sizes.append(again.checkpointing.once())
    witnessed.services = again

    assert all(each is not None and len(each.cosigned) == 2 for each in sizes)


def test_one_that_is_away_is_done_without_and_told_by_the_quorum(witnessed: Witnessed) -> None:
    witnessed.helpers[0].start(witnessed.services.checkpointing.vkeys)

    done = witnessed.services.checkpointing.once()

    assert done is not None
    assert [each.witness for each in done.cosigned] == ["clinic"]
    assert done.quorum


def test_without_any_of_them_the_head_is_published_all_the_same(witnessed: Witnessed) -> None:
    done = witnessed.services.checkpointing.once()

    assert done is not None
    assert not done.quorum
    with witnessed.services.database.reading() as connection:
        assert published.latest(connection, shard=SHARD) is not None


@pytest.mark.case("T92")
def test_t92_silent_witnesses_are_told_of_and_at_last_no_more_data_leave(
    witnessed: Witnessed, capsys: pytest.CaptureFixture[str]
) -> None:
    services, clock = witnessed.services, witnessed.clock
    story = Broker(services, clock).story("cl-0004", "vdab-gent", "P2")
    witnessed.helpers[0].start(services.checkpointing.vkeys)
    services.checkpointing.once()
    witnessed.helpers[0].stop()

    clock.move(ALARM - timedelta(seconds=1))
    services.checkpointing.watch()
    quiet = capsys.readouterr().out
    clock.move(timedelta(seconds=1))
    services.checkpointing.watch()
    told = capsys.readouterr().out
    clock.move(REFUSE - ALARM - timedelta(seconds=1))
    services.checkpointing.watch()
    within = story.fetch()
    clock.move(timedelta(seconds=1))
    services.checkpointing.watch()
    after, push = story.fetch(), story.broker.pushed("destap-ww", story.handle, "vdab-gent", "P2")
    withdrawn = story.withdraw()

    assert "witnesses.silent" not in quiet
    assert "witnesses.silent" in told
    assert within.status_code == 200
    assert [each.status_code for each in (after, push)] == [503, 503]
    assert after.headers["retry-after"] == "1"
    assert withdrawn.status_code == 200
    witnessed.start()
    services.checkpointing.once(again=True)
    assert services.checkpointing.watch() < ALARM
    assert story.fetch().status_code == 404  # withdrawn, and no longer for want of a witness


def test_a_log_that_never_had_a_quorum_counts_from_its_first_head(witnessed: Witnessed) -> None:
    services, clock = witnessed.services, witnessed.clock
    assert services.checkpointing.watch() == timedelta(0)
    services.checkpointing.once()
    clock.move(REFUSE)

    assert services.checkpointing.watch() == REFUSE
    assert services.admission.unwitnessed


def test_zero_means_that_data_go_on_leaving(witnessed: Witnessed) -> None:
    services, clock = witnessed.services, witnessed.clock
    services.close()
    given = services.settings.model_copy(update={"quorum_refuse_seconds": 0})
    services = witnessed.services = build_services(given, clock=clock)
    services.checkpointing.once()
    clock.move(REFUSE)

    assert services.checkpointing.watch() == REFUSE
    assert not services.admission.unwitnessed


def test_without_a_policy_nobody_is_missed(services: Services, clock: Clock) -> None:
    done = services.checkpointing.once()
    clock.move(REFUSE)

    assert done is not None
    assert done.quorum
    assert services.checkpointing.watch() == timedelta(0)
    assert not services.admission.unwitnessed


@pytest.mark.case("AL04")
@pytest.mark.case("T90")
def test_a_witness_that_is_ahead_of_us_by_our_own_hand_stops_the_log(witnessed: Witnessed) -> None:
    services = witnessed.services
    witnessed.start()
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    rewind(services, short)
    services.settings.high_water_path.unlink()  # and the file outside the database is gone too

    with pytest.raises(Frozen, match="were signed"):
        services.checkpointing.examine()

    assert services.admission.frozen is not None
    with pytest.raises(Busy):
        services.writer.submit(note, "more")


@pytest.mark.case("T90")
def test_a_host_that_never_saw_the_lost_head_hears_of_it_from_a_witness(
    witnessed: Witnessed,
) -> None:
    services = witnessed.services
    witnessed.start()
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    rewind(services, short)
    services.close()
    given = services.settings.model_copy(update={"signs": False})

    witnessed.services = build_services(given, clock=witnessed.clock)

    assert witnessed.services.admission.frozen is not None


@pytest.mark.case("AL05")
def test_a_branch_that_has_overtaken_the_lost_one_is_told_too(witnessed: Witnessed) -> None:
    services = witnessed.services
    witnessed.start()
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    rewind(services, short)
    services.settings.high_water_path.unlink()
    for name in ("other", "more"):
        services.writer.submit(note, name).result(PATIENCE)

    with pytest.raises(Frozen, match="not those that were signed"):
        services.checkpointing.once()

    assert services.admission.frozen is not None


@pytest.mark.case("AL22")
def test_a_witness_that_merely_says_it_is_ahead_stops_nothing(
    witnessed: Witnessed, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = witnessed.helpers[0].name

    def lies(self: Witness, _body: bytes) -> Answer:
        return Answer(409, "text/x.tlog.size", b"999999\n")

    witnessed.start()
    with monkeypatch.context() as patch:
        patch.setattr(Witness, "add", lies)
        done = witnessed.services.checkpointing.once()

    assert liar == "clinic"
    assert done is not None
    assert not done.quorum
    assert witnessed.services.admission.frozen is None
    witnessed.services.writer.submit(note, "more").result(PATIENCE)


@pytest.mark.parametrize("lie", [(409, "text/x.tlog.size", b"999999\n"), (422, "text/plain", b"")])
def test_a_liar_takes_nothing_from_the_lines_of_the_others(
    witnessed: Witnessed, monkeypatch: pytest.MonkeyPatch, lie: tuple[int, str, bytes]
) -> None:
    witnessed.start()
    liar, add = witnessed.helpers[0].witness, Witness.add
    monkeypatch.setattr(
        Witness, "add", lambda self, body: Answer(*lie) if self is liar else add(self, body)
    )

    done = witnessed.services.checkpointing.once()

    assert done is not None
    assert [each.witness for each in done.cosigned] == ["city"]
    assert done.quorum
    assert witnessed.services.admission.frozen is None


def test_who_does_not_answer_is_asked_less_and_less_often() -> None:
    key = read_note_key(sign_key())
    calls: list[float] = []
    now = [0.0]

    def call(_url: str, _body: bytes | None) -> Answer:
        calls.append(now[0])
        raise Unreachable

    words = f"witness w {key.vkey.text} http://w.example/\nquorum w\n"
    witnesses = Witnesses(read_policy(words), call, lambda: now[0])
    for second in range(400):
        now[0] = float(second)
        found = witnesses.gather(Checkpoint("o", 1, bytes(32)), "note", lambda _: [], at=second)
        assert (found.lines, found.disputed) == ([], False)

    pauses = [later - earlier for earlier, later in pairwise(calls)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == LONGEST_PAUSE


def sign_key() -> str:
    return new_note_key("w.example", Algorithm.COSIGNATURE).text


def test_the_last_quorum_is_found_among_heads_that_had_none(witnessed: Witnessed) -> None:
    services, clock = witnessed.services, witnessed.clock
    witnessed.start()
    services.checkpointing.once()
    at = clock()
    for each in witnessed.helpers:
        each.stop()
    clock.move(timedelta(minutes=1))
    services.writer.submit(note, "more").result(PATIENCE)
    services.checkpointing.once()

    with services.database.reading() as connection:
        found = last_quorum(
            connection, witness_policy(services.settings), shard=SHARD, now=micros(clock())
        )

    assert found == micros(at)


def micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def test_of_a_quorum_no_single_clock_moves_the_time(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, hour = int(clock().timestamp()), 3600
    monkeypatch.setattr(published, "cosigned_sizes", lambda *_, **__: [1])

    def found(said: dict[str, int], quorum: str) -> int | None:
        keys = {name: new_note_key(f"{name}.example", Algorithm.COSIGNATURE) for name in said}
        words = "".join(f"witness {n} {k.vkey.text} http://{n}/\n" for n, k in keys.items())
        policy = read_policy(f"{words}group q {quorum} {' '.join(said)}\nquorum q\n")
        lines = [published.Cosigned(name, now + apart, "") for name, apart in said.items()]
        monkeypatch.setattr(published, "cosigned", lambda *_, **__: lines)
        with services.database.reading() as connection:
            since = last_quorum(connection, policy, shard=SHARD, now=now * 1_000_000)
        return None if since is None else since // 1_000_000 - now

    assert found({"a": -5 * hour, "b": 0}, "all") == -5 * hour
    assert found({"a": -5 * hour, "b": hour}, "any") == -5 * hour
    assert found({"a": -hour, "b": 200}, "any") == 0


# Who is named


def test_in_production_somebody_witnesses_or_it_is_said_by_name(tmp_path: Path) -> None:
    base: dict[str, Any] = {"profile": Profile.PRODUCTION, "data_dir": tmp_path}
    (tmp_path / "nobody").write_text("quorum none\n")
    (tmp_path / "broken").write_text("witness\n")

    for said in ("", str(tmp_path / "missing"), str(tmp_path / "nobody"), str(tmp_path / "broken")):
        with pytest.raises(Unsafe, match="witness"):
            witness_policy(Settings(**base, witness_policy=said))
    assert witness_policy(Settings(**base, witness_policy="none")).met_by(())
    assert witness_policy(Settings(data_dir=tmp_path)).met_by(())
