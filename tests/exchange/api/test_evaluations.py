"""What would be decided: asked in the form of AuthZEN, by the holder or an auditor alone."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders import Broker, Story, logged
from tests.cases.uniform import UNKNOWN_HANDLE, assert_uniform
from tests.exchange.api.explaining import AUDITOR, evaluated, question
from tests.invariants.situations import (
    HOLDER,
    PARTNER,
    PURPOSE,
    grant,
    shared,
    unaccredited,
    without_any_agreement,
    without_authorisation,
)

PERMIT, DENY = {"context": {"purpose": "P2"}}, {"context": {"purpose": "P90"}}

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""Where the database makes no difference."""


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0005", "vdab-wvl", "P2")


def batch(
    broker: Broker, story: Story, *evaluations: dict[str, Any], **options: str
) -> list[dict[str, Any]]:
    body = question(story.handle, "vdab-wvl", "P2") | {"evaluations": list(evaluations)}
    if options:
        body["options"] = options
    answer = broker.as_(story.sample.holder).post("/access/v1/evaluations", json=body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["evaluations"]
    return found


def test_it_is_what_a_fetch_gives_right_after(broker: Broker, story: Story) -> None:
    would = evaluated(broker, story.sample.holder, question(story.handle, "vdab-wvl", "P2"))
    fetched = story.fetch().json()

    assert would["decision"] is True
    released = {
        f"{section}.{field}" for section, held in fetched["summary"].items() for field in held
    }
    assert released
    assert released <= set(would["context"]["released"])
    kept = {each["why"] for each in would["context"]["explanation"]["withheld"]}
    assert kept == {"denied", "not_granted"}


@pytest.mark.parametrize(
    ("changes", "more", "reason"),
    [
        pytest.param(None, {"purpose": "P90"}, "PURPOSE_PROHIBITED"),
        pytest.param(None, {"purpose": "P11"}, "PURPOSE_UNKNOWN"),
        pytest.param(unaccredited, {}, "RECIPIENT_NOT_ACCREDITED"),
        pytest.param(without_any_agreement, {}, "NO_ACTIVE_PROTOCOL"),
        pytest.param(without_authorisation, {"sections": ["natid"]}, "HARD_RULE_H4"),
        pytest.param(None, {"sections": ["docs"]}, "NO_CONSENT"),
    ],
)
@SQLITE
def test_each_no_names_its_reason_and_says_it(
    broker: Broker, changes: Any, more: dict[str, Any], reason: str
) -> None:
    client = shared(broker)
    if changes is not None:
        changes(broker)
    body = question(client.handle, PARTNER, more.get("purpose", PURPOSE))
    body["resource"]["properties"] = {"sections": list(more.get("sections", ()))}

    told = evaluated(broker, HOLDER, body)

    assert (told["decision"], told["context"]["reason"]) == (False, reason)
    assert told["context"]["explanation"]["why"]


@SQLITE
def test_a_look_uses_nothing_up_and_is_logged(broker: Broker) -> None:
    client = shared(broker, grant(max_uses=1))
    asked = question(client.handle, PARTNER, PURPOSE)

    told = [evaluated(broker, HOLDER, asked)["decision"] for _ in range(3)]

    assert told == [True, True, True]
    looks = [each for each in logged(broker.services) if each["k"] == "client.viewed"]
    assert [each["via"] for each in looks] == ["evaluation"] * 3
    assert {each["p"] for each in looks} == {f"org:{HOLDER}"}
    assert all(each["client"] for each in looks)


def test_whom_the_asker_does_not_hold_is_nobody_to_the_byte(broker: Broker) -> None:
    client = shared(broker)
    partner, stranger = broker.as_(PARTNER), broker.as_("destap-ww")
    with_holder = question(client.handle, PARTNER, PURPOSE)
    with_holder["resource"]["properties"] = {"holder": f"org:{HOLDER}"}
    shown = partner.get(f"/v1/handovers/{client.handover}").json()
    own_name = shown["subject"]["pairwise_id"]
    asked = [
        question(UNKNOWN_HANDLE, PARTNER, PURPOSE),
        question(client.handle, PARTNER, PURPOSE),
        question(own_name, PARTNER, PURPOSE),
        question(own_name, "destap-ww", "P90"),
        with_holder,
    ]

    answers = [
        who.post(f"/access/v1/{address}", json=body)
        for who in (partner, stranger)
        for body in asked
        for address in ("evaluation", "evaluations")
    ]
    in_batch = partner.post("/access/v1/evaluations", json=asked[1] | {"evaluations": [{}, {}]})

    assert_uniform(*answers, in_batch)
    refused = [each for each in logged(broker.services) if each["k"] == "client.refused"]
    assert {(each.get("client"), each["reason"]) for each in refused} == {(None, "NOT_THE_HOLDER")}


@SQLITE
def test_an_auditor_names_the_holder(broker: Broker, story: Story) -> None:
    body = question(story.handle, "vdab-wvl", "P2")
    without = broker.as_(AUDITOR).post("/access/v1/evaluation", json=body)
    body["resource"]["properties"] = {"holder": f"org:{story.sample.holder}"}

    told = evaluated(broker, AUDITOR, body)

    assert_uniform(without)
    assert told["decision"] is True
    assert told["context"]["explanation"]["as"] == "auditor"
    assert any(each["law"] for each in told["context"]["explanation"]["steps"])


@SQLITE
def test_whom_the_client_keeps_out_gets_nothing(broker: Broker, story: Story) -> None:
    holder = story.sample.holder
    body = {"organisation": "org:vdab-wvl", "member": "u-1"}
    done = broker.as_(holder).post(f"/v1/clients/{story.handle}/exclusions", json=body)
    assert done.is_success, done.text
    asked = question(story.handle, "vdab-wvl", "P2")
    by_one = asked | {"subject": asked["subject"] | {"properties": {"end_user": "u-1"}}}

    told = [evaluated(broker, holder, each)["context"]["reason"] for each in (asked, by_one)]

    assert told == [None, "EXPLICIT_DENIAL"]


@SQLITE
def test_a_batch_is_answered_in_order_with_what_the_questions_share(
    broker: Broker, story: Story
) -> None:
    found = batch(broker, story, {}, DENY, {"action": {"name": "match"}}, PERMIT)

    assert [each["decision"] for each in found] == [True, False, False, True]
    assert found[1]["context"]["reason"] == "PURPOSE_PROHIBITED"


@pytest.mark.parametrize(
    ("semantic", "asked", "told"),
    [
        ("execute_all", [PERMIT, DENY, PERMIT, DENY], [True, False, True, False]),
        ("deny_on_first_deny", [PERMIT, DENY, PERMIT, DENY], [True, False]),
        ("deny_on_first_deny", [PERMIT, PERMIT], [True, True]),
        ("permit_on_first_permit", [DENY, PERMIT, DENY, PERMIT], [False, True]),
        ("permit_on_first_permit", [DENY, DENY], [False, False]),
    ],
)
@SQLITE
def test_a_batch_stops_where_its_semantic_says(
    broker: Broker,
    story: Story,
    semantic: str,
    asked: list[dict[str, Any]],
    told: list[bool],
) -> None:
    found = batch(broker, story, *asked, evaluations_semantic=semantic)

    assert [each["decision"] for each in found] == told


def test_a_batch_is_one_look_at_the_client(broker: Broker, story: Story) -> None:
    before = len(logged(broker.services))

    batch(broker, story, PERMIT, DENY, PERMIT)

    looks = logged(broker.services)[before:]
    assert [each["k"] for each in looks] == ["client.viewed"]


@SQLITE
def test_without_questions_a_batch_is_one_question(broker: Broker, story: Story) -> None:
    body = question(story.handle, "vdab-wvl", "P2")
    holder = broker.as_(story.sample.holder)

    alone = holder.post("/access/v1/evaluation", json=body).json()

    for each in (body, body | {"evaluations": []}):
        assert holder.post("/access/v1/evaluations", json=each).json() == alone


@SQLITE
def test_what_a_question_lacks_is_named(broker: Broker, story: Story) -> None:
    whole = question(story.handle, "vdab-wvl", "P2")
    body = {"evaluations": [PERMIT], "resource": whole["resource"]}
    another = whole | {"evaluations": [{"resource": whole["resource"]}]}
    crowd = whole | {"evaluations": [{}] * 33}
    holder = broker.as_(story.sample.holder)

    answers = [holder.post("/access/v1/evaluations", json=each) for each in (body, another, crowd)]

    assert [each.status_code for each in answers] == [422] * 3
    assert answers[0].json()["errors"] == [
        {"loc": "evaluations.0.subject", "type": "needs_subject"},
        {"loc": "evaluations.0.action", "type": "needs_action"},
    ]
    # One client a request, as everywhere: a list of clients would be a way of trying many.
    assert answers[1].json()["errors"] == [
        {"loc": "evaluations.0.resource", "type": "extra_forbidden"}
    ]


@SQLITE
def test_it_is_decided_as_of_another_instant_on_what_stands_now(broker: Broker) -> None:
    client = shared(broker)
    last_day, day_after = "2027-06-30T21:59:59Z", "2027-06-30T22:00:00Z"

    told = [
        evaluated(broker, HOLDER, question(client.handle, PARTNER, PURPOSE, time=time), "en")
        for time in (last_day, day_after)
    ]

    assert [each["decision"] for each in told] == [True, False]
    assert told[1]["context"]["reason"] == "CONSENT_EXPIRED"
    assert told[1]["context"]["time"] == "2027-06-30T22:00:00.000000Z"
    assert told[1]["context"]["as_of"]["now"].startswith("As they are now: consents")
    assert told[1]["context"]["as_of"]["then"].startswith("As of the chosen time: accreditation")


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("2026-02-30T10:00:00Z", "no_such_time"),
        ("0001-01-01T00:00:00+23:00", "too_far"),
        ("9999-12-31T23:59:59-23:00", "too_far"),
        ("2024-01-01T00:00:00Z", "too_far"),
        ("2029-01-01T00:00:00Z", "too_far"),
    ],
)
@SQLITE
def test_a_time_that_is_none_or_too_far_is_refused(
    broker: Broker, story: Story, time: str, why: str
) -> None:
    body = question(story.handle, "vdab-wvl", "P2", time=time)

    answer = broker.as_(story.sample.holder).post("/access/v1/evaluation", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"loc": "context.time", "type": why}]


