"""The migrated schema is the one that the code works with, on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Inspector, inspect, text
from sqlmodel import SQLModel

from exchange import tables
from exchange.database import Database, DatabaseOptions
from exchange.key_shelves import KEYS, SCHEMA
from exchange.migrations import SchemaBehind, migrate, require_current
from exchange.services import build_services
from exchange.settings import Settings
from tests.conftest import new_database

TABLES = SQLModel.metadata.tables
assert tables.ALL


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database in which there is nothing."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgresql"))
    database = Database(DatabaseOptions(url))
    yield database
    database.close()


@pytest.fixture
def migrated(empty: Database) -> Database:
    migrate(empty)
    return empty


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", "exchange:migrations")
    made.attributes["connection"] = connection
    return made


def inspected(database: Database) -> Inspector:
    found: Inspector = inspect(database.reading_engine)
    return found


def test_the_migrated_schema_is_that_of_the_tables(migrated: Database) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    with migrated.reading() as connection:
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


def test_every_check_of_the_tables_stands_in_the_schema(migrated: Database) -> None:
    found = inspected(migrated)

    stand = {each["name"] for name in TABLES for each in found.get_check_constraints(name)}

    declared = {
        each.name
        for table in TABLES.values()
        for each in table.constraints
        if isinstance(each, CheckConstraint)
    }
    assert stand == declared
    assert "ck_consent_state" in declared


def test_keys_are_the_same_in_schema_and_tables(migrated: Database) -> None:
    found = inspected(migrated)
    for name, table in TABLES.items():
        stands = found.get_pk_constraint(name)["constrained_columns"]
        assert stands == [column.name for column in table.primary_key], name


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_the_key_store_is_as_the_code_declares_it(migrated: Database) -> None:
    found = inspected(migrated)

    columns = {
        each["name"]: (str(each["type"]), each["nullable"])
        for each in found.get_columns("audit_key_store", SCHEMA)
    }

    dialect = migrated.reading_engine.dialect
    declared = {
        each.name: (each.type.compile(dialect=dialect), each.nullable) for each in KEYS.columns
    }
    assert columns == declared


def test_the_schema_can_be_taken_back_and_made_again(migrated: Database) -> None:
    before = shape(migrated)

    with migrated.writing(shard=0) as connection:
        command.downgrade(config(connection), "base")
    assert set(inspected(migrated).get_table_names()) <= {"alembic_version"}

    migrate(migrated)
    assert shape(migrated) == before


def shape(database: Database) -> dict[str, Any]:
    found = inspected(database)
    return {
        name: (
            sorted(column["name"] for column in found.get_columns(name)),
            found.get_pk_constraint(name),
            sorted(str(each["name"]) for each in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }


def test_migrating_again_changes_nothing(migrated: Database) -> None:
    before = shape(migrated)

    migrate(migrated)

    assert shape(migrated) == before


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database) -> None:
    with empty.writing(shard=0) as connection:
        connection.execute(text("CREATE TABLE handover (id integer)"))

    with pytest.raises(Exception, match="already exists"):
        migrate(empty)

    assert inspected(empty).get_table_names() == ["handover"]


def test_every_constraint_and_index_has_a_name(migrated: Database) -> None:
    found = inspected(migrated)
    for name in TABLES:
        named: list[Any] = [found.get_pk_constraint(name), *found.get_foreign_keys(name)]
        named += [*found.get_unique_constraints(name), *found.get_check_constraints(name)]
        named += found.get_indexes(name)
        assert all(each["name"] for each in named), name


def test_every_key_begins_with_the_shard(migrated: Database) -> None:
    found = inspected(migrated)
    for name in TABLES:
        unique: list[Any] = [
            each["column_names"] for each in found.get_indexes(name) if each["unique"]
        ]
        unique += [each["column_names"] for each in found.get_unique_constraints(name)]
        foreign = [each["constrained_columns"] for each in found.get_foreign_keys(name)]
        keys: list[Any] = [found.get_pk_constraint(name)["constrained_columns"], *unique, *foreign]
        assert {key[0] for key in keys} == {"shard"}, name


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_no_column_forgets_its_time_zone(migrated: Database) -> None:
    with migrated.reading() as connection:
        types = connection.execute(
            text(
                "SELECT DISTINCT data_type FROM information_schema.columns"
                " WHERE table_schema IN ('public', 'overdracht_keys')"
            )
        ).scalars()

        assert "timestamp without time zone" not in set(types)


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
def test_the_tables_of_the_log_are_strict(migrated: Database) -> None:
    with migrated.reading() as connection:
        rows = connection.exec_driver_sql("PRAGMA table_list").mappings().all()

    strict = {each["name"] for each in rows if each["strict"]}
    assert {name for name in TABLES if name.startswith("audit_")} <= strict


def test_a_database_without_the_newest_schema_is_behind(empty: Database) -> None:
    with pytest.raises(SchemaBehind):
        require_current(empty)

    migrate(empty)
    require_current(empty)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_on_postgresql_a_start_on_an_old_schema_is_refused(settings: Settings) -> None:
    database = Database(DatabaseOptions(settings.url))
    with database.writing(shard=0) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    database.close()

    with pytest.raises(SchemaBehind):
        build_services(settings)


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1
