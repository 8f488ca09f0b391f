"""What was written stays as it was, as long as nobody takes the guards off; and that is noticed."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from audit import guards
from exchange.checks import examine
from exchange.database import Unsafe
from exchange.samples import samples
from exchange.services import Services, build_services
from exchange.settings import Settings
from tests.builders import Broker, Clock
from tests.conftest import ROLE
from tests.exchange.aside import aside
from tests.exchange.commands import note
from tests.exchange.console import Overdracht, command_line

postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
FORBIDDEN = [
    "UPDATE audit_entry SET leaf = leaf WHERE idx = 1",
    "UPDATE audit_entry SET idx = 99999 WHERE idx = 1",
    "DELETE FROM audit_entry WHERE idx = 1",
    "UPDATE audit_part SET state = 0, ct = ct WHERE label = 's'",
    "UPDATE audit_part SET state = 2",
    "DELETE FROM audit_part WHERE label = 's'",
    "UPDATE audit_tile SET data = data WHERE level = 0",
    "UPDATE audit_tile SET data = substr(data, 1, 32) WHERE level = 1",
    "DELETE FROM audit_tile",
    "UPDATE audit_checkpoint SET size = size",
    "DELETE FROM audit_checkpoint",
    "UPDATE audit_state SET size = size - 1",
    "DELETE FROM audit_state",
]


@pytest.fixture
def logged_much(services: Services, broker: Broker) -> Services:
    """Enough entries for two tiles, a client among them, and a head that was signed."""
    broker.registered(samples()["cl-0005"])
    for future in [services.writer.submit(note, f"n-{n}") for n in range(520)]:
        future.result()
    services.checkpointing.once()
    return services


@pytest.fixture
def connection(logged_much: Services) -> Iterator[Connection]:
    with aside(logged_much) as connection:
        yield connection


@pytest.mark.case("AL14")
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_al14_what_was_written_is_not_changed(connection: Connection, statement: str) -> None:
    with pytest.raises(DBAPIError, match="only added to"):
        connection.execute(text(statement))


@pytest.mark.case("AL14")
@postgresql
@pytest.mark.parametrize("table", guards.KEPT)
def test_al14_no_table_of_the_log_is_emptied(connection: Connection, table: str) -> None:
    with pytest.raises(DBAPIError, match="only added to"):
        connection.execute(text(f"TRUNCATE {table} CASCADE"))


@pytest.mark.case("AL14")
@postgresql
def test_al14_acting_as_a_replica_does_not_walk_past_them(
    connection: Connection, postgresql: Any
) -> None:
    postgresql.psql(f"GRANT SET ON PARAMETER session_replication_role TO {ROLE};")
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    with pytest.raises(DBAPIError, match="only added to"):
        connection.execute(text(FORBIDDEN[0]))


@postgresql
@pytest.mark.parametrize("gap", [1, 5])
def test_an_entry_after_a_gap_is_refused(connection: Connection, gap: int) -> None:
    last = connection.execute(text("SELECT max(idx) FROM audit_entry")).scalar_one()
    added = text("INSERT INTO audit_entry VALUES (0, :idx, 'x'::bytea)")

    with pytest.raises(DBAPIError, match="no gaps"):
        connection.execute(added, {"idx": last + 1 + gap})


@pytest.mark.case("AL14")
def test_al14_without_a_guard_nothing_starts_until_it_is_put_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    services = build_services(settings, clock=Clock())
    services.close()
    with aside(services, keep=True) as connection:
        _switch_off(connection)

    with pytest.raises(Unsafe, match="guard_entry_update"):
        build_services(settings, clock=Clock())
    found = {each.check: each.mend for each in examine(settings)}
    assert "guard_entry_update" in found["the log is only added to"]

    overdracht: Overdracht = command_line(settings, monkeypatch, capsys)
    assert overdracht("migrate").code == 0
    assert overdracht("doctor").code == 1
    assert overdracht("migrate", "--guards").code == 0
    build_services(settings, clock=Clock()).close()


def _switch_off(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("DROP TRIGGER guard_entry_update"))
    else:
        connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER guard_entry_update"))


@pytest.mark.case("AL14")
def test_al14_a_guard_that_was_made_to_guard_nothing_is_noticed(settings: Settings) -> None:
    services = build_services(settings, clock=Clock())
    services.close()
    with aside(services, keep=True) as connection:
        if services.database.is_sqlite:
            connection.execute(text("DROP TRIGGER guard_entry_update"))
            connection.execute(
                text(
                    "CREATE TRIGGER guard_entry_update BEFORE UPDATE ON audit_entry WHEN 1 = 0"
                    " BEGIN SELECT 1; END"
                )
            )
        else:
            connection.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER guard_entry_update"))

    with pytest.raises(Unsafe, match="guard_entry_update"):
        build_services(settings, clock=Clock())


@pytest.mark.case("AL14")
@postgresql
@pytest.mark.parametrize(
    "emptied",
    [
        "CREATE OR REPLACE FUNCTION guard_entry_update() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NEW; END $$",
        "DROP TRIGGER guard_entry_update ON audit_entry;"
        " CREATE TRIGGER guard_entry_update BEFORE UPDATE ON audit_subject"
        " FOR EACH ROW EXECUTE FUNCTION guard_entry_update();"
        " ALTER TABLE audit_subject ENABLE ALWAYS TRIGGER guard_entry_update",
        "DROP TRIGGER guard_entry_update ON audit_entry;"
        " CREATE TRIGGER guard_entry_update BEFORE UPDATE ON audit_entry"
        " FOR EACH ROW WHEN (false) EXECUTE FUNCTION guard_entry_update();"
        " ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER guard_entry_update",
    ],
    ids=["body", "table", "condition"],
)
def test_al14_a_guard_in_name_only_is_noticed(services: Services, emptied: str) -> None:
    with aside(services) as connection:
        assert guards.missing(connection) == []
        connection.exec_driver_sql(emptied)

        assert guards.missing(connection) == ["guard_entry_update"]
