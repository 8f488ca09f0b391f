"""I8: what was acknowledged survives `kill -9`; what was not acknowledged is not half done."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from audit import log
from audit.live import verify_log
from audit.tree import leaf_hash
from exchange.clients import Registered
from exchange.flows.administer import apply_documents
from exchange.flows.push_handover import Offered
from exchange.samples import REFERENCE, directory_documents, samples
from exchange.security.tokens import Caller
from exchange.services import Services, build_services
from exchange.settings import Settings
from policies.decision import Refused
from policies.vocabulary import Handle
from tests.builders import Broker, Clock, logged
from tests.cases.volume import volume
from tests.invariants.dying import Task, Witnessed, is_push, push, register, working
from tests.invariants.serving import Crowd, served

RANDOM_ROUNDS = 40
"""Rounds killed from outside at some moment."""

SERVER_ROUNDS = 5
"""Rounds in which it is the whole server that is killed."""


@dataclass(frozen=True)
class House:
    """A broker between two lives, with a client who shares."""

    settings: Settings
    holder: Caller
    handle: Handle

    def task(self, name: str, **more: object) -> Task:
        return Task(self.settings, self.holder, self.handle, name, **more)  # type: ignore[arg-type]  # a few named ones

    @contextmanager
    def alive(self) -> Iterator[Services]:
        services = build_services(self.settings, clock=Clock())
        yield services
        services.close()


@pytest.fixture
def house(settings: Settings) -> House:
    services = build_services(settings, clock=Clock())
    broker = Broker(services, Clock())
    sample = samples()["cl-0004"]
    handle = broker.registered(sample)
    broker.given(sample, handle)
    broker.application("vdab-gent")
    holder = broker.caller(sample.holder)
    services.close()
    return House(settings, holder, Handle(handle))


def check(house: House, heard: Witnessed, since: int) -> int:
    """Everything acknowledged is there, the log holds, and repeats get the first answer.

    `since` is the size of the log at the last check; gives its size now.
    """
    with house.alive() as services:
        with services.database.reading() as connection:
            report = verify_log(connection, shard=0)
            assert report.findings == ()
            hashes = {
                index: leaf_hash(leaf)
                for index, leaf in log.entries(connection, shard=0, start=since)
            }
        acknowledged = [each for each in heard.acknowledged.values() if each[2] >= since]
        for _, _, index, digest in acknowledged:
            assert hashes[index] == digest
        assert len({index for _, _, index, _ in acknowledged}) == len(acknowledged)
        repeat(house, services, heard)
        heard.asked.clear()
        with services.database.reading() as connection:
            return log.head(connection, shard=0).size


def repeat(house: House, services: Services, heard: Witnessed) -> None:
    """Ask again with every key: the answer that was acknowledged, or else one that stays."""
    keys = sorted(filter(is_push, heard.asked))
    # All at once, then all once more: so that they share a few commits.
    again = [push(services, house.holder, house.handle, key) for key in keys]
    once_more = [push(services, house.holder, house.handle, key) for key in keys]
    for key, first, second in zip(keys, again, once_more, strict=True):
        handover = offered(first.result().value)
        assert offered(second.result().value) == handover
        assert second.result().entries == ()
        if key in heard.acknowledged:
            assert heard.acknowledged[key][1] == handover
            assert first.result().entries == ()
    registered = [key for key in heard.acknowledged if key in heard.asked and not is_push(key)]
    known = [register(services, house.holder, key) for key in registered]
    for key, found in zip(registered, known, strict=True):
        client = found.result().value
        assert isinstance(client, Registered)
        assert (client.handle, client.created) == (heard.acknowledged[key][1], False)


def offered(value: Offered | Refused) -> str:
    assert isinstance(value, Offered)
    return value.handover


@pytest.mark.case("T87")
def test_t87_nothing_acknowledged_is_lost_by_kill_9_at_any_moment(house: House) -> None:
    heard, since = Witnessed(), 0
    several = 1 if house.settings.database_url == "" else 3

    for turn in range(RANDOM_ROUNDS):
        with ExitStack() as processes:
            for number in range(several):
                task = house.task(f"r{turn}.{number}", clients=3 // several)
                worker = processes.enter_context(working(task, heard))
            worker.hear(2 + turn % 15)
        since = check(house, heard, since)

    assert len(heard.acknowledged) > RANDOM_ROUNDS


@pytest.mark.case("T87")
@pytest.mark.parametrize("dies", ["after", "before"], ids=["a", "b"])
def test_t87_death_at_the_commit_leaves_all_of_it_or_nothing(house: House, dies: str) -> None:
    for turn in range(volume("T87")):
        heard = Witnessed()
        before = keys_stored(house)
        with working(
            house.task(f"{dies}{turn}", dies=dies, at_batch=turn % 6 + 1), heard
        ) as worker:
            worker.hear(10_000)
        lost_answers = heard.asked - heard.acknowledged.keys()
        stored = keys_stored(house) - before

        assert lost_answers
        beyond = stored - len(heard.acknowledged)
        assert 1 <= beyond <= len(lost_answers) if dies == "after" else beyond == 0
        check(house, heard, 0)


def keys_stored(house: House) -> int:
    """How many pushes and registrations are in the log."""
    with house.alive() as services:
        kinds = {"handover.offered", "client.registered"}
        return sum(each["k"] in kinds for each in logged(services))


@pytest.mark.case("T87")
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_t87_a_killed_server_gives_the_first_answer_again(settings: Settings) -> None:
    now = datetime.now(UTC)
    shift = timedelta(days=(now.date() - REFERENCE).days)
    services = build_services(settings)
    services.writer.submit(apply_documents, directory_documents(shift)).result()
    broker = Broker(services, Clock(now))
    sample = samples(shift)["cl-0004"]
    handle = broker.registered(sample)
    broker.given(sample, handle)
    headers = {"Authorization": f"Bearer {broker.token(sample.holder)}"}
    services.close()
    body = {"client": handle, "recipient": "org:vdab-gent", "purpose": "P2", "reason_code": "other"}

    acknowledged: dict[str, str] = {}
    for turn in range(SERVER_ROUNDS):
        with served(settings) as server:
            for key, handover in acknowledged.items():
                said = headers | {"Idempotency-Key": key}
                again = httpx2.post(f"{server.address}/v1/handovers", json=body, headers=said)
                assert (again.status_code, again.json()["handover"]) == (201, handover)
            crowd = Crowd(server.address, headers, "/v1/handovers", body, f"http{turn}")
            crowd.run(clients=3, answers=5 + 7 * turn, server=server)
        acknowledged |= crowd.answered
        assert crowd.asked > crowd.answered.keys()

    services = build_services(settings)
    entries = logged(services)
    with services.database.reading() as connection:
        assert verify_log(connection, shard=0, keys=services.keys, deep=True).findings == ()
    services.close()
    offered = [each["handover"] for each in entries if each["k"] == "handover.offered"]
    assert len(offered) == len(set(offered))
    assert set(acknowledged.values()) <= set(offered)
    assert len(set(acknowledged.values())) == len(acknowledged) >= SERVER_ROUNDS
