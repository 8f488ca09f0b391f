"""The life of a consent over HTTP, for the organisation that it was given to."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from exchange.flows.end_due_consents import end_due_consents
from exchange.flows.suspend_consents import suspend_consents
from exchange.samples import Sample, samples
from tests.builders import Broker, Story, logged
from tests.cases.uniform import assert_uniform, reasons

SAMPLE = samples()["cl-0002"]
MINOR = samples()["cl-0001"]
BIRTHDAY = datetime.fromisoformat("2027-05-14T00:00:00+02:00")


def again(sample: Sample = SAMPLE, **more: Any) -> dict[str, Any]:
    """The body of a renewal on the notice and evidence of the first giving."""
    said = {"notice": sample.consent["notice"], "evidence": sample.consent["evidence"]}
    return {**said, **more}


def changed(client: TestClient, consent: str, verb: str, body: Any, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/v1/consents/{consent}/{verb}", json=body, headers=named)


def shown(broker: Broker, sample: Sample, handle: str) -> dict[str, Any]:
    (item,) = broker.as_(sample.holder).get(f"/v1/clients/{handle}/consents").json()["items"]
    found: dict[str, Any] = item
    return found


def kinds(broker: Broker, beginning: str = "consent.") -> list[str]:
    return [each["k"] for each in logged(broker.services) if each["k"].startswith(beginning)]


def sweep(broker: Broker) -> int:
    done = broker.services.writer.submit(end_due_consents).result().value
    assert isinstance(done, int)
    return done


def given(broker: Broker) -> Story:
    return broker.story("cl-0002", "leerwinkel-wvl", "P1")


def test_a_renewal_is_answered_as_the_first_giving_was_with_a_new_receipt(broker: Broker) -> None:
    story = given(broker)
    holder = broker.as_(SAMPLE.holder)
    first = holder.get(f"/v1/consents/{story.consent}/receipt").text

    renewed = changed(holder, story.consent, "renewal", again(until="2027-06-30"))

    body = renewed.json()
    assert renewed.status_code == 200
    assert body.keys() == {"consent", "state", "grants", "receipt"}
    assert (body["consent"], body["state"]) == (story.consent, "renewed")
    assert {each["until"] for each in body["grants"]} == {"2027-06-30"}
    assert body["receipt"] != first
    assert holder.get(f"/v1/consents/{story.consent}/receipt").text == body["receipt"]
    assert kinds(broker) == ["consent.given", "consent.renewed"]
    assert shown(broker, SAMPLE, story.handle)["term"] == "dpv:RenewedConsentGiven"
    assert story.fetch().status_code == 200


def test_a_renewal_that_can_not_be_changes_nothing_and_names_the_place(broker: Broker) -> None:
    story = given(broker)
    holder = broker.as_(SAMPLE.holder)
    unknown = {"id": "N-P1P5", "version": "99.9", "lang": "ar", "channel": "portal"}
    wrong: tuple[tuple[Any, str], ...] = (
        ([], "body"),
        ({}, "notice"),
        (again(until="2020-01-01"), "until"),
        (again(grants=[]), "grants"),
        (again(notice=unknown), "notice"),
    )

    answers = [changed(holder, story.consent, "renewal", body) for body, _ in wrong]

    assert [each.status_code for each in answers] == [422] * len(wrong)
    for refused, (_, place) in zip(answers, wrong, strict=True):
        assert place in {each["loc"] for each in refused.json()["errors"]}
    assert shown(broker, SAMPLE, story.handle)["version"] == 1


VERBS: tuple[tuple[str, Any], ...] = (
    ("resumption", {"via": "phone"}),
    ("renewal", again()),
    ("suspension", {"reason": "under_review"}),
    ("revocation", {"by": "court"}),
)


@pytest.mark.case("T56")
def test_t56_a_change_of_a_version_that_is_no_more_is_told_so_and_loses_nothing(
    broker: Broker,
) -> None:
    story = given(broker)
    holder = broker.as_(SAMPLE.holder)
    seen = shown(broker, SAMPLE, story.handle)["version"]
    assert story.withdraw(grants=["g3"]).json()["state"] == "narrowed"

    for verb, body in (*VERBS, ("invalidation", {"reason": "not_informed"})):
        for tag in (f'"{seen}"', 'W/"x"', '"0"'):
            stale = changed(holder, story.consent, verb, body, If_Match=tag)
            assert stale.status_code == 412, verb
            assert stale.json()["type"] == "urn:overdracht:problem:stale-version"
    now = shown(broker, SAMPLE, story.handle)
    assert (now["state"], now["version"]) == ("narrowed", seen + 1)

    tag = f'"{seen + 1}"'
    for verb, body in VERBS:
        fresh = changed(holder, story.consent, verb, body, If_Match=tag)
        assert fresh.status_code == 200, verb
        # To take off a hold that is not there changes nothing, and so makes no version.
        assert (fresh.headers["etag"] == tag) == (verb == "resumption")
        tag = fresh.headers["etag"]


def test_what_was_never_valid_is_over_at_once_and_who_read_is_asked_to_erase(
    broker: Broker,
) -> None:
    story = given(broker)
    assert story.fetch().status_code == 200

    done = changed(
        broker.as_(SAMPLE.holder), story.consent, "invalidation", {"reason": "no_capacity"}
    )

    assert done.json() == {
        "consent": story.consent,
        "state": "invalidated",
        "term": "dpv:ConsentInvalidated",
        "suspended": False,
        "version": 2,
    }
    assert_uniform(story.fetch())
    handover = broker.as_("leerwinkel-wvl").get(f"/v1/handovers/{story.handover}").json()
    assert handover["state"] == "revoked"
    assert [each["type"] for each in handover["events"]][-2:] == [
        "consent_withdrawn",
        "erasure_notice",
    ]
    assert kinds(broker)[-1] == "consent.invalidated"


def test_what_somebody_else_ended_is_over_and_can_only_be_asked_again(broker: Broker) -> None:
    story = given(broker)
    holder = broker.as_(SAMPLE.holder)

    done = changed(holder, story.consent, "revocation", {"by": "court"})
    once_more = changed(holder, story.consent, "revocation", {"by": "court"})
    renewed = changed(holder, story.consent, "renewal", again())

    assert (done.json()["state"], done.json()["term"]) == (
        "revoked_by_other",
        "dpv:ConsentRevoked",
    )
    assert_uniform(story.fetch())
    assert (once_more.status_code, renewed.status_code) == (409, 409)
    assert [each["via"] for each in logged(broker.services) if each["k"] == "consent.revoked"] == [
        "court"
    ]


def test_a_hold_stops_what_is_shared_until_it_is_taken_off(broker: Broker) -> None:
    story = given(broker)
    holder = broker.as_(SAMPLE.holder)

    held = changed(holder, story.consent, "suspension", {"reason": "under_review"})
    during = story.fetch()
    resumed = changed(holder, story.consent, "resumption", {"via": "phone"})

    assert (held.json()["state"], held.json()["suspended"]) == ("given", True)
    assert_uniform(during)
    assert resumed.json()["suspended"] is False
    assert story.fetch().status_code == 200
    assert kinds(broker) == ["consent.given", "consent.suspended", "consent.resumed"]


def test_after_a_loss_a_renewal_ends_the_hold_and_the_log_says_both(broker: Broker) -> None:
    story = given(broker)
    broker.services.writer.submit(suspend_consents, "log.restored").result()
    assert_uniform(story.fetch())

    changed(broker.as_(SAMPLE.holder), story.consent, "renewal", again())

    assert story.fetch().status_code == 200
    assert kinds(broker)[-2:] == ["consent.renewed", "consent.resumed"]


def test_only_codes_of_the_list_are_taken(broker: Broker) -> None:
    holder = broker.as_(SAMPLE.holder)
    for verb, body in (
        ("invalidation", {"reason": "felt like it"}),
        ("revocation", {"by": "neighbour"}),
        ("revocation", {}),
        ("suspension", {"reason": "free text of a person"}),
        ("resumption", {"via": ""}),
    ):
        assert changed(holder, "c-0000", verb, body).status_code == 422


def test_a_refusal_stays_one_and_is_told_to_the_holder_alone(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    holder = broker.as_(SAMPLE.holder)
    body = {name: held for name, held in SAMPLE.consent.items() if name != "grants"}
    body |= {"grants": [], "refused": [{"purpose": "P1", "recipient": "org:leerwinkel-wvl"}]}
    consent = holder.post(f"/v1/clients/{handle}/consents", json=body).json()["consent"]

    answers = [
        changed(holder, consent, verb, sent)
        for verb, sent in (("renewal", again()), ("suspension", {"reason": "client_asked"}))
    ]
    stranger = changed(broker.as_("vdab-gent"), consent, "renewal", again())

    assert [each.status_code for each in answers] == [422, 422]
    assert [each.json()["errors"] for each in answers] == [
        [{"loc": "consent", "type": "refused"}] * 1
    ] * 2
    assert_uniform(stranger)


def test_at_her_birthday_the_minors_consent_is_held_and_must_be_asked_anew(broker: Broker) -> None:
    story = broker.story("cl-0001", "destap-ww", "P1")
    holder = broker.as_(MINOR.holder)
    renewal = again(MINOR, until="2027-12-31")
    broker.clock.move(datetime.fromisoformat("2027-04-30T12:00:00+02:00"))
    holder = broker.as_(MINOR.holder)
    assert changed(holder, story.consent, "renewal", renewal).status_code == 200

    broker.clock.move(BIRTHDAY - timedelta(microseconds=1))
    assert sweep(broker) == 0
    broker.clock.move(BIRTHDAY)
    assert (sweep(broker), sweep(broker)) == (1, 0)

    holder = broker.as_(MINOR.holder)
    item = shown(broker, MINOR, story.handle)
    assert (item["state"], item["suspended"]) == ("renewed", True)
    assert (item["ends_at"], item["ends_because"]) == ("2027-05-13T22:00:00Z", "age_18")
    held = holder.get("/v1/consents/due?which=held").json()["items"]
    assert [each["consent"] for each in held] == [story.consent]
    assert reasons(broker.services, "consent.suspended") == ["age_18"]
    for verb, body in (("resumption", {"via": "phone"}), ("renewal", renewal)):
        refused = changed(holder, story.consent, verb, body)
        assert refused.json()["errors"] == [{"loc": "capacity", "type": "of_age"}]


def test_what_is_over_is_marked_once_and_each_client_has_an_event_of_its_own(
    broker: Broker,
) -> None:
    stories = [given(broker), broker.story("cl-0004", "vdab-gent", "P2")]
    broker.clock.move(timedelta(days=800))
    for _ in stories:
        assert sweep(broker) == 1 or sweep(broker) == 0
    entries = [each for each in logged(broker.services) if each["k"] == "consent.expired"]

    assert len(entries) == 2
    assert len({each["q"] for each in entries}) == 2
    for story in stories:
        item = shown(broker, story.sample, story.handle)
        assert (item["state"], item["term"]) == ("expired", "dpv:ConsentExpired")


def test_the_holder_sees_thirty_days_before_which_consents_end(broker: Broker) -> None:
    story = given(broker)
    ends = datetime.fromisoformat(shown(broker, SAMPLE, story.handle)["ends_at"])

    broker.clock.move(ends - timedelta(days=30, seconds=1))
    before = broker.as_(SAMPLE.holder).get("/v1/consents/due")
    broker.clock.move(ends - timedelta(days=30))
    holder = broker.as_(SAMPLE.holder)
    ending = holder.get("/v1/consents/due")

    assert before.json() == {"items": [], "next": None}
    (item,) = ending.json()["items"]
    assert (item["consent"], item["client"]) == (story.consent, story.handle)
    assert item.keys() == {"consent", "client", "state", "version", "due_at"}
    assert broker.as_("leerwinkel-wvl").get("/v1/consents/due").json()["items"] == []
    strange = holder.get("/v1/consents/due", params={"cursor": "MS54Lnl6"})
    assert_uniform(strange)


def test_the_list_goes_on_where_the_page_ended(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    mine = {broker.given(SAMPLE, handle) for _ in range(5)}
    broker.services.writer.submit(suspend_consents, "log.restored").result()
    holder = broker.as_(SAMPLE.holder)
    seen: list[str] = []
    way: dict[str, Any] = {"which": "held", "limit": 2}
    for expected in (2, 2, 1):
        page = holder.get("/v1/consents/due", params=way).json()
        assert len(page["items"]) == expected
        seen += [each["consent"] for each in page["items"]]
        way["cursor"] = page["next"]

    assert way["cursor"] is None
    assert len(seen) == len(set(seen))
    assert set(seen) == mine
