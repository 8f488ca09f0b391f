"""The code on a letter stops all sharing: for whoever holds it, whatever else is down."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pysqlite3.dbapi2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from consent.codes import ALPHABET, code_in
from exchange.changing import Given
from exchange.database import sqlite_path
from exchange.flows.follow_withdrawals import finish_withdrawals
from exchange.flows.give_consent import ConsentOrder, give_consent
from exchange.flows.stop_by_code import ByCode, stop_by_code
from exchange.key_shelves import KEYS
from exchange.quotas import CODE_TRIES, MOST, WRONG_CODES, Limits, Quotas
from exchange.samples import samples
from exchange.services import Services, build_services
from exchange.transaction import Outcome, Transaction
from exchange.web.stop import words
from policies.vocabulary import ConsentId, Handle
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.commands import at_commit
from tests.exchange.disasters import disk_full
from tests.exchange.recalling import (
    WRONG,
    anybody,
    of_kind,
    recalls_of,
    shared,
    states,
    swept,
    typed,
)
from tests.invariants.racing import PARTNER, Fetcher, Sharing, fetcher, sharing
from tests.invariants.test_i2_withdrawal_is_immediate import releases_after_a_withdrawal


def test_the_code_of_a_letter_stops_all_that_its_sender_was_given(broker: Broker) -> None:
    story, code = shared(broker)
    assert states(story) == ["given", "given"]

    answer = typed(broker, code.lower().replace("-", " "))

    assert states(story) == ["withdrawn", "withdrawn"]
    assert story.fetch().status_code == 404
    assert len(recalls_of(broker, PARTNER)) == 2
    ended = of_kind(broker.services, "consent.withdrawn")
    assert [each["via"] for each in ended] == ["letter_code"] * 2
    kept = anybody(broker).post("/v1/withdrawals", data={"code": code})
    wrong = typed(broker, WRONG)
    assert [each.json() for each in (answer, kept)] == [{"state": "stopped"}] * 2
    assert (wrong.status_code, wrong.json()["errors"]) == (
        422,
        [{"loc": "code", "type": "not_known"}],
    )
    refused = of_kind(broker.services, "consent.refused")
    assert [each["reason"] for each in refused] == ["ALREADY_WITHDRAWN", "CONSENT_NOT_FOUND"]
    assert {each["s"] if "s" in each else each.get("client") for each in refused} == {None}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_no_code_stands_anywhere_and_each_is_for_one_client(broker: Broker) -> None:
    story, code = shared(broker)
    with broker.services.database.reading() as found:
        rows = found.exec_driver_sql("SELECT digest FROM withdrawal_code").scalars().all()
    text = code_in(code)
    assert text is not None
    assert len({bytes(each) for each in rows}) == 2
    assert broker.services.keys.stopping.digest("", text) in {bytes(each) for each in rows}
    assert set(text.text) <= set(ALPHABET)
    assert code not in str(logged(broker.services))
    refused = {**samples()["cl-0004"].consent, "grants": []}
    path = f"/v1/clients/{story.handle}/consents"
    nothing = broker.as_(story.sample.holder).post(path, json=refused)
    assert "withdrawal_code" not in nothing.json()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_who_guesses_is_made_to_wait_and_who_holds_the_letter_is_not_shut_out(
    broker: Broker,
) -> None:
    story, code = shared(broker)
    guesses = [typed(broker, f"{number:08d}") for number in range(CODE_TRIES + 1)]
    assert [each.status_code for each in guesses] == [422] * CODE_TRIES + [429]

    elsewhere = TestClient(broker.app, client=("198.51.100.7", 1))
    other = elsewhere.post("/v1/withdrawals", json={"code": code})

    assert other.status_code == 200
    assert set(states(story)) == {"withdrawn"}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_who_guesses_over_ipv4_keeps_no_other_of_ipv4_waiting(broker: Broker) -> None:
    _, code = shared(broker)
    guesser = TestClient(broker.app, client=("::ffff:198.51.100.7", 1))
    for _ in range(CODE_TRIES + 1):
        guesser.post("/v1/withdrawals", json={"code": WRONG})

    client = TestClient(broker.app, client=("::ffff:203.0.113.9", 1))
    neighbour = TestClient(broker.app, client=("198.51.100.7", 1))

    assert client.post("/v1/withdrawals", json={"code": code}).status_code == 200
    assert neighbour.post("/v1/withdrawals", json={"code": code}).status_code == 429


@pytest.mark.parametrize("by_desk", [40, 60])
def test_however_long_the_name_of_the_way_is_it_is_a_withdrawal(
    broker: Broker, by_desk: int
) -> None:
    story, _ = shared(broker)

    assert story.withdraw(via="v" * by_desk).status_code == 200

    assert of_kind(broker.services, "consent.withdrawn")[-1]["via"] == "v" * by_desk
    assert "withdrawn" in states(story)


def test_of_wrong_codes_the_log_takes_no_more_than_it_can_bear() -> None:
    quotas = Quotas(Limits(), lambda: 0.0)

    noted = [quotas.notes_wrong_code() for _ in range(WRONG_CODES + 5)]

    assert noted == [True] * WRONG_CODES + [False] * 5


def test_a_crowd_of_addresses_shuts_nobody_out_and_a_network_of_one_house_is_one_address() -> None:
    quotas = Quotas(Limits(), lambda: 0.0)
    for number in range(MOST):
        assert quotas.code(f"address-{number}")

    assert all(quotas.code("the client") for _ in range(CODE_TRIES * 2))
    assert [quotas.code("address-1") for _ in range(CODE_TRIES)] == [True] * 4 + [False]


@pytest.mark.parametrize(
    "body", [{}, {"code": ""}, {"code": "7K4M-2QX"}, {"code": "7K4M-2QXU"}, {"kode": "x"}]
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_can_not_be_a_code_is_told_so_and_looked_up_nowhere(
    broker: Broker, body: dict[str, str]
) -> None:
    before = len(logged(broker.services))

    assert anybody(broker).post("/v1/withdrawals", json=body).status_code == 422
    assert len(logged(broker.services)) == before


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_no_page_of_another_site_can_send_a_code(broker: Broker) -> None:
    story, code = shared(broker)
    elsewhere = anybody(broker, **{"Sec-Fetch-Site": "cross-site"})

    for path in ("/v1/withdrawals", "/stop/nl"):
        assert elsewhere.post(path, data={"code": code}).status_code == 400
    assert states(story) == ["given", "given"]


@pytest.mark.case("T92")
def test_t92_while_no_witness_answers_nothing_is_disclosed_and_a_code_stops(
    broker: Broker,
) -> None:
    story, code = shared(broker)
    broker.services.admission.hold_disclosures(unwitnessed=True)
    assert story.fetch().status_code == 503

    assert typed(broker, code).status_code == 200

    broker.services.admission.hold_disclosures(unwitnessed=False)
    assert story.fetch().status_code == 404


@pytest.mark.case("T86")
def test_t86_on_a_full_disk_no_code_is_acknowledged_and_the_page_says_so(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    story, code = shared(broker)
    with monkeypatch.context() as patch:
        failing = disk_full(broker.services.database)

        def refuse(_connection: Any, _commit: Any) -> None:
            raise failing

        at_commit(patch, broker.services.database, refuse)
        unsaved = typed(broker, code)
        page = anybody(broker).post("/stop/en", data={"code": code})
        told = capsys.readouterr().out

    assert (unsaved.status_code, page.status_code) == (503, 503)
    assert words("en")["undone"] in page.text
    assert words("en")["stopped"] not in page.text
    assert '"event": "withdrawal.undone"' in told
    assert states(story) == ["given", "given"]
    assert typed(broker, code).status_code == 200
    assert set(states(story)) == {"withdrawn"}


def test_while_the_log_stands_still_a_code_is_kept_and_done_first(
    services: Services, clock: Clock
) -> None:
    broker = Broker(services, clock)
    story, code = shared(broker)
    services.admission.freeze("a test")
    answers = [typed(broker, each) for each in (code, WRONG, code)]
    assert [each.status_code for each in answers] == [200, 422, 200]
    assert len(list(services.spool.kept())) == 1
    services.close()

    again = build_services(services.settings, clock=clock)

    started = Broker(again, clock, signers=broker.signers)
    assert set(states(Story(started, *story.rest))) == {"withdrawn"}
    assert list(again.spool.kept()) == []
    again.close()


@contextmanager
def without_key(services: Services, client: str) -> Iterator[None]:
    """The client's key is not on its shelf, until the end of the block."""
    there = bytes.fromhex(client.replace("-", ""))
    away = there[::-1]

    def move(key_id: bytes, to: bytes) -> None:
        if services.database.is_sqlite:
            with pysqlite3.dbapi2.connect(f"{sqlite_path(services.settings.url)}.keys") as file:
                said = "UPDATE audit_key_store SET key_id = ? WHERE key_id = ?"
                file.execute(said, (to, key_id))
        else:
            row = update(KEYS).where(KEYS.c.key_id == key_id).values(key_id=to)
            services.writer.submit(_run, row).result()

    move(there, away)
    services.keys.forget_destroyed()
    yield
    move(away, there)


