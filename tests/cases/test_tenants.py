"""T46: on PostgreSQL the database itself shows nobody the rows of another."""

import ast
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlmodel import SQLModel

from exchange import api, tables, tenancy
from exchange.checks import examine
from exchange.database import Database, DatabaseOptions
from exchange.services import SHARD
from exchange.tenancy import EVERYBODY, NOBODY, OWN, TENANT
from tests.builders import Broker
from tests.filling import HOLDER, RECIPIENT, fill

STRANGER = "leerwinkel-wvl"
NAMES_SOMEBODY = {
    "client",
    "holder",
    "controller",
    "sender",
    "recipient",
    "organisation",
    "consent",
}
OF_THE_DIRECTORY = {"application", "member"}
"""Who may come in at all: no client's data, and every organisation is known to all."""

assert tables.ALL
on_postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


@pytest.fixture
def filled(broker: Broker) -> Broker:
    """A broker with something in every table of clients' data."""
    fill(broker)
    return broker


def counted(connection: Connection) -> dict[str, int]:
    """How many rows a query without any `where` finds in each table."""
    found = {table: f"SELECT count(*) FROM {table}" for table in OWN}  # noqa: S608 - our names
    return {name: connection.exec_driver_sql(text).scalar_one() for name, text in found.items()}


def seen(broker: Broker, tenant: str) -> dict[str, int]:
    with broker.services.database.reading(tenant=tenant) as connection:
        return counted(connection)


NOTHING = dict.fromkeys(OWN, 0)


@pytest.mark.case("T46")
@on_postgresql
def test_t46_a_query_without_tenant_finds_nothing(filled: Broker) -> None:
    everything = seen(filled, EVERYBODY)
    assert {name for name, count in everything.items() if not count} <= {"grant_use"}

    assert seen(filled, NOBODY) == NOTHING
    with filled.services.database.reading_engine.connect() as raw:
        assert counted(raw) == NOTHING
    with filled.services.database.looking_engine.connect() as raw:
        assert counted(raw) == NOTHING


@pytest.mark.case("T46")
@on_postgresql
def test_t46_a_query_that_forgets_its_where_finds_the_tenants_own_rows(filled: Broker) -> None:
    everything = seen(filled, EVERYBODY)
    holder, recipient = seen(filled, HOLDER), seen(filled, RECIPIENT)

    tallies = ("field_tally", "refusal_tally")
    assert holder == everything | {"known_as": 1} | dict.fromkeys(tallies, 0)
    part = {"client": 1, "known_as": 1, "consent_request": 1, "handover": 1}
    part |= {"received": everything["received"], "recall": everything["recall"]}
    part |= {table: everything[table] for table in tallies}
    assert recipient == NOTHING | part | {"handover_event": everything["handover_event"]}
    assert seen(filled, STRANGER) == NOTHING
    assert seen(filled, "' OR '1'='1") == NOTHING


@pytest.mark.case("T46")
@on_postgresql
def test_t46_a_tenant_is_forgotten_when_its_transaction_ends(filled: Broker) -> None:
    database, left = filled.services.database, f"SELECT current_setting('{TENANT}', true)"
    filled.services.writer.close()

    # The pool hands its connections out in turn: so each of them has had the tenant.
    for _ in range(database.options.readers):
        assert seen(filled, HOLDER)["client"] == 1

    # Past all that begins a transaction of ours: what was left behind would be seen here.
    for engine in (database.reading_engine, database.writing_engine):
        for _ in range(engine.pool.size()):  # type: ignore[attr-defined]  # a QueuePool
            raw: Any = engine.raw_connection()
            assert raw.execute(left).fetchone() in {("",), (None,)}
            raw.close()


@pytest.mark.case("T46")
@on_postgresql
def test_t46_what_a_route_looks_up_is_the_callers_or_nobodys(filled: Broker) -> None:
    reader = filled.services.reader

    assert asyncio.run(reader.run(counted)) == NOTHING
    assert asyncio.run(reader.run(counted, tenant=STRANGER)) == NOTHING
    assert asyncio.run(reader.run(counted, tenant=HOLDER))["summary_section"] > 0
    for who in (HOLDER, RECIPIENT):
        box = "outbox" if who == HOLDER else "inbox"
        assert len(filled.as_(who).get(f"/v1/handovers?box={box}").json()["items"]) == 1


def test_no_route_reads_past_the_reader() -> None:
    calls = [
        f"{path.name}:{node.lineno}"
        for path in Path(api.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"reading", "writing", "directory"}
        and ast.unparse(node.value).endswith(("database", "services"))
    ]

    assert calls == []


def test_every_table_that_names_a_client_or_a_tenant_is_held_apart() -> None:
    naming = {
        name
        for name, table in SQLModel.metadata.tables.items()
        if NAMES_SOMEBODY & set(table.columns.keys())
    }

    assert naming - OF_THE_DIRECTORY <= set(OWN)
    assert set(OWN) <= set(SQLModel.metadata.tables)


@on_postgresql
@pytest.mark.parametrize(
    "harm",
    [
        "ALTER TABLE handover DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE handover NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY own ON handover",
        "CREATE POLICY more ON handover USING (true)",
        "ALTER POLICY own ON handover USING (true)",
        "ALTER POLICY everybody ON handover USING (true)",
    ],
)
def test_the_doctor_sees_a_policy_that_was_taken_off_or_changed(filled: Broker, harm: str) -> None:
    services = filled.services
    assert tenants_apart(services.settings) == {"good": True, "mend": ""}

    operator = Database(DatabaseOptions(services.settings.url))
    with operator.writing(shard=SHARD) as connection:
        connection.exec_driver_sql(harm)
    assert "handover" in tenants_apart(services.settings)["mend"]

    with operator.writing(shard=SHARD) as connection:
        tenancy.put_up(connection)
    operator.close()
    assert tenants_apart(services.settings)["good"]


@on_postgresql
def test_the_doctor_sees_a_role_that_no_policy_holds(filled: Broker, postgresql: Any) -> None:
    settings = filled.services.settings
    superuser = settings.database_url.replace("overdracht@", "postgres:@")

    found = tenants_apart(settings.model_copy(update={"database_url": superuser}))

    assert "superuser" in found["mend"]


def tenants_apart(settings: Any) -> Mapping[str, Any]:
    (found,) = [each for each in examine(settings) if "tenant" in each.check]
    return {"good": found.good, "mend": found.mend}
