"""Requests for consent over HTTP: a partner asks, the client decides."""

import shutil
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from consent.requests import KEPT_FOR, OPEN_FOR
from exchange.flows.close_requests import close_requests
from exchange.flows.erase_client import Erasure, erase_client
from exchange.services import build_services
from exchange.settings import Settings
from policies.decision import Refused
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, Clock, Story, logged, query
from tests.cases.classes import HOLDER, PARTNER, PURPOSE
from tests.cases.questions import (
    ADULT,
    NOTICE,
    PROOF,
    SAMPLE,
    WHERE,
    answered,
    asked,
    at_partner,
    grants,
    inbox,
    items,
    outbox,
)
from tests.cases.uniform import UNKNOWN_HANDLE, UNKNOWN_ID, assert_uniform
from tests.exchange.api.test_stopping_by_code import without_key
from tests.exchange.recalling import of_kind


@pytest.fixture
def story(broker: Broker) -> Story:
    """A client that the partner knows, and who shares other sections than it asks for."""
    return broker.story("cl-0004", PARTNER, PURPOSE)


@pytest.fixture
def handle(story: Story) -> str:
    return at_partner(story.broker, story.handover)


def test_a_yes_to_every_line_is_a_consent_like_any_other(
    broker: Broker, story: Story, handle: str
) -> None:
    before = story.fetch(sections=["lang"])
    request = asked(broker, handle).json()
    (line,) = inbox(broker)

    done = answered(broker, request["request"], "given", **ADULT)

    assert before.status_code == 404
    assert (request["state"], request["closes"]) == ("requested", "2027-01-01T14:00:00Z")
    assert line["client"] == story.handle
    assert line["client"] != handle
    assert (line["requester"], line["sections"]) == (f"org:{PARTNER}", ["lang", "work"])
    assert done.json()["yes"] == ["lang", "work"]
    (grant,) = grants(story, done.json()["consent"])
    assert (grant["recipient"], grant["until"]) == (f"org:{PARTNER}", "2027-05-02")
    assert [each["state"] for each in outbox(broker)] == ["given"]
    assert story.fetch(sections=["lang"]).status_code == 200


def test_a_yes_to_some_lines_gives_those_and_tells_the_asker_no_more_than_a_yes(
    broker: Broker, story: Story, handle: str
) -> None:
    request = asked(broker, handle, "lang", "work", "educ").json()["request"]

    done = answered(broker, request, "narrowed", sections=["lang"], **ADULT)

    assert (done.json()["yes"], done.json()["no"]) == (["lang"], ["educ", "work"])
    assert [each["sections"] for each in grants(story, done.json()["consent"])] == [["lang"]]
    assert outbox(broker)[0]["state"] == "given"
    assert outbox(broker)[0]["sections"] == ["educ", "lang", "work"]
    answer = [each for each in logged(broker.services) if each["k"] == "consent.answered"][-1]
    assert (answer["yes"], answer["no"]) == (["lang"], ["educ", "work"])


def test_a_no_ends_nothing_that_stood_and_has_no_consequence(
    broker: Broker, story: Story, handle: str
) -> None:
    request = asked(broker, handle).json()["request"]

    done = answered(broker, request, "refused", evidence=PROOF["evidence"])

    assert (done.status_code, done.json()["no"]) == (200, ["lang", "work"])
    assert inbox(broker)[0]["state"] == "refused"
    assert story.fetch().status_code == 200
    assert len(items(broker.as_(HOLDER).get(f"/v1/clients/{story.handle}/consents"))) == 1


@pytest.mark.parametrize(
    ("state", "body", "wrong"),
    [
        ("given", {}, "notice"),
        ("given", {**ADULT, "notice": NOTICE | {"version": "9.9"}}, "notice"),
        ("given", {**ADULT, "capacity": {"type": "capable_minor"}}, "capacity.type"),
        ("given", {**ADULT, "sections": ["lang"]}, "sections"),
        ("narrowed", {**ADULT, "sections": ["lang", "work"]}, "sections"),
        ("narrowed", {**ADULT, "sections": ["health"]}, "sections"),
        ("given", {**ADULT, "until": "2020-01-01"}, "grants.0.until"),
        ("refused", {"sections": ["lang"]}, "sections"),
        ("refused", {"evidence": {"method": "hearsay"}}, "evidence.method"),
        ("deferred", {"until": "2026-11-02"}, "until"),
        ("deferred", {"until": "2027-01-02"}, "until"),
    ],
)
def test_an_answer_is_held_to_the_rules_of_every_consent(
    pairs: Broker, state: str, body: Mapping[str, Any], wrong: str
) -> None:
    request = inbox(pairs)[0]["request"]

    refused = answered(pairs, request, state, **body)

    assert refused.status_code == 422
    assert wrong in {each["loc"] for each in refused.json()["errors"]}
    assert inbox(pairs)[0]["state"] == "requested"


