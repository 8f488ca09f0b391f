"""A database that is full of data is upgraded, however long that takes, and loses nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, event, text

from audit.live import verify_log
from exchange import tenancy
from exchange.database import Database, DatabaseOptions
from exchange.migrations import migrate, require_current
from exchange.services import SHARD
from tests.builders import Broker
from tests.conftest import new_database
from tests.exchange.commands import PATIENCE, note

EARLIER = ("0003_guards", "0011_burst")
BOUNDS = ("statement_timeout", "idle_in_transaction_session_timeout")
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def filled(broker: Broker) -> Broker:
    """What a broker writes: a consent, a released summary, and a log of more than one tile."""
    story = broker.story("cl-0004", "vdab-gent", "P2")
    assert story.answer("acceptance").is_success
    assert story.fetch().is_success
    for each in [broker.services.writer.submit(note, f"n-{n}") for n in range(300)]:
        each.result(PATIENCE)
    broker.services.checkpointing.once()
    return broker


@pytest.fixture(params=EARLIER)
def old(filled: Broker, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The same rows in the schema of an earlier release."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if not filled.services.database.is_sqlite:
        url = new_database(request.getfixturevalue("postgresql"))
    database = Database(DatabaseOptions(url))
    with database.writing(shard=SHARD) as connection:
        config = Config()
        config.set_main_option("script_location", "exchange:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, request.param)
        with filled.services.database.reading() as full:
            fill(connection, rows(full))
    yield database
    database.close()


def rows(connection: Connection, *, of: MetaData | None = None) -> Rows:
    """Every row of every table, or of the tables and columns of another schema."""
    known = of or reflected(connection)
    return {
        table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
        for table in known.sorted_tables
        if table.name != "alembic_version"
    }


def reflected(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    return found


def fill(connection: Connection, given: Rows) -> None:
    for table in reflected(connection).sorted_tables:
        kept = [
            {column.name: row[column.name] for column in table.columns}
            for row in given.get(table.name, [])
        ]
        if kept:
            connection.execute(table.insert(), kept)


def test_a_filled_database_of_an_earlier_release_is_upgraded_and_keeps_every_row(
    old: Database, filled: Broker
) -> None:
    with old.reading() as connection:
        schema = reflected(connection)
        before = rows(connection)
    assert len(before["audit_entry"]) > 300
    assert before["consent"]

    migrate(old)

    require_current(old)
    with old.reading() as connection:
        assert rows(connection, of=schema) == before
        assert tenancy.missing(connection) == []
        report = verify_log(connection, shard=SHARD, keys=filled.services.keys, deep=True)
    assert report.findings == ()


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_no_step_of_an_upgrade_is_cut_short_by_the_bounds_of_a_batch(old: Database) -> None:
    held: set[str] = set()

    @event.listens_for(old.writing_engine, "before_cursor_execute")
    def look(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if statement.lstrip().startswith(("CREATE INDEX", "ALTER TABLE")):
            held.update(cursor.connection.execute(f"SHOW {each}").fetchone()[0] for each in BOUNDS)

    migrate(old)

    assert held == {"0"}
    with old.writing(shard=SHARD) as connection:
        after = [connection.execute(text(f"SHOW {each}")).scalar_one() for each in BOUNDS]
    assert after == ["2s", "10s"]
