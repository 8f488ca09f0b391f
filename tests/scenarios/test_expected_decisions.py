"""Every decision on the six sample clients that the sample data foretell, through HTTP.

The asking organisation has a care relation, as the sample data take for granted.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from exchange.samples import expected_decisions, samples
from tests.builders import Broker, logged, query

EXPECTED = expected_decisions()
TOLD = {
    "NO_ACTIVE_PROTOCOL": (403, "no-agreement"),
    "PURPOSE_PROHIBITED": (403, "purpose-prohibited"),
    "NO_DATA": (404, "not-available"),
}
WITHDRAWN_BEFORE = {"cl-0004"}


def name_of(row: dict[str, Any]) -> str:
    return "-".join((row["client"], row["requester"], row["purpose"], row["decision"]))


def asked(broker: Broker, row: dict[str, Any]) -> Response:
    """The answer to the request of the row; the clock stands at its time."""
    sample = samples()[row["client"]]
    holder, requester = broker.as_(sample.holder), row["requester"]
    handle = broker.registered(sample)
    consent = broker.given(sample, handle)
    if row["client"] in WITHDRAWN_BEFORE:
        holder.post(f"/v1/consents/{consent}/withdrawal", json={"via": "sms_link"})
    handover = broker.related(sample.holder, handle, requester, row["purpose"])
    if "at" in row:
        broker.clock.move(datetime.fromisoformat(row["at"]))
    body = query(handover=handover, purpose=row["purpose"])
    return broker.as_(requester).post("/v1/summaries/query", json=body)


@pytest.mark.parametrize(
    "row", [each for each in EXPECTED if each["decision"] == "OK_FILTERED"], ids=name_of
)
def test_what_may_leave_leaves_and_nothing_else(broker: Broker, row: dict[str, Any]) -> None:
    answer = asked(broker, row)

    assert answer.status_code == 200, answer.text
    assert set(answer.json()["summary"]) == set(row["sections_released"])
    assert set(answer.json()["released"]) == set(row["sections_released"])
    for canary in row["must_not_contain"]:
        assert canary.partition(" in ")[0] not in answer.text
    (released,) = [each for each in logged(broker.services) if each["k"] == "summary.released"]
    assert released["reason"] == "OK_FILTERED"
    assert released["index"] == answer.json()["audit"]["index"]


@pytest.mark.parametrize(
    "row", [each for each in EXPECTED if each["decision"] != "OK_FILTERED"], ids=name_of
)
def test_what_may_not_leave_is_refused_for_the_reason_foretold(
    broker: Broker, row: dict[str, Any]
) -> None:
    answer = asked(broker, row)

    status, problem = TOLD[row["decision"]]
    assert answer.status_code == status
    assert answer.json()["type"].endswith(f":{problem}")
    *_, refused = [each for each in logged(broker.services) if each["k"] == "summary.refused"]
    assert refused["reason"] == row.get("internal", row["decision"])


@pytest.mark.parametrize(
    "row", [each for each in EXPECTED if each["decision"] == "NO_DATA"], ids=name_of
)
def test_no_data_is_told_exactly_as_of_an_unknown_person(
    broker: Broker, row: dict[str, Any]
) -> None:
    of_somebody = asked(broker, row)
    nobody = query(handover=str(uuid4()), purpose=row["purpose"])
    of_nobody = broker.as_(row["requester"]).post("/v1/summaries/query", json=nobody)

    assert of_somebody.content == of_nobody.content
    assert of_somebody.headers == of_nobody.headers
    assert of_somebody.status_code == of_nobody.status_code == 404


def test_every_foretold_decision_is_tested() -> None:
    assert len(EXPECTED) == 11
    assert {row["decision"] for row in EXPECTED} == {"OK_FILTERED", *TOLD}