@pytest.fixture(scope="module")
def pairs(sqlite_template: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A broker with one open question, for who changes nothing in it."""
    data = tmp_path_factory.mktemp("asked") / "data"
    shutil.copytree(sqlite_template.data_dir, data)
    clock = Clock()
    services = build_services(Settings(data_dir=data), clock=clock)
    broker = Broker(services, clock)
    story = broker.story("cl-0004", PARTNER, PURPOSE)
    assert asked(broker, at_partner(broker, story.handover)).status_code == 201
    yield broker
    services.close()


def test_a_question_that_is_put_off_comes_back_on_its_day(
    broker: Broker, handle: str, clock: Clock
) -> None:
    request = asked(broker, handle).json()["request"]

    put_off = answered(broker, request, "deferred", until="2026-11-20")
    resting = inbox(broker)[0]["state"], outbox(broker)[0]["state"]
    clock.move(timedelta(days=18))

    assert put_off.json()["until"] == "2026-11-19T23:00:00Z"
    assert resting == ("deferred", "requested")
    assert [each["state"] for each in inbox(broker, state="requested")] == ["requested"]
    assert inbox(broker, state="deferred") == []
    assert answered(broker, request, "narrowed", sections=["work"], **ADULT).status_code == 200


def test_an_answered_or_closed_question_takes_no_answer(
    broker: Broker, handle: str, clock: Clock
) -> None:
    request = asked(broker, handle).json()["request"]
    answered(broker, request, "refused")

    again = answered(broker, request, "given", **ADULT)
    other = asked(broker, handle, purpose="P6", sections=["contact"]).json()["request"]
    clock.move(OPEN_FOR)
    late = answered(broker, other, "given", **ADULT)

    assert (again.status_code, late.status_code) == (409, 409)
    assert {each["state"] for each in inbox(broker)} == {"expired", "refused"}


def test_only_the_holder_answers_and_to_others_there_is_no_such_question(
    broker: Broker, handle: str
) -> None:
    request = asked(broker, handle).json()["request"]
    others = [broker.as_(each) for each in (PARTNER, "leerwinkel-wvl")]

    assert_uniform(
        *(each.post(f"{WHERE}/{request}/answer", json={"state": "refused"}) for each in others),
        others[0].post(f"{WHERE}/{UNKNOWN_ID}/answer", json={"state": "refused"}),
    )
    assert items(others[1].get(WHERE)) == []
    assert items(others[0].get(WHERE, params={"box": "inbox"})) == []
    assert inbox(broker)[0]["state"] == "requested"


@pytest.mark.parametrize(
    ("more", "status", "name"),
    [
        ({"purpose": "P90"}, 403, "purpose-prohibited"),
        ({"purpose": "P77"}, 403, "purpose-unknown"),
        ({"purpose": "P1"}, 403, "no-agreement"),
        ({"sections": ["lang", "health"]}, 403, "no-agreement"),
        ({"sections": ["justice"]}, 403, "no-agreement"),
        ({"sections": []}, 422, "invalid-content"),
    ],
)
def test_what_could_never_be_given_is_refused_openly_whoever_the_client_is(
    pairs: Broker, more: Mapping[str, Any], status: int, name: str
) -> None:
    known = outbox(pairs)[0]["client"]

    answers = [asked(pairs, handle, **more) for handle in (known, UNKNOWN_HANDLE)]

    assert {each.status_code for each in answers} == {status}
    assert answers[0].content == answers[1].content
    assert answers[0].json()["type"].endswith(name)
    assert len(outbox(pairs)) == 1


def test_who_has_no_agreement_for_the_purpose_asks_nobody(broker: Broker) -> None:
    body = {"client": UNKNOWN_HANDLE, "purpose": "P3", "sections": ["goals"]}
    refused = broker.as_("caw-ov").post(WHERE, json=body | {"reason_code": "other"})

    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (403, "no-agreement")


def test_asking_again_and_again_is_bounded_alike_for_somebody_and_for_nobody(
    broker: Broker, handle: str, clock: Clock
) -> None:
    first = {each: asked(broker, each).json()["request"] for each in (handle, UNKNOWN_HANDLE)}
    answered(broker, first[handle], "refused")
    clock.move(OPEN_FOR)
    second = {each: asked(broker, each).json()["request"] for each in first}
    clock.move(OPEN_FOR)
    third = [asked(broker, each) for each in first]
    clock.move(timedelta(days=365))

    assert set(first.values()).isdisjoint(second.values())
    assert {each.status_code for each in third} == {429}
    assert {each.json()["type"] for each in third} == {"urn:overdracht:problem:asked-too-often"}
    assert {asked(broker, each).status_code for each in first} == {201}


def test_an_organisation_asks_no_more_in_a_day_than_is_set(settings: Settings) -> None:
    clock = Clock()
    few = settings.model_copy(update={"consent_requests_a_day": 2})
    services = build_services(few, clock=clock)
    broker = Broker(services, clock)

    answers = [asked(broker, letter * 26) for letter in "abc"]
    repeated = asked(broker, "a" * 26)
    clock.move(timedelta(days=1))
    tomorrow = asked(broker, "c" * 26)
    services.close()

    assert [each.status_code for each in answers] == [201, 201, 429]
    assert repeated.json() == answers[0].json()
    assert tomorrow.status_code == 201


def test_a_question_that_nobody_answers_closes_and_an_old_one_goes(
    broker: Broker, handle: str, clock: Clock
) -> None:
    asked(broker, handle)
    asked(broker, UNKNOWN_HANDLE)
    clock.move(OPEN_FOR)

    swept = [broker.services.writer.submit(close_requests).result().value for _ in range(2)]

    assert swept == [1, 0]
    assert [each["k"] for each in logged(broker.services)].count("consent.expired") == 1
    assert len(outbox(broker)) == 2
    clock.move(KEPT_FOR)
    broker.services.writer.submit(close_requests).result()
    assert outbox(broker) == []


def test_a_question_closes_while_the_clients_key_is_away_and_fails_nobody_elses_command(
    broker: Broker, handle: str
) -> None:
    asked(broker, handle, "lang")
    client = of_kind(broker.services, "client.registered")[-1]["client"]
    broker.clock.move(OPEN_FOR + timedelta(minutes=1))

    with without_key(broker.services, client):
        assert broker.services.writer.submit(close_requests).result().value == 1

    assert outbox(broker)[0]["state"] == "closed"
    assert broker.services.writer.submit(close_requests).result().value == 0


def test_an_erased_client_is_as_one_who_never_was_and_the_asker_sees_no_change(
    broker: Broker, story: Story, handle: str
) -> None:
    request = asked(broker, handle).json()["request"]
    asked(broker, UNKNOWN_HANDLE)
    answered(broker, request, "refused")
    before = outbox(broker)

    order = Erasure(OrganisationId(HOLDER), Handle(story.handle), "gdpr-erasure", "rq-1")
    erased = broker.services.writer.submit(erase_client, order).result().value

    assert not isinstance(erased, Refused)
    assert outbox(broker) == before
    assert inbox(broker) == []
    with broker.services.database.reading(tenant="*") as found:
        rows = found.execute(text("SELECT client, holder, consent, state FROM consent_request"))
        assert {tuple(row) for row in rows} == {("", "", None, "unknown")}


def test_a_list_comes_in_pages_of_its_own_caller(broker: Broker, clock: Clock) -> None:
    wanted = []
    for letter in "abc":
        wanted.append(asked(broker, letter * 26).json()["request"])
        clock.move(timedelta(seconds=1))
    partner = broker.as_(PARTNER)

    first = partner.get(WHERE, params={"box": "outbox", "limit": 2}).json()
    rest = partner.get(WHERE, params={"box": "outbox", "cursor": first["next"]}).json()
    foreign = broker.as_(HOLDER).get(WHERE, params={"box": "outbox", "cursor": first["next"]})

    assert [each["request"] for each in (*first["items"], *rest["items"])] == wanted[::-1]
    assert rest["next"] is None
    assert_uniform(foreign)
    strange = partner.get(WHERE, params={"box": "outbox", "state": "refused"})
    assert strange.status_code == 422


def test_the_client_of_a_handover_may_be_asked_by_who_had_it_and_the_offer_follows(
    broker: Broker,
) -> None:
    handle = broker.registered(SAMPLE)
    known = at_partner(broker, broker.related(HOLDER, handle, PARTNER, PURPOSE))
    request = asked(broker, known, "ident", "contact").json()["request"]
    asking = query(client=known, purpose=PURPOSE)
    before = broker.as_(PARTNER).post("/v1/summaries/query", json=asking)

    answered(broker, request, "given", **ADULT)

    assert before.status_code == 404
    summary = broker.as_(PARTNER).post("/v1/summaries/query", json=asking).json()
    assert summary["released"] == ["ident", "contact"]
