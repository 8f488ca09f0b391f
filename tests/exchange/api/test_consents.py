"""Consents over HTTP, for the organisation that asked for them."""

from exchange.samples import samples
from tests.builders import Broker, logged

SAMPLE = samples()["cl-0002"]


def test_a_consent_is_answered_with_its_grants_and_a_receipt(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    holder = broker.as_(SAMPLE.holder)

    answer = holder.post(f"/v1/clients/{handle}/consents", json=SAMPLE.consent)

    assert answer.status_code == 201
    body = answer.json()
    assert body.keys() == {"consent", "state", "grants", "receipt", "withdrawal_code"}
    assert body["state"] == "given"
    assert [each["id"] for each in body["grants"]] == ["g1", "g2", "g3"]
    receipt = holder.get(f"/v1/consents/{body['consent']}/receipt")
    assert receipt.text == body["receipt"]
    assert receipt.headers["content-type"].startswith("application/jwt")


def test_grant_ids_and_the_hash_of_the_notice_may_be_left_out(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    consent = dict(SAMPLE.consent)
    consent["notice"] = {k: v for k, v in consent["notice"].items() if k != "sha256"}
    consent["grants"] = [
        {name: value for name, value in each.items() if name != "id"} for each in consent["grants"]
    ]

    holder = broker.as_(SAMPLE.holder)
    given = holder.post(f"/v1/clients/{handle}/consents", json=consent)
    (shown,) = holder.get(f"/v1/clients/{handle}/consents").json()["items"]

    assert [each["id"] for each in given.json()["grants"]] == ["g1", "g2", "g3"]
    assert shown["notice"]["sha256"] == SAMPLE.consent["notice"]["sha256"]


def test_the_list_of_consents_shows_how_each_stands_and_is_logged(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    consent = broker.given(SAMPLE, handle)
    holder = broker.as_(SAMPLE.holder)

    answer = holder.get(f"/v1/clients/{handle}/consents")

    assert answer.json()["next"] is None
    (item,) = answer.json()["items"]
    assert {"consent", "state", "grants", "denials", "notice", "given_at"} <= item.keys()
    assert (item["consent"], item["state"]) == (consent, "given")
    assert item["given_at"] == "2026-11-02T14:00:00Z"
    assert "client.viewed" in {each["k"] for each in logged(broker.services)}


def test_withdrawing_one_grant_leaves_the_others(broker: Broker) -> None:
    story = broker.story("cl-0002", "leerwinkel-wvl", "P1")

    narrowed = story.withdraw(grants=["g3"])
    still = story.fetch()
    ended = story.withdraw(grants=["g1"])
    no_more = story.fetch()

    assert narrowed.json() == {
        "consent": story.consent,
        "state": "narrowed",
        "withdrawn_at": "2026-11-02T14:00:00Z",
    }
    assert still.status_code == 200
    assert ended.json()["state"] == "narrowed"
    assert no_more.status_code == 404


def test_a_grant_that_the_consent_does_not_have_is_refused_and_nothing_ends(
    broker: Broker,
) -> None:
    story = broker.story("cl-0002", "leerwinkel-wvl", "P1")

    refused = story.withdraw(grants=["g1", "g9"])

    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"loc": "grants", "type": "not_accepted"}]
    assert story.fetch().status_code == 200


def test_a_consent_with_faults_is_told_each_of_them_and_none_of_its_values(
    broker: Broker,
) -> None:
    handle = broker.registered(SAMPLE)
    grants = [{**SAMPLE.consent["grants"][0], "until": "2020-01-01", "recipient": "org:nobody"}]
    consent = dict(SAMPLE.consent) | {"grants": grants, "denials": []}

    answer = broker.as_(SAMPLE.holder).post(f"/v1/clients/{handle}/consents", json=consent)

    assert answer.status_code == 422
    assert {"loc": "grants.0.until", "type": "past"} in answer.json()["errors"]
    assert "nobody" not in answer.text
    assert "2020" not in answer.text
