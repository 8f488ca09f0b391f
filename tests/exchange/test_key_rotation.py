"""The key that wraps all others turns while the service works, and a kill costs nothing."""

import shutil
import signal
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from audit.live import verify_log
from audit.parts import wrapped_under
from exchange import installation
from exchange.admin_socket import AdminSocket, ask_server
from exchange.flows import rotate_keys
from exchange.keeping import keys_rotate
from exchange.key_rings import key_provider, move_ring
from exchange.operations import OperationRefused
from exchange.security.keys import KeysRefused
from exchange.services import SHARD, Services, build_services
from exchange.settings import KeyRingKind, Settings
from exchange.transaction import Outcome, Transaction
from tests.builders import Broker, Clock, logged
from tests.exchange.commands import PATIENCE, Commit, at_commit, keep
from tests.exchange.disasters import disk_full
from tests.exchange.processes import ended, rotate_until_killed
from tests.exchange.safes import Outside

PEOPLE = 7


def people(tx: Transaction, ids: list[bytes]) -> Outcome[None]:
    """Somebody for each id, of whom nothing is known but a key."""
    for each in ids:
        tx.keys.keep(each, tx.keys.propose(each))
    return Outcome(None)


@pytest.fixture
def ids() -> list[bytes]:
    return [bytes([number]) * 16 for number in range(PEOPLE)]


@pytest.fixture
def held(settings: Settings, ids: list[bytes]) -> list[bytes]:
    """The keys of some people, stored by a service that has stopped again."""
    services = build_services(settings, clock=Clock())
    services.writer.submit(people, ids).result(PATIENCE)
    keys = [services.keys.key(each) for each in ids]
    services.close()
    return keys


def epochs(services: Services) -> set[int]:
    """The epochs under which keys are wrapped, as they are stored."""
    with services.database.reading() as connection:
        stored = services.keys._shelf.after(connection, b"", 1000)  # noqa: SLF001 - as stored
    return {wrapped_under(wrapped) for _, wrapped in stored}


def turn(services: Services, *, destroy: bool = False) -> dict[str, Any]:
    (line,) = keys_rotate(services, {"destroy_old": destroy})
    return line


def told(services: Services) -> list[Any]:
    return [each["e"] for each in logged(services) if each["k"] == "key.rotated"]


# By then: nothing, a step, two, all of them; all of them, and the log was about to be told.
@pytest.mark.parametrize("commits", [1, 2, 3, 5, 6])
def test_a_turn_that_was_killed_is_gone_on_with(
    settings: Settings, ids: list[bytes], held: list[bytes], commits: int
) -> None:
    assert ended(rotate_until_killed, settings, commits) == -signal.SIGKILL

    services = build_services(settings, clock=Clock())
    assert [services.keys.key(each) for each in ids] == held
    first = turn(services)
    assert (first["epoch"], first["resumed"], first["destroyed"]) == (2, True, 0)
    assert epochs(services) == {2}
    assert len(told(services)) == 1
    assert turn(services, destroy=True)["destroyed"] == 1
    services.close()

    services = build_services(settings, clock=Clock())
    assert [services.keys.key(each) for each in ids] == held
    assert turn(services)["epoch"] == 3
    assert len(told(services)) == 2
    with services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
    services.close()
    assert report.findings == ()


