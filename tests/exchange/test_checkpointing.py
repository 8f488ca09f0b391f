"""Heads are signed, witnessed and published beside the requests, and stop when they must."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from audit import published
from audit.checkpoints import Checkpoint, checkpoint_in, open_note
from audit.live import verify_log
from audit.published import AuditCheckpoint
from audit.signer import ClockBehind, Frozen
from audit.tree import root
from exchange.checkpointing import AGAIN, Elsewhere
from exchange.services import SHARD, Services, build_services
from exchange.writer import Busy
from tests.builders import Clock, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.tampering import hashes, head, rewind, tamper


def published_head(services: Services) -> Checkpoint:
    with services.database.reading() as connection:
        latest = published.latest(connection, shard=SHARD)
        assert latest is not None
        found = checkpoint_in(open_note(latest.note, services.checkpointing.vkeys))
    assert found is not None
    return found


def test_the_head_that_is_published_is_that_of_the_log(services: Services) -> None:
    done = services.checkpointing.once()

    assert done is not None
    said, leaves = published_head(services), hashes(services)
    assert (said.size, said.root) == (len(leaves), root(leaves)) == (done.size, done.root)
    assert said.origin.endswith("/audit/tlog/s0e1")
    with services.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0
        assert published.signer_keys(connection, shard=SHARD) == services.checkpointing.vkeys


def test_publishing_leaves_the_log_as_it_is(services: Services) -> None:
    before = hashes(services)

    services.checkpointing.once()

    assert hashes(services) == before


def test_only_a_log_that_has_grown_has_a_new_head(services: Services, clock: Clock) -> None:
    first = services.checkpointing.once()
    assert first is not None

    assert services.checkpointing.once() is None
    clock.move(AGAIN)
    again = services.checkpointing.once()
    assert again is not None
    assert (again.size, again.note) == (first.size, first.note)
    services.writer.submit(note, "more").result(PATIENCE)
    more = services.checkpointing.once()
    assert more is not None
    assert more.size == first.size + 1


def test_what_was_signed_and_not_published_is_published_the_next_time(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Busy

    with monkeypatch.context() as patch:
        patch.setattr(services.writer, "submit", refuse)
        with pytest.raises(Busy):
            services.checkpointing.once()
    signed = json.loads(services.settings.high_water_path.read_text())
    services.writer.submit(note, "more").result(PATIENCE)

    done = services.checkpointing.once()

    assert done is not None
    assert (done.size, done.note) == (signed["size"], signed["note"])
    following = services.checkpointing.once()
    assert following is not None
    assert following.size == done.size + 1


@pytest.mark.case("T93")
@pytest.mark.case("AL24")
def test_t93_a_clock_that_runs_backwards_keeps_the_order_and_holds_the_signer(
    services: Services, clock: Clock
) -> None:
    services.checkpointing.once()
    clock.move(timedelta(hours=-1))
    services.writer.submit(note, "back").result(PATIENCE)

    with pytest.raises(ClockBehind):
        services.checkpointing.once()

    times = [each["t"] for each in logged(services)]
    assert times == sorted(times)
    assert services.admission.frozen is None
    clock.move(timedelta(hours=1))
    assert services.checkpointing.once() is not None


def test_one_process_signs_for_all(services: Services, clock: Clock) -> None:
    services.checkpointing.once()
    if services.database.is_sqlite:
        services.database.close()
    other = build_services(services.settings, clock=clock)

    with pytest.raises(Elsewhere):
        other.checkpointing.once()
    services.checkpointing.close()
    other.writer.submit(note, "more").result(PATIENCE)
    assert other.checkpointing.once() is not None
    other.close()


@pytest.fixture
def frozen(services: Services) -> Services:
    """A broker whose log was cut after it was signed, consistently."""
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    rewind(services, short)
    return services


@pytest.mark.case("T89")
@pytest.mark.case("AL04")
@pytest.mark.case("AL05")
def test_t89_a_log_that_was_put_back_takes_nothing_and_releases_nothing(
    frozen: Services,
) -> None:
    with frozen.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0  # the database can not tell
    before = hashes(frozen)

    with pytest.raises(Frozen, match="were signed"):
        frozen.checkpointing.examine()

    assert frozen.admission.frozen is not None
    with pytest.raises(Busy):
        frozen.writer.submit(note, "more")
    with pytest.raises(Frozen):
        frozen.checkpointing.once()
    assert hashes(frozen) == before


@pytest.mark.case("AL15")
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_second_writer_is_refused_at_the_door(services: Services, clock: Clock) -> None:
    with pytest.raises(Exception, match="another overdracht process"):
        build_services(services.settings, clock=clock)


@pytest.mark.parametrize(
    ("text_", "why"),
    [("{}", "can not be read"), ("", "can not be read"), (None, "is gone")],
)
def test_without_its_high_water_file_nothing_is_signed_any_more(
    services: Services, text_: str | None, why: str
) -> None:
    services.checkpointing.once()
    path: Path = services.settings.high_water_path
    path.unlink()
    if text_ is not None:
        path.write_text(text_)

    with pytest.raises(Frozen, match=why):
        services.checkpointing.once()


def test_a_high_water_file_that_we_did_not_sign_is_not_believed(services: Services) -> None:
    services.checkpointing.once()
    path = services.settings.high_water_path
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"size": said["size"] - 1}))

    with pytest.raises(Frozen, match="no head that we signed"):
        services.checkpointing.examine()


@pytest.mark.case("AL07")
def test_a_second_root_of_one_size_is_never_published(services: Services) -> None:
    done = services.checkpointing.once()
    assert done is not None
    tamper(services, lambda known: known.execute(update(AuditCheckpoint).values(root=bytes(32))))

    with pytest.raises(Frozen):
        services.checkpointing.once(again=True)
