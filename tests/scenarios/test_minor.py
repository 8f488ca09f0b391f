"""A4: a seventeen-year-old whom the CLB found capable of deciding, until she is eighteen."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from exchange.samples import samples
from tests.builders import Broker, logged
from tests.cases.uniform import assert_uniform, reasons

BIRTHDAY = datetime.fromisoformat("2027-05-14T00:00:00+02:00")
MOMENT = timedelta(microseconds=1)


def test_with_the_assessment_the_minor_shares_for_herself(broker: Broker) -> None:
    answer = broker.story("cl-0001", "destap-ww", "P1").fetch()

    assert answer.status_code == 200
    assert answer.json()["summary"]["ident"]["given_name"]["value"] == "Noor"


def test_sharing_stops_at_midnight_of_her_birthday_in_belgium(broker: Broker) -> None:
    story = broker.story("cl-0001", "destap-ww", "P1")
    assert story.answer("acceptance").status_code == 200

    broker.clock.move(BIRTHDAY - MOMENT)
    before = story.fetch()
    broker.clock.move(BIRTHDAY)
    after = story.fetch()

    assert before.status_code == 200
    assert_uniform(after)
    assert reasons(broker.services, "summary.refused") == ["CAPACITY_CHANGED_AGE18"]


@pytest.mark.parametrize(
    ("capacity", "code"),
    [
        ({"type": "adult"}, "under_18"),
        ({"type": "capable_minor"}, "required"),
        ({"type": "capable_minor", "on": "2026-10-05"}, "required"),
        (None, "required"),
    ],
    ids=["as-adult", "not-assessed", "nobody-assessed", "no-capacity"],
)
def test_without_the_capacity_record_there_is_no_consent_and_nothing_is_read(
    broker: Broker, capacity: dict[str, Any] | None, code: str
) -> None:
    sample = samples()["cl-0001"]
    handle = broker.registered(sample)
    holder = broker.as_(sample.holder)
    consent = {name: value for name, value in sample.consent.items() if name != "capacity"}
    consent |= {} if capacity is None else {"capacity": capacity}

    refused = holder.post(f"/v1/clients/{handle}/consents", json=consent)
    handover = broker.related(sample.holder, handle, "destap-ww", "P1")
    body = {"end_user": {"id": "u-1", "function": "begeleider"}, "case_reference": "z-1"}
    fetched = broker.as_("destap-ww").post(
        "/v1/summaries/query", json=body | {"handover": handover, "purpose": "P1"}
    )

    assert refused.status_code == 422
    assert code in {each["type"] for each in refused.json()["errors"]}
    assert_uniform(fetched)
    assert reasons(broker.services, "summary.refused") == ["NO_CONSENT"]
    assert "consent.given" not in {each["k"] for each in logged(broker.services)}
