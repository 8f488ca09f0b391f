"""A database of each kind with an empty log, and the vectors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlmodel import SQLModel

import audit.published
import audit.records  # noqa: F401  # declares the tables
from tests.audit.log_builders import VECTORS
from tests.conftest import new_database

TABLES = [
    SQLModel.metadata.tables[f"audit_{name}"]
    for name in (
        *("state", "entry", "tile", "part", "subject", "index"),
        *("checkpoint", "cosig", "signer_key"),
    )
]


@pytest.fixture(scope="session")
def postgresql_log(postgresql: Any) -> Iterator[Engine]:
    engine = create_engine(new_database(postgresql))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path}/log.db", module=pysqlite3)
        event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
        event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    else:
        engine = request.getfixturevalue("postgresql_log")
    SQLModel.metadata.create_all(engine, tables=TABLES)
    yield engine
    SQLModel.metadata.drop_all(engine, tables=TABLES)
    if request.param == "sqlite":
        engine.dispose()


@pytest.fixture
def connection(database: Engine) -> Iterator[Connection]:
    with database.begin() as connection:
        yield connection


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """The golden values of format version 1."""
    vectors: dict[str, Any] = json.loads((VECTORS / "overdracht-audit-v1.json").read_text())
    return vectors
