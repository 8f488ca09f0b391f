"""The consent tables on a fresh database of each kind."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlmodel import SQLModel

from consent.held import HeldWithdrawal
from consent.records import Consent, ConsentChange, GrantUse, NoticeText
from tests.conftest import new_database
from tests.consent.builders import Desk

# SQLModel's own stubs do not say that a table class has one.
TABLES = [
    SQLModel.metadata.tables[str(each.__tablename__)]
    for each in (Consent, ConsentChange, GrantUse, HeldWithdrawal, NoticeText)
]


@pytest.fixture(scope="session")
def postgresql_engine(postgresql: Any) -> Iterator[Engine]:
    """One database for all tests: what each of them does is rolled back, or in its own shard."""
    engine = create_engine(new_database(postgresql))
    SQLModel.metadata.create_all(engine, tables=TABLES)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = _sqlite(tmp_path_factory.mktemp("consent") / "consent.db")
    SQLModel.metadata.create_all(engine, tables=TABLES)
    yield engine
    engine.dispose()


def _sqlite(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", module=pysqlite3.dbapi2)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    return engine


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """In a transaction that nobody commits: afterwards nothing of the test is left."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture
def desk(connection: Connection) -> Desk:
    return Desk(connection)