def _run(tx: Transaction, statement: Any) -> Outcome[None]:
    tx.connection.execute(statement)
    return Outcome(None)


@pytest.mark.parametrize("by_code", [True, False], ids=["code", "desk"])
def test_without_the_clients_key_all_stops_at_once_and_is_written_when_it_is_back(
    broker: Broker, *, by_code: bool
) -> None:
    story, code = shared(broker)
    services = broker.services
    client = of_kind(services, "client.registered")[-1]["client"]
    given = {each["consent"] for each in of_kind(services, "consent.given")}
    with without_key(services, client):
        if by_code:
            assert typed(broker, code).status_code == 200
        else:
            holder = broker.as_(story.sample.holder)
            for each in given:
                answer = holder.post(f"/v1/consents/{each}/withdrawal", json={"via": "phone"})
                assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
            assert story.withdraw().status_code == 409
        assert story.fetch().status_code != 200
        swept(services)
        assert len(recalls_of(broker, PARTNER)) == 2
        broker.clock.move(timedelta(days=8))
        swept(services)
        assert {each["reminders"] for each in recalls_of(broker, PARTNER)} == {1}

    assert story.fetch().status_code == 404
    assert states(story) == ["given", "given"]
    swept(services)
    assert states(story) == ["withdrawn", "withdrawn"]
    assert story.fetch().status_code == 404
    (done,) = {each["state"] for each in handover_states(broker)}
    assert done == "revoked"
    assert len(of_kind(services, "consent.withdrawn")) == 2


