"""A renewal by word of mouth: in force at once, and over when the client does not confirm it."""

import json
from base64 import urlsafe_b64decode
from datetime import timedelta
from typing import Any

from exchange.flows.lapse_consents import lapse_consents
from tests.builders import Broker, Story
from tests.exchange.api.test_consent_changes import SAMPLE, again, given, kinds, shown

BY_WORD = {"method": "oral_witnessed", "witness": "destap-ww/team"}


def renewed(story: Story, **more: Any) -> dict[str, Any]:
    holder = story.broker.as_(SAMPLE.holder)
    body = again(**more)
    answer = holder.post(f"/v1/consents/{story.consent}/renewal", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def confirmed(story: Story, code: str) -> int:
    holder = story.broker.as_(SAMPLE.holder)
    path = f"/v1/consents/{story.consent}/confirmation"
    return int(holder.post(path, json={"code": code}).status_code)


def test_a_renewal_by_word_of_mouth_ends_when_the_client_does_not_confirm_it(
    broker: Broker,
) -> None:
    story = given(broker)
    assert story.fetch().status_code == 200

    said = renewed(story, evidence=BY_WORD)
    assert said["provisional"] is True
    assert len(said["code"]) == 9
    assert story.fetch().status_code == 200
    broker.clock.move(timedelta(days=15))
    assert story.fetch().status_code == 404
    assert broker.services.writer.submit(lapse_consents).result().value == 1

    assert shown(broker, SAMPLE, story.handle)["state"] == "expired"
    assert confirmed(story, said["code"]) == 422
    (recall,) = broker.as_(story.recipient).get("/v1/recalls").json()["items"]
    assert recall["consent"] == story.consent


def test_only_the_code_of_the_last_renewal_confirms_and_a_signature_needs_none(
    broker: Broker,
) -> None:
    story = given(broker)
    first = renewed(story, evidence=BY_WORD)["code"]
    second = renewed(story, evidence=BY_WORD)["code"]

    assert confirmed(story, first) == 422
    assert confirmed(story, second) == 200
    broker.clock.move(timedelta(days=15))
    assert broker.services.writer.submit(lapse_consents).result().value == 0
    assert broker.pushed(SAMPLE.holder, story.handle, story.recipient, "P1").status_code == 201

    renewed(story, evidence=BY_WORD)
    signed = renewed(story)
    assert "code" not in signed
    assert "provisional" not in signed
    broker.clock.move(timedelta(days=15))
    assert broker.services.writer.submit(lapse_consents).result().value == 0
    assert shown(broker, SAMPLE, story.handle)["state"] == "renewed"


def test_a_renewal_is_bound_to_what_could_leave_on_its_day(broker: Broker) -> None:
    story = given(broker)
    before = shown(broker, SAMPLE, story.handle)["hash"]

    renewed(story, until="2027-04-30")
    after = shown(broker, SAMPLE, story.handle)["hash"]

    assert after != before
    assert story.fetch().status_code == 200
    assert kinds(broker) == ["consent.given", "consent.renewed"]


def test_the_address_on_the_receipt_of_a_renewal_is_one_at_which_the_client_can_stop(
    broker: Broker,
) -> None:
    story = given(broker)
    holder = broker.as_(SAMPLE.holder)
    first = holder.get(f"/v1/consents/{story.consent}/receipt").text

    receipts = [first, renewed(story)["receipt"]]

    stop = f"{broker.services.settings.issuer}/stop"
    path, page = f"/v1/consents/{story.consent}/receipt", {"accept": "text/html"}
    assert {claims(each)["withdraw"]["address"] for each in receipts} == {stop}
    assert stop in broker.as_(SAMPLE.holder).get(path, headers=page).text
    assert broker.as_(SAMPLE.holder).get("/stop").status_code == 200


def claims(receipt: str) -> dict[str, Any]:
    body = receipt.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_what_waits_to_be_confirmed_gains_no_time_by_being_said_once_more(broker: Broker) -> None:
    story = given(broker)
    first = renewed(story, evidence=BY_WORD)["confirm_by"]
    broker.clock.move(timedelta(days=13))

    assert renewed(story, evidence=BY_WORD)["confirm_by"] == first


def test_a_renewal_that_is_not_what_was_shown_is_refused_and_changes_nothing(
    broker: Broker,
) -> None:
    story = given(broker)
    holder, body = broker.as_(SAMPLE.holder), again()
    shown_before = holder.post(f"/v1/clients/{story.handle}/consents/preview", json=SAMPLE.consent)
    path = f"/v1/consents/{story.consent}/renewal"

    unlike = holder.post(path, json=body | {"preview": "0" * 64})

    assert unlike.status_code == 422
    assert unlike.json()["errors"] == [{"loc": "preview", "type": "not_what_was_shown"}]
    assert shown(broker, SAMPLE, story.handle)["version"] == 1
    alike = holder.post(path, json=body | {"preview": shown_before.json()["hash"]})
    assert alike.status_code == 200
