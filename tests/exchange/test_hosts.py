"""What one host finds out or changes, every other host of the same database heeds."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update

from audit.parts import wrapped_under
from audit.published import AuditCheckpoint
from audit.signer import Frozen
from exchange import installation
from exchange.checks import examine
from exchange.flows.rotate_keys import name_kek
from exchange.keeping import keys_rotate
from exchange.operations import OperationRefused
from exchange.restoring import WAIT, acknowledge, put_files_aside
from exchange.security.keys import KeysBehind, read_key_ring, replace_key_ring, with_new_epoch
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from exchange.writer import Busy
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.commands import PATIENCE, keep, kept, note
from tests.exchange.tampering import head, rewind, tamper

both_hosts = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


@dataclass
class Host:
    """Another host on the same database, with files of its own."""

    services: Services
    story: Story

    def again(self) -> None:
        settings, clock = self.services.settings, self.story.broker.clock
        self.services.close()
        self.services = build_services(settings, clock=clock)
        self.story = at(self.services, self.story)


def at(services: Services, story: Story) -> Story:
    """The same story, told to another host."""
    known = story.broker._applications  # noqa: SLF001 - the same parties
    return Story(Broker(services, story.broker.clock, _applications=known), *story.rest)


@pytest.fixture
def story(broker: Broker) -> Story:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    assert story.answer("acceptance").is_success
    broker.services.checkpointing.once()
    return story


@pytest.fixture
def other(services: Services, story: Story, tmp_path: Path) -> Iterator[Host]:
    data = tmp_path / "other"
    data.mkdir(mode=0o700)
    shutil.copy2(services.settings.data_dir / "keys.json", data)
    settings = services.settings.model_copy(update={"data_dir": data, "signs": False})
    built = build_services(settings, clock=story.broker.clock)
    host = Host(built, at(built, story))
    yield host
    host.services.close()


def cut(services: Services) -> None:
    """The log is put back after more of it was signed, and the signing host finds out."""
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    rewind(services, short)
    with pytest.raises(Frozen, match="were signed"):
        services.checkpointing.once()


@both_hosts
@pytest.mark.case("T89")
def test_t89_what_one_host_finds_wrong_stops_all_with_their_next_batch(
    services: Services, other: Host
) -> None:
    assert other.story.fetch().status_code == 200
    cut(services)
    before = head(services)

    assert other.services.admission.frozen is None
    assert other.story.fetch().status_code == 503
    assert other.story.withdraw().status_code == 202

    assert other.services.admission.frozen == services.admission.frozen
    assert head(services) == before


@both_hosts
def test_a_host_that_nobody_asks_anything_hears_it_with_its_next_look(
    services: Services, other: Host
) -> None:
    cut(services)

    with pytest.raises(Frozen, match="were signed"):
        other.services.checkpointing.look()
    assert other.services.admission.frozen is not None


@both_hosts
@pytest.mark.case("T89")
def test_t89_a_freeze_lasts_through_restarts_until_it_is_acknowledged(
    services: Services, other: Host, clock: Clock
) -> None:
    cut(services)
    other.again()
    assert other.services.admission.frozen is not None
    assert other.story.withdraw().status_code == 202
    other.again()
    assert other.services.admission.frozen is not None

    acknowledge(services, reason="disk.lost", operator="op-1")
    clock.move(WAIT)
    acknowledge(services, reason="disk.lost", operator="op-2")
    put_files_aside(other.services.settings)
    other.again()

    assert other.services.admission.frozen is None
    kinds = [each["k"] for each in logged(other.services)]
    assert kinds[-3:] == ["consent.suspended", "consent.withdrawn", "handover.revoked"]


@both_hosts
def test_a_host_whose_own_file_is_gone_stops_nobody_else(services: Services, other: Host) -> None:
    services.settings.high_water_path.unlink()

    with pytest.raises(Frozen, match="is gone"):
        services.checkpointing.once()

    assert services.admission.frozen is not None
    assert other.story.fetch().status_code == 200


@pytest.mark.case("AL07")
def test_al07_a_fork_that_was_found_is_remembered_by_the_database(
    services: Services, story: Story, clock: Clock
) -> None:
    tamper(services, lambda known: known.execute(update(AuditCheckpoint).values(root=bytes(32))))
    with pytest.raises(Frozen):
        services.checkpointing.once(again=True)
    with services.database.reading() as connection:
        known = installation.known(connection, shard=SHARD)
    assert known is not None
    assert known.frozen == services.admission.frozen
    services.writer.close()

    tamper(services, lambda found: found.execute(AuditCheckpoint.__table__.delete()))  # type: ignore[attr-defined]
    services.close()
    again = build_services(services.settings, clock=clock)

    assert again.admission.frozen == known.frozen
    assert at(again, story).fetch().status_code == 503
    again.close()


@both_hosts
def test_the_doctor_of_each_host_tells_what_another_one_found(
    services: Services, other: Host
) -> None:
    def told() -> list[str]:
        found = examine(other.services.settings)
        return [each.mend for each in found if "all hosts" in each.check]

    assert told() == [""]
    rotate(services)
    assert "copy it from there" in told()[0]
    cut(services)
    assert "were signed" in told()[0]


def epochs(services: Services) -> set[int]:
    """The epochs under which the living keys are wrapped."""
    shelf = services.keys._shelf  # noqa: SLF001 - what stands there
    with services.database.reading() as connection:
        return {wrapped_under(wrapped) for _, wrapped in shelf.after(connection, b"", 10_000)}


def rotate(services: Services, *, destroy: bool = False) -> None:
    list(keys_rotate(services, {"destroy_old": destroy}))


@both_hosts
@pytest.mark.parametrize("destroy", [False, True])
def test_a_host_that_missed_a_rotation_wraps_nothing_and_takes_withdrawals(
    services: Services, other: Host, *, destroy: bool
) -> None:
    rotate(services)
    if destroy:
        rotate(services, destroy=True)

    with pytest.raises(Busy):
        other.services.writer.submit(keep, "unread").result(PATIENCE)

    assert not kept(services, "unread")
    assert epochs(services) == {2}
    assert other.story.fetch().status_code == 503
    assert other.story.withdraw().status_code == 202
    with pytest.raises(KeysBehind, match="copy it from there"):
        other.again()
    shutil.copy2(services.settings.data_dir / "keys.json", other.services.settings.data_dir)
    other.again()
    assert "consent.withdrawn" in [each["k"] for each in logged(services)]


@both_hosts
@pytest.mark.parametrize("destroy", [False, True])
def test_a_host_that_can_read_the_new_ring_goes_on_with_it(
    services: Services, other: Host, *, destroy: bool
) -> None:
    rotate(services)
    if destroy:
        rotate(services, destroy=True)
    shutil.copy2(services.settings.data_dir / "keys.json", other.services.settings.data_dir)

    other.services.writer.submit(_keep_key, uuid4().bytes, other.services).result(PATIENCE)

    assert other.story.fetch().status_code == 200
    assert epochs(services) == {2}


def _keep_key(tx: Transaction, key_id: bytes, services: Services) -> Outcome[None]:
    tx.keys.keep(key_id, services.keys.propose(key_id))
    return Outcome(None)


def test_a_key_that_was_proposed_before_a_rotation_outlives_the_old_epoch(
    services: Services,
) -> None:
    key_id = uuid4().bytes
    wrapped = services.keys.propose(key_id)
    key = services.keys.key(key_id)
    rotate(services)

    services.writer.submit(_store, key_id, wrapped).result(PATIENCE)

    assert epochs(services) == {2}
    rotate(services, destroy=True)
    services.keys._cached.clear()  # noqa: SLF001 - nothing in memory
    assert services.keys.key(key_id) == key


def _store(tx: Transaction, key_id: bytes, wrapped: bytes) -> Outcome[None]:
    tx.keys.keep(key_id, wrapped)
    return Outcome(None)


@both_hosts
def test_a_host_that_missed_a_rotation_begins_none_of_its_own(
    services: Services, other: Host
) -> None:
    path = other.services.settings.data_dir / "keys.json"
    before = path.read_bytes()
    rotate(services)

    for destroy in (False, True):
        with pytest.raises(OperationRefused, match="copy its keys"):
            rotate(other.services, destroy=destroy)
    assert path.read_bytes() == before


def test_of_two_rotations_at_once_the_second_changes_nothing(
    services: Services, settings: Settings
) -> None:
    stale = with_new_epoch(read_key_ring(settings.data_dir / "keys.json"))
    rotate(services)

    with pytest.raises(KeysBehind):
        services.writer.submit(name_kek, stale).result(PATIENCE)
    services.writer.submit(keep, "goes-on").result(PATIENCE)
    with services.database.reading() as connection:
        known = installation.known(connection, shard=SHARD)
    assert known is not None
    assert (known.kek_epoch, known.kek) == services.keys.wrapping


def test_a_rotation_that_was_cut_short_is_known_after_the_restart(
    services: Services, clock: Clock
) -> None:
    path = services.settings.data_dir / "keys.json"
    ring = with_new_epoch(read_key_ring(path))
    replace_key_ring(ring, path)
    services.close()

    again = build_services(services.settings, clock=clock)

    again.writer.submit(_keep_key, uuid4().bytes, again).result(PATIENCE)
    assert 2 in epochs(again)
    with again.database.reading() as connection:
        known = installation.known(connection, shard=SHARD)
    assert known is not None
    assert known.kek_epoch == 2
    again.close()
