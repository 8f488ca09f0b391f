"""T58, T59: who asks for consent learns nothing of a client that is unknown, foreign or says no."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consent.requests import OPEN_FOR
from exchange.flows.close_requests import close_requests
from tests.builders import Broker, Clock, logged
from tests.cases.classes import HOLDER, PARTNER, PURPOSE
from tests.cases.questions import SAMPLE, answered, asked, at_partner, inbox, outbox
from tests.cases.statements import statements
from tests.cases.uniform import UNKNOWN_HANDLE

WARM = 8
CLASSES = ("unanswered", "refused", "put off", "unknown", "restricted", "denied", "foreign")


def questions(broker: Broker) -> Mapping[str, str]:
    """For each class the partner's handle; the partner knows everybody there is to know."""
    handles = {"unknown": UNKNOWN_HANDLE}
    for name in CLASSES:
        if name == "unknown":
            continue
        organisation = "leerwinkel-wvl" if name == "foreign" else HOLDER
        holder = broker.as_(organisation)
        client = holder.post("/v1/clients", json={"reference": name}).json()["client"]
        holder.put(f"/v1/clients/{client}/summary", json={"sections": SAMPLE.sections})
        if name == "restricted":
            holder.put(f"/v1/clients/{client}/flags", json={"flags": ["restricted"]})
        if name == "denied":
            denial = {"sections": "all", "recipient": f"org:{PARTNER}"}
            consent = dict(SAMPLE.consent) | {"grants": [], "denials": [denial]}
            assert holder.post(f"/v1/clients/{client}/consents", json=consent).is_success
        handles[name] = at_partner(broker, broker.related(organisation, client, PARTNER, PURPOSE))
    return handles


def told(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is not the asker's own: its question, and the id that it was given for it."""
    return {name: value for name, value in line.items() if name not in {"request", "client"}}


@pytest.mark.case("T58")
def test_t58_nobody_who_asks_learns_whether_there_is_a_client_or_a_no(
    broker: Broker, clock: Clock
) -> None:
    handles = questions(broker)
    answers = {name: asked(broker, handle) for name, handle in handles.items()}
    before = [told(each) for each in outbox(broker)]

    for line in inbox(broker):
        name = next(k for k, v in answers.items() if v.json()["request"] == line["request"])
        if name != "unanswered":
            done = answered(broker, line["request"], name.replace("put off", "deferred"))
            assert done.status_code == 200, name

    reached = {
        each["reason"] for each in logged(broker.services) if each["k"] == "consent.requested"
    }
    assert reached == {"OK", "UNKNOWN_CLIENT", "SUBJECT_RESTRICTED", "EXPLICIT_DENIAL",
                       "NO_ACTIVE_PROTOCOL"}  # fmt: skip
    assert len(inbox(broker)) == 3
    assert {each.status_code for each in answers.values()} == {201}
    assert len({str(told(each.json())) for each in answers.values()}) == 1
    assert len({str(sorted(each.headers.items())) for each in answers.values()}) == 1
    assert [told(each) for each in outbox(broker)] == before
    assert len({str(each) for each in before}) == 1
    again = {name: asked(broker, handle).json() for name, handle in handles.items()}
    assert again == {name: each.json() for name, each in answers.items()}
    clock.move(OPEN_FOR)
    broker.services.writer.submit(close_requests).result()
    assert {each["state"] for each in outbox(broker)} == {"closed"}
    assert len(outbox(broker, state="closed")) == len(CLASSES)
    assert outbox(broker, state="requested") == outbox(broker, state="given") == []


@pytest.mark.case("T59")
def test_t59_each_question_costs_the_same_statements_in_the_same_order(
    broker: Broker, tmp_path: Path
) -> None:
    handles = questions(broker)
    for number in range(WARM):
        asked(broker, chr(ord("b") + number) * 26)

    seen: dict[str, list[str]] = {}
    for name, handle in handles.items():
        with statements(broker.services, tmp_path / name.replace(" ", "-")) as said:
            asked(broker, handle)
        seen[name] = said

    assert len(seen["unknown"]) >= 10
    assert [name for name, each in seen.items() if each != seen["unknown"]] == []


@pytest.mark.case("T58")
def test_t58_the_asker_finds_its_question_in_the_log_and_no_answer(
    broker: Broker,
) -> None:
    handle = questions(broker)["refused"]
    known, unknown = asked(broker, handle).json(), asked(broker, UNKNOWN_HANDLE).json()
    answered(broker, known["request"], "refused")

    found = broker.as_(PARTNER).post("/v1/audit/search", json={"limit": 200}).json()["items"]

    of_questions = [each for each in found if each["kind"].startswith("consent.")]
    assert {each["kind"] for each in of_questions} == {"consent.requested"}
    assert {each["provider"] for each in of_questions} == {None}
    assert {tuple(each["parts"]) for each in of_questions} == {("a",)}
    assert known.keys() == unknown.keys()