def handover_states(broker: Broker) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = broker.as_(PARTNER).get("/v1/handovers").json()["items"]
    return items


def test_without_a_key_even_a_part_stops_all_until_it_can_be_read_what_goes_on(
    broker: Broker,
) -> None:
    sample = samples()["cl-0004"]
    (grant,) = sample.consent["grants"]
    lasting = {**grant, "id": "g2", "sections": ["goals"]}
    sample = replace(sample, consent={**sample.consent, "grants": [grant, lasting]})
    handle = broker.registered(sample)
    consent = broker.given(sample, handle)
    handover = broker.pushed(sample.holder, handle, PARTNER, "P2").json()["handover"]
    story = Story(broker, sample, handle, consent, handover, PARTNER, "P2")
    client = of_kind(broker.services, "client.registered")[-1]["client"]
    with without_key(broker.services, client):
        assert story.withdraw(grants=["g1"]).json()["state"] == "narrowed"
    assert story.fetch().status_code == 404

    broker.services.writer.submit(finish_withdrawals).result()

    assert story.fetch().json()["released"] == ["goals"]


@pytest.mark.case("T53")
def test_t53_no_release_follows_a_withdrawal_by_code(broker: Broker) -> None:
    services = broker.services
    client: Sharing = sharing(broker, samples()["cl-0004"])
    partner: Fetcher = fetcher(services, broker.caller(PARTNER))
    told = {True: 0, False: 0}
    trials, crowd = 12, 6

    def run(start: Barrier, digest: bytes, place: int) -> list[bool]:
        start.wait()
        if place == 0:
            services.writer.submit(stop_by_code, ByCode(digest)).result()
        return [partner.gets_something(client.handover) for _ in range(2)]

    with ThreadPoolExecutor(crowd) as threads:
        for trial in range(trials):
            digest = bytes([trial]) * 32
            give(services, client, digest)
            start = Barrier(crowd)
            for answers in threads.map(partial(run, start, digest), range(crowd)):
                for each in answers:
                    told[each] += 1
            assert not partner.gets_something(client.handover)

    assert sum(told.values()) == trials * crowd * 2
    assert told[False] > trials
    entries = logged(services)
    assert len([each for each in entries if each["k"] == "consent.withdrawn"]) == trials + 1
    assert releases_after_a_withdrawal(entries) == []


def give(services: Services, client: Sharing, digest: bytes) -> ConsentId:
    order = ConsentOrder(Handle(client.handle), client.consent)
    way = (client.holder, order, services.receipts, services.rulebook, (digest,))
    done = services.writer.submit(give_consent, *way).result().value
    assert isinstance(done, Given)
    assert done.stop_code == 0
    return done.consent


def test_of_codes_that_are_somebodys_already_the_next_is_taken(broker: Broker) -> None:
    services, client = broker.services, sharing(broker, samples()["cl-0004"])
    give(services, client, b"1" * 32)
    order = ConsentOrder(Handle(client.handle), client.consent)
    codes = (b"1" * 32, b"2" * 32)

    way = (client.holder, order, services.receipts, services.rulebook, codes)
    done = services.writer.submit(give_consent, *way).result().value

    assert isinstance(done, Given)
    assert done.stop_code == 1


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_reminder_comes_no_sooner_than_a_week(broker: Broker) -> None:
    _, code = shared(broker)
    typed(broker, code)
    broker.clock.move(timedelta(days=6, hours=23))

    swept(broker.services)

    assert {each["state"] for each in recalls_of(broker, PARTNER)} == {"open"}