@SQLITE
def test_a_past_time_is_not_the_past_decision(broker: Broker) -> None:
    client = shared(broker)
    before = broker.clock() - timedelta(days=1)
    client.holder("POST", f"/v1/consents/{client.consent}/withdrawal", {"via": "portal"})
    asked = question(client.handle, PARTNER, PURPOSE, time=before.isoformat())

    told = evaluated(broker, HOLDER, asked)

    assert told["decision"] is False
    assert told["context"]["as_of"]["past"].startswith("Dit is niet de beslissing van toen.")


@SQLITE
def test_the_decision_point_tells_where_it_answers(broker: Broker, story: Story) -> None:
    told = broker.as_(AUDITOR).get("/.well-known/authzen-configuration").json()

    base = broker.services.settings.public_base_url
    assert told == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
    }


@pytest.mark.parametrize(("given", "told"), [("req-1.a", "req-1.a"), ("Jan Peeters", None)])
@SQLITE
def test_the_number_of_a_request_comes_back_if_it_is_one(
    broker: Broker, story: Story, given: str, told: str | None
) -> None:
    body = question(story.handle, "vdab-wvl", "P2")

    for address in ("evaluation", "evaluations"):
        answer = broker.as_(story.sample.holder).post(
            f"/access/v1/{address}", json=body, headers={"X-Request-ID": given}
        )
        assert answer.headers.get("X-Request-ID") == told
