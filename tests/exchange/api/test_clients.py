"""Clients and their summaries over HTTP."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from exchange.samples import samples
from tests.builders import Broker, logged

SAMPLE = samples()["cl-0004"]
EDUC = {"sections": {"educ": {"highest_level": "24"}}}
TEST_NUMBER, REAL_NUMBER = "78640990835", "85073003328"


@pytest.fixture
def holder(broker: Broker) -> TestClient:
    return broker.as_("destap-ww")


def test_the_same_reference_is_the_same_client_with_the_same_handle(holder: TestClient) -> None:
    first, again = (holder.post("/v1/clients", json={"reference": "d-1"}) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {"client": again.json()["client"], "created": True}
    assert again.json()["created"] is False
    assert len(first.json()["client"]) == 26


def test_the_same_person_at_another_organisation_is_another_client(broker: Broker) -> None:
    body = {"identity": dict(SAMPLE.identity)}

    handles = [
        broker.as_(who).post("/v1/clients", json=body).json()
        for who in ("destap-ww", "leerwinkel-wvl", "destap-ww")
    ]

    assert [each["created"] for each in handles] == [True, True, False]
    assert handles[0]["client"] == handles[2]["client"] != handles[1]["client"]


@pytest.mark.parametrize(
    ("who", "number", "status", "problem"),
    [
        ("destap-ww", TEST_NUMBER, 403, "not-authorised-for-identifier"),
        ("ocmw-kortrijk", TEST_NUMBER, 201, None),
        ("ocmw-kortrijk", REAL_NUMBER, 422, "invalid-content"),
        ("ocmw-kortrijk", "78640990836", 422, "invalid-content"),
    ],
    ids=["not-authorised", "authorised", "no-test-number", "wrong-digits"],
)
def test_a_national_number_is_taken_from_those_who_may_process_it(
    broker: Broker, who: str, number: str, status: int, problem: str | None
) -> None:
    answer = broker.as_(who).post("/v1/clients", json={"insz": number})

    assert answer.status_code == status
    assert number not in answer.text
    if problem:
        assert answer.json()["type"].endswith(f":{problem}")


def test_a_deposit_tells_what_was_stored_dropped_and_quarantined(holder: TestClient) -> None:
    handle = holder.post("/v1/clients", json={"reference": "d-1"}).json()["client"]
    call = {"what": "call_back", "text": "bellen met zus Fatima Haddad", "who": "recipient"}
    sections: dict[str, Any] = {
        "educ": {"highest_level": "24", "shoe_size": 43},
        "dreams": {"nightly": True},
        "agree": {"actions": [call | {"status": "open"}]},
    }

    answer = holder.put(f"/v1/clients/{handle}/summary", json={"sections": sections})

    assert answer.headers["etag"] == '"1"'
    assert answer.json() == {
        "version": 1,
        "stored": 2,
        "dropped": ["educ.shoe_size", "dreams"],
        "quarantined": ["agree.actions.text"],
    }


def test_a_value_that_does_not_fit_refuses_the_whole_deposit(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    holder = broker.as_("destap-ww")

    answer = holder.put(
        f"/v1/clients/{handle}/summary",
        json={"sections": {"educ": {"highest_level": "a secret"}, "goals": {"reason": "language"}}},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"loc": "educ.highest_level", "type": "not_a_code"}]
    assert "secret" not in answer.text
    copy = holder.get(f"/v1/clients/{handle}/summary").json()
    assert copy["version"] == 1
    assert copy["sections"]["goals"]["reason"]["value"] == "link_interests_jobs"


def test_sections_that_are_not_sent_stay_as_they_were(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    holder = broker.as_("destap-ww")

    stored = holder.put(f"/v1/clients/{handle}/summary", json=EDUC)

    assert stored.json()["version"] == 2
    copy = holder.get(f"/v1/clients/{handle}/summary")
    assert copy.headers["etag"] == '"2"'
    assert copy.json().keys() == {"client", "version", "sections"}
    assert copy.json()["sections"]["educ"].keys() == {"highest_level"}
    assert copy.json()["sections"].keys() == SAMPLE.sections.keys()


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"1"', 200), ("*", 200), (None, 200), ('"0"', 412), ('"2"', 412), ('W/"1"', 412)],
)
def test_a_change_to_a_version_that_is_gone_is_refused(
    broker: Broker, tag: str | None, status: int
) -> None:
    handle = broker.registered(SAMPLE)
    holder = broker.as_("destap-ww")

    answer = holder.put(
        f"/v1/clients/{handle}/summary",
        json=EDUC,
        headers={} if tag is None else {"If-Match": tag},
    )

    assert answer.status_code == status
    copy = holder.get(f"/v1/clients/{handle}/summary").json()
    assert copy["version"] == (2 if status == 200 else 1)
    if status == 412:
        assert answer.json()["type"].endswith(":stale-version")


def test_every_look_at_the_own_copy_is_logged(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)

    broker.as_("destap-ww").get(f"/v1/clients/{handle}/summary")

    (entry,) = [each for each in logged(broker.services) if each["k"] == "summary.viewed"]
    assert (entry["p"], entry["version"]) == ("org:destap-ww", 1)


def test_a_restricted_client_is_read_about_by_nobody(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    flags = f"/v1/clients/{story.handle}/flags"
    holder = broker.as_("destap-ww")

    restricted = holder.put(flags, json={"flags": ["restricted"]})
    refused = story.fetch()
    lifted = holder.put(flags, json={"flags": []})

    assert restricted.json() == {"flags": ["restricted"]}
    assert refused.status_code == 404
    assert "restricted" not in refused.text
    assert (lifted.status_code, story.fetch().status_code) == (200, 200)
