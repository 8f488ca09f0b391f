"""I2: in log order, no release follows the withdrawal of the consent that it rested on."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import pytest

from exchange.samples import samples
from exchange.services import Services
from exchange.settings import Settings
from policies.vocabulary import ConsentId
from tests.builders import Broker, Story, logged
from tests.cases.volume import volume
from tests.invariants.racing import PARTNER, PURPOSE, Fetcher, Sharing, fetcher, sharing

TRIALS, THREADS, TURNS = volume("T53"), 8, 2
"""Withdrawals raced by threads, threads at once, and fetches of each thread: 1,440 races."""

WITHDRAWER, PUSHER = 0, 1
"""Those of the threads that do something else before they fetch."""

STORMS, PARALLEL = 8, 100
"""Withdrawals raced over HTTP, and fetches under way at once: 800 races."""

CROSSINGS = 25
"""Withdrawals raced from another process, which fetches all the time."""


def releases_after_a_withdrawal(entries: Iterable[dict[str, Any]]) -> list[int]:
    """Indexes of releases, and of offers, that rest on a consent withdrawn before them."""
    withdrawn: set[str] = set()
    late = []
    for entry in entries:
        if entry["k"] == "consent.withdrawn":
            withdrawn.add(entry["consent"])
        if not withdrawn.isdisjoint(entry.get("consents", ())):
            late.append(entry["index"])
    return late


@pytest.fixture
def client(broker: Broker) -> Sharing:
    return sharing(broker, samples()["cl-0004"])


@pytest.fixture
def partner(broker: Broker) -> Fetcher:
    return fetcher(broker.services, broker.caller(PARTNER))


class Contest:
    """Threads that all begin at once: one withdraws at its `turn`, one pushes, all fetch."""

    def __init__(self, client: Sharing, partner: Fetcher, consent: ConsentId, turn: int) -> None:
        self._client, self._partner = client, partner
        self._consent, self._turn = consent, turn
        self._start = Barrier(THREADS)

    def run(self, place: int) -> list[bool]:
        """Whether each fetch of the thread was given something."""
        self._start.wait()
        if place == WITHDRAWER:
            for _ in range(self._turn):
                self._partner.gets_something(self._client.handover)
            self._client.withdraw(self._consent).result()
        if place == PUSHER:
            self._client.push().result()
        return [self._partner.gets_something(self._client.handover) for _ in range(TURNS)]


@pytest.mark.case("T53")
def test_t53_no_release_follows_a_withdrawal_whoever_comes_first(
    services: Services, client: Sharing, partner: Fetcher
) -> None:
    told: Counter[bool] = Counter()
    with ThreadPoolExecutor(THREADS) as threads:
        for trial in range(TRIALS):
            contest = Contest(client, partner, client.give(), trial % (2 * TURNS))
            for answers in threads.map(contest.run, range(THREADS)):
                told.update(answers)
            assert not partner.gets_something(client.handover)

    entries = logged(services)
    happened = Counter(each["k"] for each in entries)
    assert told.total() == TRIALS * THREADS * TURNS
    assert min(told[True], told[False]) > TRIALS
    assert min(happened["handover.offered"], happened["handover.refused"]) > TRIALS // 20
    assert happened["consent.withdrawn"] == TRIALS
    assert releases_after_a_withdrawal(entries) == []


@pytest.mark.case("T53")
def test_t53_a_hundred_fetches_under_way_end_with_the_withdrawal(broker: Broker) -> None:
    told: Counter[int] = Counter()
    for number in range(STORMS):
        story = a_story(broker, number)
        answers, withdrawn_after = storm(broker, story, number * PARALLEL // STORMS)
        told.update(each.status_code for each in answers)
        ended = withdrawal_of(broker.services, story)
        for each in answers:
            if each.status_code == 200:
                assert each.json()["audit"]["index"] < ended
        assert withdrawn_after.status_code == 404

    assert told[200] + told[404] > STORMS * PARALLEL * 9 // 10
    assert set(told) - {503} == {200, 404}
    assert releases_after_a_withdrawal(logged(broker.services)) == []


def a_story(broker: Broker, number: int) -> Story:
    sample = replace(samples()["cl-0004"], id=f"cl-storm-{number}", identity={"alias": "S."})
    handle = broker.registered(sample)
    consent = broker.given(sample, handle)
    handover = broker.pushed(sample.holder, handle, PARTNER, PURPOSE).json()["handover"]
    return Story(broker, sample, handle, consent, handover, PARTNER, PURPOSE)


def storm(
    broker: Broker, story: Story, before: int
) -> tuple[list[httpx2.Response], httpx2.Response]:
    """A hundred fetches in flight with one withdrawal among them, and one fetch after all."""
    partner, holder = broker.token(PARTNER), broker.token(story.sample.holder)

    async def run() -> tuple[list[httpx2.Response], httpx2.Response]:
        transport = httpx2.ASGITransport(broker.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://broker") as http:

            def fetch() -> Any:
                said = {"Authorization": f"Bearer {partner}"}
                return http.post("/v1/summaries/query", json=story.query(), headers=said)

            def withdraw() -> Any:
                said = {"Authorization": f"Bearer {holder}"}
                path = f"/v1/consents/{story.consent}/withdrawal"
                return http.post(path, json={"via": "portal"}, headers=said)

            under_way = [asyncio.ensure_future(fetch()) for _ in range(before)]
            withdrawal = asyncio.ensure_future(withdraw())
            under_way += [asyncio.ensure_future(fetch()) for _ in range(PARALLEL - before)]
            assert (await withdrawal).status_code == 200
            after = await fetch()
            return list(await asyncio.gather(*under_way)), after

    return asyncio.run(run())


def withdrawal_of(services: Services, story: Story) -> int:
    (index,) = (
        each["index"]
        for each in logged(services)
        if each["k"] == "consent.withdrawn" and each["consent"] == story.consent
    )
    return int(index)


@pytest.mark.case("T53")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_t53_no_release_of_another_process_follows_a_withdrawal(
    broker: Broker, client: Sharing, settings: Settings
) -> None:
    with another_process(broker, settings) as other:
        for _ in range(CROSSINGS):
            consent = client.give()
            ask(other, client.handover)
            assert other.stdout
            assert other.stdout.readline() == "fetching\n"
            client.withdraw(consent).result()
            ask(other, "stop")
            told = [int(each) for each in other.stdout.readline().split()]

    entries = logged(broker.services)
    assert told[0] >= CROSSINGS // 2
    assert Counter(each["k"] for each in entries)["consent.withdrawn"] == CROSSINGS
    assert Counter(each["k"] for each in entries)["summary.released"] == told[0]
    assert Counter(each["k"] for each in entries)["summary.refused"] == told[1]
    assert releases_after_a_withdrawal(entries) == []


@contextmanager
def another_process(broker: Broker, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {
        "OVERDRACHT_DATA_DIR": str(settings.data_dir),
        "OVERDRACHT_DATABASE_URL": settings.database_url,
    }
    other = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.invariants.racing", broker.application(PARTNER), PARTNER],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with other:
        yield other
        assert other.stdin
        other.stdin.close()
        assert other.wait(20) == 0


def ask(other: subprocess.Popen[str], what: str) -> None:
    assert other.stdin
    other.stdin.write(f"{what}\n")
    other.stdin.flush()


@pytest.mark.case("T54")
def test_t54_a_consent_withdrawn_at_the_instant_it_is_given_releases_nothing(
    services: Services, client: Sharing, partner: Fetcher
) -> None:
    consent = client.give()
    assert partner.gets_something(client.handover)

    client.withdraw(consent).result()

    assert not partner.gets_something(client.handover)
    about_it = [each for each in logged(services) if each.get("consent") == consent]
    assert [each["k"] for each in about_it] == ["consent.given", "consent.withdrawn"]
    assert len({each["t"] for each in about_it}) == 1


@pytest.mark.case("T54")
@pytest.mark.parametrize("yes_first", [True, False], ids=["yes-no", "no-yes"])
def test_t54_of_a_yes_and_a_no_at_one_instant_the_no_counts(
    client: Sharing, partner: Fetcher, *, yes_first: bool
) -> None:
    refused = [{"purpose": PURPOSE, "recipient": f"org:{PARTNER}"}]
    no = replace(client, consent={**client.consent, "grants": [], "refused": refused})

    for each in (client, no) if yes_first else (no, client):
        each.give()

    assert not partner.gets_something(client.handover)


def test_a_withdrawn_part_is_withdrawn_and_the_rest_stands(broker: Broker) -> None:
    sample = samples()["cl-0004"]
    (grant,) = sample.consent["grants"]
    lasting = {**grant, "id": "g2", "sections": ["goals"]}
    both = replace(sample, consent={**sample.consent, "grants": [grant, lasting]})
    handle = broker.registered(both)
    consent = broker.given(both, handle)
    handover = broker.pushed(both.holder, handle, PARTNER, PURPOSE).json()["handover"]
    story = Story(broker, both, handle, consent, handover, PARTNER, PURPOSE)
    assert "contact" in story.fetch().json()["released"]

    assert story.withdraw(grants=["g1"]).json()["state"] == "narrowed"

    assert story.fetch().json()["released"] == ["goals"]
    assert story.fetch().json()["grounds"]["grants"] == ["g2"]
