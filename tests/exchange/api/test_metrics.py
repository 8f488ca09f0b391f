"""What the operator's monitoring reads: numbers of the whole log, and nobody's data."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from exchange.app import create_app
from exchange.services import Services
from exchange.settings import Settings, SettingsRefused, read_settings
from tests.builders import Broker, Clock
from tests.exchange.commands import PATIENCE, Hold, note
from tests.exchange.tampering import head

TOKEN = "t" * 24


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": TOKEN})


def read(services: Services) -> dict[str, float]:
    """Each number by its name, as a monitor reads it."""
    answer = TestClient(create_app(services)).get(
        "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.mark.parametrize("sent", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nothing_is_told(services: Services, sent: str) -> None:
    answer = TestClient(create_app(services)).get("/metrics", headers={"Authorization": sent})

    assert answer.status_code == 401
    assert "overdracht_" not in answer.text


@pytest.mark.parametrize("token", ["", TOKEN])
def test_where_no_token_is_set_there_is_no_such_address(broker: Broker, token: str) -> None:
    object.__setattr__(
        broker.services,
        "settings",
        broker.services.settings.model_copy(update={"metrics_token": ""}),
    )

    answer = TestClient(broker.app).get("/metrics", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 404


def test_a_token_that_could_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERDRACHT_METRICS_TOKEN", "secret")

    with pytest.raises(SettingsRefused, match="METRICS_TOKEN"):
        read_settings()


def test_the_numbers_follow_the_log_and_its_signatures(services: Services, clock: Clock) -> None:
    done = services.checkpointing.once()
    services.checkpointing.scrub()
    services.writer.submit(note, "more").result(PATIENCE)
    clock.move(timedelta(seconds=30))

    told = read(services)

    assert done is not None
    assert told["overdracht_log_size"] == head(services).size == done.size + 1
    assert told["overdracht_log_signed_size"] == done.size
    assert told["overdracht_log_unsigned_seconds"] == 30
    assert told["overdracht_scrub_position"] == done.size
    assert told["overdracht_log_frozen"] == 0
    services.checkpointing.once()
    assert read(services)["overdracht_log_unsigned_seconds"] == 0


def test_the_numbers_follow_the_writer(services: Services, clock: Clock) -> None:
    before = read(services)
    clock.move(timedelta(hours=-1))
    services.writer.submit(note, "one").result(PATIENCE)
    hold = Hold(services.writer)
    waiting = [services.writer.submit(note, each) for each in "ab"]

    during = read(services)
    hold.release()
    for each in waiting:
        each.result(PATIENCE)
    services.writer.submit(note, "last").result(PATIENCE)
    after = read(services)

    assert during["overdracht_queue_depth"] == 2
    assert after["overdracht_queue_depth"] == 0
    assert after["overdracht_batch_size"] == 1
    assert after["overdracht_commands_total"] - before["overdracht_commands_total"] == 5
    assert after["overdracht_clock_clamps_total"] > before["overdracht_clock_clamps_total"]
    assert after["overdracht_commit_p99_seconds"] > 0
    assert after['overdracht_command_seconds_count{kind="note"}'] == 4
    assert after['overdracht_command_seconds_sum{kind="note"}'] > 0


@pytest.mark.case("T110")
def test_t110c_nobody_and_no_id_is_in_the_numbers(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    story.fetch()
    text = (
        TestClient(broker.app)
        .get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        .text.lower()
    )

    identity = [each.lower() for each in story.sample.identity.values() if len(each) > 2]
    ids = [story.handle, story.consent, story.handover, story.recipient, story.sample.holder]
    assert 'kind="fetch_summary"' in text
    assert [each for each in (*identity, *ids) if each.lower() in text] == []