def test_a_turn_goes_in_steps_between_which_others_have_theirs(
    services: Services, ids: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    services.writer.submit(people, ids).result(PATIENCE)
    monkeypatch.setattr(rotate_keys, "STEP", 2)
    between: list[Future[Any]] = []
    seen: list[set[int]] = []

    def come_in(_connection: Any, commit: Commit) -> None:
        if len(between) < 3:
            between.append(services.writer.submit(keep, f"between-{len(between)}"))
        commit()
        seen.append(epochs(services))

    at_commit(monkeypatch, services.database, come_in)
    admin = AdminSocket(services)
    lines = list(ask_server(services.settings.data_dir, "keys rotate", {}) or ())
    admin.close()

    assert lines[-1]["result"]["wrapped"] == PEOPLE
    kinds = [each["k"] for each in logged(services)]
    assert kinds[-4:] == ["admin.changed"] * 3 + ["key.rotated"]
    assert seen.count({1, 2}) >= 3
    assert epochs(services) == {2}


def test_a_turn_that_has_ended_is_not_gone_on_with(services: Services, ids: list[bytes]) -> None:
    services.writer.submit(people, ids).result(PATIENCE)

    lines = [turn(services), turn(services), turn(services, destroy=True), turn(services)]

    assert [each["epoch"] for each in lines] == [2, 3, 3, 4]
    assert [each["wrapped"] for each in lines] == [PEOPLE, PEOPLE, 0, PEOPLE]
    assert [each.get("resumed") for each in lines] == [False, False, None, False]
    assert [each["use"] for each in told(services)] == ["kek"] * 3


def test_old_keys_end_only_when_all_that_they_wrapped_is_wrapped_anew(
    settings: Settings, ids: list[bytes], held: list[bytes]
) -> None:
    assert ended(rotate_until_killed, settings, 2) == -signal.SIGKILL
    services = build_services(settings, clock=Clock())

    line = turn(services, destroy=True)

    assert line["wrapped"] > 0
    assert [services.keys.key(each) for each in ids] == held
    assert len(told(services)) == 1
    services.close()


def test_old_keys_end_only_when_all_hosts_are_told_which_one_wraps(
    services: Services, ids: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    services.writer.submit(people, ids).result(PATIENCE)

    def full(_connection: Any, _commit: Commit) -> None:
        raise disk_full(services.database)

    for destroy in (False, True):
        with monkeypatch.context() as patch:
            at_commit(patch, services.database, full)
            with pytest.raises(OperationRefused, match="run it again"):
                turn(services, destroy=destroy)
        assert key_provider(services.settings).read().kek.keys() == {1, 2}
    assert told_to_hosts(services) == 1

    assert turn(services, destroy=True)["destroyed"] == 1
    assert told_to_hosts(services) == 2
    assert key_provider(services.settings).read().kek.keys() == {2}
    assert epochs(services) == {2}


def told_to_hosts(services: Services) -> int:
    """The epoch of the key that every host is told to wrap with."""
    with services.database.reading() as connection:
        known = installation.known(connection, shard=SHARD)
    assert known is not None
    return known.kek_epoch


def test_a_broker_works_and_turns_its_keys_behind_a_safe(
    settings: Settings, safe: Outside, clock: Clock, tmp_path: Path
) -> None:
    sealed, old = safe.settings(settings), tmp_path / "old"
    assert move_ring(sealed) is KeyRingKind.FILE
    shutil.copy(sealed.key_ring_path, old)
    services = build_services(sealed, clock=clock)
    story = Broker(services, clock).story("cl-0005", "vdab-wvl", "P2")

    assert story.fetch().is_success
    assert [turn(services)["epoch"], turn(services)["epoch"]] == [2, 3]
    assert story.fetch().is_success
    assert turn(services, destroy=True)["destroyed"] == 2
    assert story.fetch().is_success
    services.close()

    again = build_services(sealed, clock=clock)
    assert len([each for each in logged(again) if each["k"] == "summary.released"]) == 3
    again.close()
    shutil.copy(old, sealed.key_ring_path)
    with pytest.raises(KeysRefused, match="put the newest copy of it here"):
        build_services(sealed, clock=clock)


def test_no_request_and_no_command_waits_for_the_safe(
    settings: Settings, vault: Outside, clock: Clock
) -> None:
    assert vault.vault is not None
    sealed = vault.settings(settings)
    move_ring(sealed)
    services = build_services(sealed, clock=clock)
    asked = list(vault.vault.asked)

    story = Broker(services, clock).story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    services.keys._cached.clear()  # noqa: SLF001 - as after a thousand others
    assert story.fetch().is_success

    assert vault.vault.asked == asked != []
    services.close()


def test_a_safe_that_does_not_answer_stops_a_turn_and_nothing_else(
    settings: Settings, vault: Outside, clock: Clock
) -> None:
    assert vault.vault is not None
    sealed = vault.settings(settings)
    move_ring(sealed)
    before = sealed.key_ring_path.read_bytes()
    services = build_services(sealed, clock=clock)
    vault.vault.instead = lambda request: request.send_error(503)

    with pytest.raises(OperationRefused, match="Vault is sealed or in maintenance; unseal it"):
        turn(services)
    with pytest.raises(OperationRefused, match="unseal it"):
        turn(services, destroy=True)

    assert Broker(services, clock).story("cl-0005", "vdab-wvl", "P2").fetch().is_success
    assert sealed.key_ring_path.read_bytes() == before
    services.close()
