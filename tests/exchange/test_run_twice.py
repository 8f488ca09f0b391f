"""Every command may run twice: only the run that is committed may make a difference."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from exchange.batch import BatchRunner
from exchange.flows.withdraw_consent import withdraw_consent
from exchange.samples import samples
from exchange.services import SHARD, Services
from exchange.transaction import Outcome, Transaction
from exchange.writer import Waiting, Writer
from tests.builders import Broker, Clock
from tests.exchange.commands import POLICY

CHANCE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z2-7]{26}\b|[\w-]+\.[\w-]+\.[\w-]{80,}"
)
"""What may differ between two runs: ids, handles, signatures. And what is sealed."""


class TwiceRunner(BatchRunner):
    """Runs every command, undoes it, and runs it again."""

    def __init__(self, services: Services, differences: list[tuple[str, str]]) -> None:
        parts = (services.database, services.keys, services.vault, services.clock, POLICY)
        super().__init__(*parts, shard=SHARD)
        self.ran, self._differences = 0, differences

    def _outcome(self, tx: Transaction, each: Waiting, *, guarded: bool) -> Outcome[Any] | None:
        tx.connection.exec_driver_sql("SAVEPOINT first_run")
        first = super()._outcome(tx, each, guarded=guarded)
        tx.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT first_run")
        tx.connection.exec_driver_sql("RELEASE SAVEPOINT first_run")
        second = super()._outcome(tx, each, guarded=guarded)
        self.ran += 1
        if told(first) != told(second):
            self._differences.append((told(first), told(second)))
        return second


def told(value: Any) -> str:
    """The value as text, with everything that is left to chance taken out."""
    return CHANCE.sub("…", repr(plain(value)))


def plain(value: Any) -> Any:
    if is_dataclass(value):
        return [type(value).__name__, *(plain(getattr(value, each.name)) for each in fields(value))]
    if isinstance(value, dict):
        return {str(name): plain(held) for name, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return "sealed" if isinstance(value, bytes) else value


@pytest.fixture
def differences() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def twice(services: Services, differences: list[tuple[str, str]]) -> Iterator[Services]:
    """Services whose writer runs everything twice."""
    writer = Writer(TwiceRunner(services, differences), reserved_for={withdraw_consent})
    yield replace(services, writer=writer)
    writer.close()


def test_a_whole_story_run_twice_is_the_same_story_but_for_its_ids(
    twice: Services, clock: Clock, differences: list[tuple[str, str]]
) -> None:
    broker = Broker(twice, clock)

    story = broker.story("cl-0004", "vdab-gent", "P2")
    answers = [
        story.answer("acceptance"),
        story.fetch(),
        broker.as_("destap-ww").get(f"/v1/clients/{story.handle}/summary"),
        broker.as_("destap-ww").get(f"/v1/clients/{story.handle}/consents"),
        story.withdraw(),
    ]
    after = story.fetch()

    assert [each.status_code for each in answers] == [200] * 5
    assert after.status_code == 404
    assert differences == []


def test_a_client_registered_twice_over_is_one_client(
    twice: Services, clock: Clock, differences: list[tuple[str, str]]
) -> None:
    broker = Broker(twice, clock)
    person = {"identity": dict(samples()["cl-0004"].identity)}
    holder = broker.as_("destap-ww")

    first = holder.post("/v1/clients", json=person).json()
    again = holder.post("/v1/clients", json=person).json()

    assert (first["created"], again["created"]) == (True, False)
    assert first["client"] == again["client"]
    assert differences == []
