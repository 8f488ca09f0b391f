"""T84, T85, T86: a database that is down, lost, busy or full costs an answer, never a promise."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from httpx2 import Response
from sqlalchemy import Connection, event

from exchange.services import Services, build_services
from exchange.settings import Settings
from tests.builders import Broker, Clock, Story, logged
from tests.cases.disks import full, small_disk
from tests.cases.uniform import reasons, size
from tests.exchange.commands import Commit, at_commit
from tests.exchange.disasters import disk_full


def assert_unavailable(*answers: Response) -> None:
    for each in answers:
        assert each.status_code == 503, each.text
        assert each.headers["retry-after"] == "1"
        assert each.json()["type"].endswith(":unavailable")


@pytest.mark.case("T84")
@pytest.mark.parametrize("down", ["nobody-listens", "no-file", "no-folder"])
def test_t84_a_without_its_database_it_does_not_start_and_says_what_to_do(
    tmp_path: Path, down: str
) -> None:
    data, url = tmp_path / "data", ""
    if down == "nobody-listens":
        url = f"postgresql://somebody:s3cret@127.0.0.1:{free_port()}/overdracht"
    elif down == "no-file":
        (data / "overdracht.db").mkdir(parents=True)
    else:
        data.write_text("a file where the folder should be")

    port = free_port()
    done = subprocess.run(  # noqa: S603 - our own program
        [str(Path(sys.executable).with_name("overdracht")), "serve", "--port", str(port)],
        env=os.environ | {"OVERDRACHT_DATA_DIR": str(data), "OVERDRACHT_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "OVERDRACHT_DATA" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.case("T84")
def test_t84_b_a_connection_lost_in_the_middle_discloses_nothing_and_is_made_again(
    broker: Broker,
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    partner, holder = broker.as_("vdab-gent"), broker.as_("destap-ww")
    before = size(broker.services)

    with connection_lost_once(broker.services):
        fetched = partner.post("/v1/summaries/query", json=story.query())
    with connection_lost_once(broker.services):
        withdrawn = holder.post(withdrawal_of(story), json={"via": "portal"})

    assert_unavailable(fetched, withdrawn)
    assert size(broker.services) == before
    assert partner.get("/readyz").status_code == 200
    assert story.fetch().status_code == 200
    assert story.withdraw().status_code == 200
    assert story.fetch().status_code == 404


@pytest.mark.case("T85")
def test_t85_without_a_free_connection_the_answer_is_503_within_a_second(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    partner, holder = broker.as_("vdab-gent"), broker.as_("destap-ww")
    partner.get("/v1/handovers")

    with ExitStack() as taken:
        for _ in range(broker.services.database.options.readers):
            taken.enter_context(broker.services.database.reading())
        began = time.monotonic()
        answers = [partner.get("/v1/handovers")]
        seconds = time.monotonic() - began
        answers.append(partner.get(f"/v1/handovers/{story.handover}"))
        withdrawn = holder.post(withdrawal_of(story), json={"via": "portal"})

    assert_unavailable(*answers)
    assert seconds < 1.0
    assert withdrawn.status_code == 200
    assert partner.get("/v1/handovers").status_code == 200
    assert holder.get("/v1/handovers?box=outbox").json()["items"][0]["state"] == "revoked"


@pytest.fixture
def tight(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[tuple[Broker, Path | None]]:
    """A broker on SQLite whose disk is small, and that disk."""
    template: Settings = request.getfixturevalue("sqlite_template")
    with small_disk(tmp_path / "disk") as disk:
        data = (disk or tmp_path) / "data"
        shutil.copytree(template.data_dir, data)
        services = build_services(Settings(data_dir=data), clock=clock)
        yield Broker(services, clock), disk
        services.close()


@pytest.mark.case("T86")
def test_t86_on_a_full_disk_nothing_is_disclosed_and_nothing_acknowledged(
    tight: tuple[Broker, Path | None], capsys: pytest.CaptureFixture[str]
) -> None:
    broker, disk = tight
    story = broker.story("cl-0004", "vdab-gent", "P2")
    asking, holder = broker.as_("vdab-gent"), broker.as_("destap-ww")
    withdrawal = withdrawal_of(story)

    with full(broker.services, disk):
        refused = until_refused(lambda: asking.post("/v1/summaries/query", json=story.query()))
        before = size(broker.services)
        capsys.readouterr()
        again = asking.post("/v1/summaries/query", json=story.query())
        unsaved = holder.post(withdrawal, json={"via": "portal"})
        newcomer = holder.post("/v1/clients", json={"reference": "new-1"})
        told = capsys.readouterr().out

    assert_unavailable(refused, again, unsaved, newcomer)
    assert told.count('"event": "request.failed"') == 3
    assert size(broker.services) == before
    assert asking.post("/v1/summaries/query", json=story.query()).status_code == 200
    assert holder.post(withdrawal, json={"via": "portal"}).status_code == 200
    assert asking.post("/v1/summaries/query", json=story.query()).status_code == 404


@pytest.mark.case("T86")
def test_t86_a_disk_full_at_commit_is_told_and_got_over_on_each_database(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    partner, holder = broker.as_("vdab-gent"), broker.as_("destap-ww")
    before = size(broker.services)

    def refuse(_connection: Any, _commit: Commit) -> None:
        raise disk_full(broker.services.database)

    with monkeypatch.context() as patch:
        at_commit(patch, broker.services.database, refuse)
        fetched = partner.post("/v1/summaries/query", json=story.query())
        withdrawn = holder.post(withdrawal_of(story), json={"via": "portal"})

    assert_unavailable(fetched, withdrawn)
    assert size(broker.services) == before
    assert reasons(broker.services, "summary.released") == []
    assert story.fetch().status_code == 200
    assert story.withdraw().status_code == 200
    assert consents_withdrawn(story) == 1


@contextmanager
def connection_lost_once(services: Services) -> Iterator[None]:
    """The next batch loses its connection when its entries are written and not yet committed."""
    engine, done = services.database.writing_engine, threading.Event()

    def lose(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE audit_state") and not done.is_set():
            done.set()
            driver: Any = connection.connection.dbapi_connection
            if services.database.is_sqlite:
                driver.close()
                return
            address = services.settings.url.replace("+psycopg", "")
            with psycopg.connect(address) as other:
                pid = driver.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    event.listen(engine, "before_cursor_execute", lose)
    yield
    event.remove(engine, "before_cursor_execute", lose)
    assert done.is_set()


def until_refused(fetch: Callable[[], Response]) -> Response:
    """The first answer that is no 200: there may be a little room left."""
    for _ in range(200):
        answer = fetch()
        if answer.status_code != 200:
            return answer
    raise AssertionError("the disk is not full")


def withdrawal_of(story: Story) -> str:
    return f"/v1/consents/{story.consent}/withdrawal"


def consents_withdrawn(story: Story) -> int:
    return sum(each["k"] == "consent.withdrawn" for each in logged(story.broker.services))


def free_port() -> int:
    """A port of this host that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
