"""`doctor` and `audit verify`: what an operator asks before believing that all is well."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from audit import guards, log
from exchange.admin_socket import AdminSocket
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from tests.builders import Clock
from tests.conftest import keeping
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import Overdracht, command_line
from tests.exchange.safes import Outside


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Where the doctor has nothing to say of the server."""
    if not settings.database_url:
        yield settings
        return
    with keeping(request.getfixturevalue("postgresql")):
        yield settings


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


@pytest.fixture
def server(services: Services) -> Iterator[Services]:
    admin = AdminSocket(services)
    yield services
    admin.close()


def test_doctor_finds_nothing_where_all_is_well(overdracht: Overdracht) -> None:
    found = overdracht("doctor", "--json")

    assert found.code == 0, found.words
    assert all(each["good"] for each in found.json["findings"])
    assert len(found.json["findings"]) == 17


def test_doctor_looks_while_a_server_runs(overdracht: Overdracht, server: Services) -> None:
    server.writer.submit(note, "busy").result(PATIENCE)

    assert overdracht("doctor").code == 0


def test_doctor_names_the_mend_and_hides_no_other_finding(
    overdracht: Overdracht, settings: Settings
) -> None:
    (settings.data_dir / "keys.json").chmod(0o644)

    found = overdracht("doctor", "--json")

    bad = [each for each in found.json["findings"] if not each["good"]]
    assert found.code == 1
    assert len(bad) == 1
    assert "chmod 600" in bad[0]["mend"]
    assert "mend the key ring" in overdracht("doctor").words


def test_audit_verify_says_how_long_the_log_is_and_that_it_holds(overdracht: Overdracht) -> None:
    found = overdracht("audit", "verify", "--json")

    assert found.code == 0
    assert set(found.json) == {"origin", "size", "root", "findings", "exit"}
    assert (found.json["findings"], found.json["exit"]) == ([], 0)
    assert found.json["size"] > 50
    assert overdracht("audit", "verify", "--deep").words.endswith("The log holds.")


def test_audit_verify_finds_what_was_tampered_with(
    overdracht: Overdracht, settings: Settings, clock: Clock
) -> None:
    services = build_services(settings, clock=clock)
    with services.database.writing(shard=SHARD) as connection:
        guards.take_down(connection)
        changed = text("UPDATE audit_entry SET leaf = :leaf WHERE idx = 3")
        (_, leaf), *_ = log.entries(connection, shard=SHARD, start=3, stop=4)
        connection.execute(changed, {"leaf": leaf.replace(b"applied", b"removed")})
        guards.put_up(connection)
    services.close()

    found = overdracht("audit", "verify", "--json")

    assert found.code == 1
    assert found.json["exit"] == 1
    assert found.json["findings"]
    assert "does not hold" in overdracht("audit", "verify").words
    assert overdracht("doctor").code == 1


def test_audit_verify_deep_finds_what_shallow_does_not(
    overdracht: Overdracht, settings: Settings, clock: Clock
) -> None:
    services = build_services(settings, clock=clock)
    with services.database.writing(shard=SHARD) as connection:
        connection.execute(text("UPDATE audit_index SET provider = 'x' WHERE idx = 3"))
    services.close()

    assert overdracht("audit", "verify").code == 0
    assert overdracht("audit", "verify", "--deep").code == 1


def test_migrate_brings_a_new_database_up_to_date_and_again_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overdracht = command_line(Settings(data_dir=tmp_path / "new"), monkeypatch, capsys)

    assert [overdracht("migrate").code for _ in range(2)] == [0, 0]
    assert (tmp_path / "new" / "overdracht.db").exists()


def test_doctor_says_what_is_wrong_with_the_safe_of_the_key_ring(
    settings: Settings,
    vault: Outside,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert vault.vault is not None
    said = {name: str(value) for name, value in vault.reached.items()}
    for name, value in said.items():
        monkeypatch.setenv(f"OVERDRACHT_{name.upper()}", value)
    overdracht = command_line(settings, monkeypatch, capsys)

    before = overdracht("doctor")
    moved = overdracht("keys", "move")
    well = overdracht("doctor")
    vault.vault.instead = lambda request: request.send_error(503)
    sealed = overdracht("doctor", "--json")
    started = overdracht("audit", "checkpoint")

    assert (before.code, well.code, sealed.code, started.code) == (1, 0, 1, 2)
    assert "is not sealed by vault; run: overdracht keys move" in before.words
    assert "was kept by: file. Now by: vault. Next: overdracht keys rotate." in moved.words
    (bad,) = [each for each in sealed.json["findings"] if not each["good"]]
    assert bad["mend"] == "Vault is sealed or in maintenance; unseal it"
    assert "unseal it" in started.words


def test_keys_are_not_moved_under_a_running_server(
    overdracht: Overdracht, server: Services
) -> None:
    moved = overdracht("keys", "move")

    assert moved.code == 2
    assert "the service runs; stop it first" in moved.words
