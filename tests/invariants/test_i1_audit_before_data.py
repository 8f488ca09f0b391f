"""I1: no summary byte leaves before the log entry that records it is committed."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError
from starlette.types import Message, Receive, Scope, Send

from audit import log
from exchange.app import create_app
from exchange.services import Services
from tests.builders import Broker, Story, logged

PATIENCE = 0.3
"""Seconds that a COMMIT is held to see whether an answer dares to leave before it."""

Look = Callable[[Story, TestClient, TestClient], Response]


class Watched:
    """The service; `answered` is set as soon as the first piece of an answer leaves it."""

    def __init__(self, services: Services) -> None:
        self._app = create_app(services)
        self.answered = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def seen(message: Message) -> None:
            if message["type"].startswith("http.response"):
                self.answered.set()
            await send(message)

        await self._app(scope, receive, seen)


@contextmanager
def on_commit(services: Services, do: Callable[[Connection], None]) -> Iterator[None]:
    """Between the last statement of a batch and its COMMIT, do something."""
    event.listen(services.database.writing_engine, "commit", do)
    try:
        yield
    finally:
        event.remove(services.database.writing_engine, "commit", do)


def clients_of(broker: Broker, app: Watched, story: Story) -> tuple[TestClient, TestClient]:
    def as_(organisation: str) -> TestClient:
        header = {"Authorization": f"Bearer {broker.token(organisation)}"}
        return TestClient(app, headers=header, raise_server_exceptions=False)

    return as_(story.recipient), as_(story.sample.holder)


def fetched(story: Story, partner: TestClient, holder: TestClient) -> Response:
    return partner.post("/v1/summaries/query", json=story.query())


def viewed(story: Story, partner: TestClient, holder: TestClient) -> Response:
    return holder.get(f"/v1/clients/{story.handle}/summary")


LOOKS: dict[str, Look] = {"summary.released": fetched, "summary.viewed": viewed}


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0004", "vdab-gent", "P2")


def kinds_seen_by_a_reader(services: Services) -> list[str]:
    return [each["k"] for each in logged(services)]


@pytest.mark.parametrize("kind", LOOKS)
def test_no_byte_leaves_while_the_commit_is_held(broker: Broker, story: Story, kind: str) -> None:
    app = Watched(broker.services)
    callers = clients_of(broker, app, story)
    before_commit: list[tuple[bool, bool]] = []

    def hold(_: Connection) -> None:
        early = app.answered.wait(PATIENCE)
        before_commit.append((early, kind in kinds_seen_by_a_reader(broker.services)))

    with on_commit(broker.services, hold):
        response = LOOKS[kind](story, *callers)

    assert response.status_code == 200
    assert "Sofie" in response.text
    assert before_commit == [(False, False)]
    assert kinds_seen_by_a_reader(broker.services).count(kind) == 1


@pytest.mark.parametrize("kind", LOOKS)
def test_a_commit_that_fails_gives_503_and_no_data(broker: Broker, story: Story, kind: str) -> None:
    callers = clients_of(broker, Watched(broker.services), story)

    def fail(_: Connection) -> None:
        raise OperationalError("COMMIT", None, OSError("no space left on device"))

    with on_commit(broker.services, fail):
        response = LOOKS[kind](story, *callers)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert set(response.json()) == {"type", "title", "status"}
    assert kind not in kinds_seen_by_a_reader(broker.services)
    assert LOOKS[kind](story, *callers).status_code == 200


@pytest.mark.parametrize("stored", [False, True], ids=["lost", "stored"])
def test_a_commit_without_an_answer_is_looked_up_and_logged_once(
    broker: Broker, story: Story, *, stored: bool
) -> None:
    callers = clients_of(broker, Watched(broker.services), story)
    lost: list[bool] = []

    def lose(connection: Connection) -> None:
        if lost:
            return
        lost.append(True)
        if stored:
            committed(connection)
        raise OperationalError(
            "COMMIT", None, OSError("connection lost"), connection_invalidated=True
        )

    with on_commit(broker.services, lose):
        response = fetched(story, *callers)

    assert response.status_code == 200
    assert lost
    released = [each for each in logged(broker.services) if each["k"] == "summary.released"]
    assert [each["index"] for each in released] == [response.json()["audit"]["index"]]


def committed(connection: Connection) -> None:
    """What the database does when it stores a batch and its answer gets lost."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.execute("COMMIT")
    else:
        driver.commit()


def test_every_answer_names_its_entry_and_that_entry_is_its_release(
    broker: Broker, story: Story
) -> None:
    answers = [story.fetch().json() for _ in range(3)]

    entries = {each["index"]: each for each in logged(broker.services)}
    with broker.services.database.reading() as connection:
        leaves = dict(log.entries(connection, shard=0))
    for answer in answers:
        index = answer["audit"]["index"]
        digest = hashlib.sha256(b"\x00" + leaves[index]).hexdigest()
        assert answer["audit"]["leaf_hash"] == digest
        assert entries[index]["k"] == "summary.released"
        assert entries[index]["handover"] == story.handover
        assert entries[index]["consents"] == [story.consent]
    assert len({answer["audit"]["index"] for answer in answers}) == len(answers)
