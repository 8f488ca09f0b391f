"""The database keeps what it acknowledges, lets readers read only, and has one writer."""

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from exchange import database as module
from exchange.database import (
    LOCK_CLASS,
    PRAGMAS,
    Database,
    DatabaseOptions,
    Unsafe,
    free_of_wal_reset,
    sqlite_driver,
)
from exchange.services import Services, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from tests.builders import Clock
from tests.exchange.commands import PATIENCE, Hold, keep, kept

sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = Database(DatabaseOptions(settings.url))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ((3, 6, 23), True),
        ((3, 7, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 49, 2), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
        ((4, 0, 0), True),
    ],
)
def test_sqlite_versions_that_may_lose_committed_writes_are_known(
    version: tuple[int, int, int], *, good: bool
) -> None:
    assert free_of_wal_reset(version) is good


@sqlite
def test_the_library_that_the_engine_really_uses_is_a_good_one(database: Database) -> None:
    with database.reading() as connection:
        stands = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()

    major, minor, patch = map(int, stands.split("."))
    assert free_of_wal_reset((major, minor, patch))


@pytest.mark.case("T109")
def test_t109_a_a_start_on_an_affected_sqlite_is_refused_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    monkeypatch.setitem(sys.modules, "pysqlite3.dbapi2", None)
    settings = Settings(data_dir=tmp_path / "data")

    with pytest.raises(Unsafe, match=r"install pysqlite3 .* or set OVERDRACHT_SQLITE_JOURNAL"):
        build_services(settings)

    assert sqlite_driver("delete") is sqlite3


@pytest.mark.case("T109")
def test_t109_b_a_start_with_weaker_synchronisation_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a library would that gives another level than it was asked for.
    monkeypatch.setitem(PRAGMAS, "synchronous", 7)

    with pytest.raises(Unsafe, match="PRAGMA synchronous"):
        build_services(Settings(data_dir=tmp_path / "data"))


def test_a_pragma_that_the_library_does_not_know_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRAGMAS, "of_a_later_version", 1)

    with pytest.raises(Unsafe, match="PRAGMA of_a_later_version=1; upgrade SQLite"):
        build_services(Settings(data_dir=tmp_path / "data"))


def test_a_journal_that_sqlite_does_not_keep_is_refused() -> None:
    database = Database(DatabaseOptions("sqlite://"))

    with pytest.raises(Unsafe, match="journal_mode=memory"), database.reading():
        pass

    database.close()


@sqlite
def test_every_connection_has_the_safe_pragmas(database: Database) -> None:
    asked = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "busy_timeout")
    for engine, query_only in ((database.writing_engine, 0), (database.reading_engine, 1)):
        with engine.connect() as connection:
            stand = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in (*asked, "query_only")
            ]
        assert stand == ["wal", 2, 1, 0, 5000, query_only]


def test_the_slower_journal_works_from_the_first_start_on(tmp_path: Path, clock: Clock) -> None:
    services = build_services(
        Settings(data_dir=tmp_path / "data", sqlite_journal="delete"), clock=clock
    )
    services.writer.submit(keep, "row").result(PATIENCE)

    with services.database.reading() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    services.close()
    assert mode == "delete"
    assert not (tmp_path / "data" / "overdracht.db-wal").exists()


def test_a_reader_cannot_write(database: Database) -> None:
    statements = ("DELETE FROM replay", "UPDATE audit_state SET size = 0", "CREATE TABLE t (i int)")
    for statement in statements:
        with pytest.raises(DBAPIError), database.reading() as connection:
            connection.execute(text(statement))


def test_a_reader_sees_one_state_whatever_is_committed_meanwhile(database: Database) -> None:
    count = text("SELECT count(*) FROM replay")
    add = text("INSERT INTO replay (shard, token, until) VALUES (0, :token, 0)")

    with database.reading() as reader:
        before = reader.execute(count).scalar_one()
        with database.writing(shard=0) as connection:
            connection.execute(add, {"token": b"meanwhile"})
        during = reader.execute(count).scalar_one()
    with database.reading() as reader:
        after = reader.execute(count).scalar_one()

    assert (before, during, after) == (0, 0, 1)


def test_a_reader_that_wants_a_connection_too_many_is_told_soon(settings: Settings) -> None:
    database = Database(DatabaseOptions(settings.url, readers=1))

    with database.reading(), pytest.raises(PoolExhausted), database.reading():
        pass

    database.close()


def test_foreign_keys_are_enforced(database: Database) -> None:
    orphan = text(
        "INSERT INTO grant_use (shard, consent, grant_id, uses) VALUES (0, 'nobody', 'g1', 1)"
    )

    with pytest.raises(IntegrityError), database.writing(shard=0) as connection:
        connection.execute(orphan)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO known_as (shard, organisation, handle, client) VALUES (0, 'o', 'short', 'c')",
        "INSERT INTO notice (shard, id, version, lang, sha256, substantive, text)"
        " VALUES (0, 'N', '1', 'nl', 'short', true, 't')",
        "INSERT INTO consent (shard, id, client, controller, state, version, given_at, renewed_at,"
        " changed_at, suspended, sealed) VALUES (0, 'i', 'c', 'o', 'maybe', 1, 0, 0, 0, false, '')",
        "INSERT INTO handover (shard, id, client, sender, recipient, purpose, agreement,"
        " reason_code, urgency, masked, state, offered_at, deadline_at, events, idempotency_key,"
        " fingerprint, sealed, erasure_asked) VALUES"
        " (0, 'i', 'c', 's', 'r', 'P1', '', 'o', 'n', false, 'lost', 0, 0, 1, '', '', '', false)",
    ],
    ids=["length", "digest", "state-of-consent", "state-of-handover"],
)
def test_what_a_table_may_not_hold_its_schema_refuses(database: Database, statement: str) -> None:
    with pytest.raises(IntegrityError), database.writing(shard=0) as connection:
        connection.execute(text(statement))


def test_a_block_that_raises_writes_nothing(services: Services) -> None:
    def write_and_raise() -> None:
        with services.database.writing(shard=0) as connection:
            connection.execute(text("UPDATE directory_state SET version = -1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_raise()

    assert services.directory().version > 0


@sqlite
def test_a_second_process_on_the_same_file_is_refused_and_the_first_goes_on(
    services: Services,
) -> None:
    with pytest.raises(Unsafe, match="another overdracht process writes to this SQLite database"):
        build_services(services.settings)

    assert services.writer.submit(keep, "goes-on").result(PATIENCE).value == "goes-on"


@sqlite
def test_the_file_is_free_again_when_its_process_has_ended(
    settings: Settings, clock: Clock
) -> None:
    build_services(settings, clock=clock).close()

    second = build_services(settings, clock=clock)
    assert second.writer.submit(keep, "mine").result(PATIENCE).value == "mine"
    second.close()


@sqlite
def test_a_batch_begins_as_a_writer_and_readers_see_what_was_committed_before(
    services: Services,
) -> None:
    services.writer.submit(keep, "before").result(PATIENCE)
    hold = Hold(services.writer)
    driver = sqlite_driver("wal")
    other = driver.connect(services.settings.data_dir / "overdracht.db", timeout=0)

    with pytest.raises(driver.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    assert kept(services, "before")

    other.close()
    hold.release()


@postgresql
def test_a_batch_holds_the_lock_of_its_shard_and_of_no_other(services: Services) -> None:
    hold = Hold(services.writer)
    with psycopg.connect(services.settings.url.replace("+psycopg", "")) as other:
        taken = [
            other.execute(
                "SELECT pg_try_advisory_xact_lock(%s, %s)", (LOCK_CLASS, shard)
            ).fetchone()
            for shard in (0, 1)
        ]
    hold.release()

    assert taken == [(False,), (True,)]


@postgresql
def test_a_batch_runs_at_read_committed_with_every_limit_set(services: Services) -> None:
    names = ["transaction_isolation", "synchronous_commit", "lock_timeout", "statement_timeout"]
    names += ("idle_in_transaction_session_timeout", "TimeZone", "transaction_read_only")

    def look(tx: Transaction) -> Outcome[list[str]]:
        return Outcome([tx.connection.scalar(text(f"SHOW {name}")) for name in names])

    stand = services.writer.submit(look).result(PATIENCE).value

    assert stand == ["read committed", "on", "5s", "2s", "10s", "UTC", "off"]


def test_no_lock_outlives_a_transaction() -> None:
    source = Path(module.__file__).read_text("utf-8")

    assert "pg_advisory_xact_lock(" in source
    assert "pg_advisory_lock(" not in source
