"""Handovers over HTTP: what is answered, in which order steps may come, and when it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchange.flows.expire_handovers import expire_handovers
from tests.builders import REFERENCE, Broker, Story, logged
from tests.cases.uniform import UNKNOWN_ID, assert_uniform, reasons

RECIPIENT_STEPS: dict[str, dict[str, Any]] = {
    "acceptance": {},
    "refusal": {"reason_code": "capacity_full"},
    "first-contact": {},
    "closure": {},
}
STATES = {
    "acceptance": "accepted",
    "refusal": "declined",
    "first-contact": "first_contact",
    "closure": "closed",
    "revocation": "revoked",
}
MAY_FOLLOW: dict[tuple[str, ...], set[str]] = {
    (): {"acceptance", "refusal", "revocation"},
    ("acceptance",): {"first-contact", "closure", "revocation"},
    ("acceptance", "first-contact"): {"closure", "revocation"},
    ("acceptance", "closure"): set(),
    ("refusal",): set(),
    ("revocation",): set(),
}
DEADLINES = {
    "normal": timedelta(days=14),
    "within_7d": timedelta(days=7),
    "within_48h": timedelta(hours=48),
}
MOMENT = timedelta(microseconds=1)


def opened(broker: Broker) -> Story:
    return broker.story("cl-0004", "vdab-gent", "P2")


def step(story: Story, name: str) -> int:
    if name == "revocation":
        path = f"/v1/handovers/{story.handover}/revocation"
        return story.broker.as_(story.sample.holder).post(path, json={}).status_code
    return story.answer(name, **RECIPIENT_STEPS[name]).status_code


def shown(story: Story, who: str = "vdab-gent") -> dict[str, Any]:
    found: dict[str, Any] = story.broker.as_(who).get(f"/v1/handovers/{story.handover}").json()
    return found


def test_a_push_tells_what_will_be_shared_and_until_when_it_waits(broker: Broker) -> None:
    story = opened(broker)
    body = {"recipient": "org:vdab-gent", "purpose": "P2", "reason_code": "work_guidance"}

    answer = broker.as_("destap-ww").post(
        "/v1/handovers",
        json=body | {"client": story.handle},
        headers={"Idempotency-Key": "key-of-this-test"},
    )

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"handover", "state", "deadline", "shared", "withheld"}
    assert answer.json()["state"] == "offered"
    assert answer.json()["deadline"] == "2026-11-16T14:00:00Z"
    assert set(answer.json()["shared"]) == {"ident", "contact", "educ", "work", "goals", "agree"}


def test_an_envelope_holds_ids_and_codes_and_nothing_of_the_summary(broker: Broker) -> None:
    story = opened(broker)

    envelope = shown(story)

    assert envelope["from"]["org"] == "destap-ww"
    assert envelope["to"]["org"] == "vdab-gent"
    assert envelope["protocol_id"] == "PR-2026-004"
    assert envelope["consent_ref"] == story.consent
    assert envelope["handover"] == envelope["id"] == story.handover
    assert [(each["sequence"], each["type"]) for each in envelope["events"]] == [(1, "offered")]
    for canary in ("Sofie", "Claes", "2001", "+32", "kantooropleiding"):
        assert canary not in str(envelope)


def test_an_acceptance_carries_a_function_and_an_appointment(broker: Broker) -> None:
    story = opened(broker)
    contact = {"function": "bemiddelaar", "phone": "+32450009999"}
    appointment = {"start": "2026-11-09T09:00:00Z", "duration_minutes": 60, "site": "gnt"}

    answer = story.answer("acceptance", contact=contact, appointment=appointment)

    assert answer.json().keys() == {"handover", "state", "deadline"}
    *_, event = shown(story, "destap-ww")["events"]
    assert (event["type"], event["actor_org"]) == ("accepted", "vdab-gent")
    assert (event["contact"], event["appointment"]) == (contact, appointment)


@pytest.mark.parametrize("way", MAY_FOLLOW, ids=lambda way: "-".join(way) or "offered")
@pytest.mark.parametrize("name", STATES)
def test_the_loop_is_closed(broker: Broker, way: tuple[str, ...], name: str) -> None:
    story = opened(broker)
    for each in way:
        assert step(story, each) == 200
    before = shown(story)

    status = step(story, name)

    if name in MAY_FOLLOW[way]:
        assert (status, shown(story)["state"]) == (200, STATES[name])
        assert len(shown(story)["events"]) == len(before["events"]) + 1
    else:
        assert (status, shown(story)) == (409, before)


@pytest.mark.parametrize("name", ["refusal", "closure", "revocation"])
def test_with_its_end_a_handover_gives_no_access_any_more(broker: Broker, name: str) -> None:
    story = opened(broker)
    if name == "closure":
        step(story, "acceptance")
    assert story.fetch().status_code == 200

    assert step(story, name) == 200

    assert_uniform(story.fetch())
    assert reasons(broker.services, "summary.refused") == ["NO_CARE_RELATION"]


@pytest.mark.parametrize(("urgency", "waits"), DEADLINES.items(), ids=DEADLINES)
def test_an_offer_ends_at_its_deadline_also_before_anybody_marks_it(
    broker: Broker, urgency: str, waits: timedelta
) -> None:
    story = opened(broker)
    step(story, "revocation")
    pushed = broker.pushed("destap-ww", story.handle, "vdab-gent", "P2", urgency=urgency).json()
    story.handover = pushed["handover"]

    assert datetime.fromisoformat(pushed["deadline"]) == REFERENCE + waits
    broker.clock.move(REFERENCE + waits - MOMENT)
    assert story.fetch().status_code == 200
    assert shown(story)["state"] == "offered"
    broker.clock.move(REFERENCE + waits)
    assert_uniform(story.fetch())
    assert shown(story)["state"] == "expired"
    assert step(story, "acceptance") == 409
    assert "handover.expired" not in {each["k"] for each in logged(broker.services)}


def test_the_sweep_marks_what_has_expired_once_and_logs_it(broker: Broker) -> None:
    late, taken = opened(broker), broker.story("cl-0002", "leerwinkel-wvl", "P1")
    assert step(taken, "acceptance") == 200
    broker.clock.move(REFERENCE + timedelta(days=14))

    swept = [broker.services.writer.submit(expire_handovers).result().value for _ in range(2)]

    assert swept == [1, 0]
    (entry,) = [each for each in logged(broker.services) if each["k"] == "handover.expired"]
    assert entry["handover"] == late.handover
    assert [each["type"] for each in shown(late)["events"]] == ["offered", "expired"]
    assert taken.fetch().status_code == 200


def test_the_same_push_again_gives_the_first_answer_and_offers_once(broker: Broker) -> None:
    story = opened(broker)
    sender, headers = broker.as_("destap-ww"), {"Idempotency-Key": "key-to-repeat"}
    body = {"client": story.handle, "recipient": "org:vdab-gent", "purpose": "P2"}

    first, again = (
        sender.post("/v1/handovers", json=body | {"reason_code": "other"}, headers=headers)
        for _ in range(2)
    )
    other = sender.post("/v1/handovers", json=body | {"reason_code": "feedback"}, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert other.status_code == 422
    assert other.json()["type"].endswith(":key-reused")
    offered = [each for each in logged(broker.services) if each["k"] == "handover.offered"]
    assert len(offered) == 2


def test_a_repeat_tells_the_first_answer_even_when_all_has_changed_since(broker: Broker) -> None:
    story = opened(broker)
    sender, headers = broker.as_("destap-ww"), {"Idempotency-Key": "key-to-repeat"}
    body = {"client": story.handle, "recipient": "org:vdab-gent", "purpose": "P2"}
    order = body | {"reason_code": "other"}
    first = sender.post("/v1/handovers", json=order, headers=headers)
    story.withdraw()

    again = sender.post("/v1/handovers", json=order, headers=headers)
    fresh = sender.post("/v1/handovers", json=order, headers={"Idempotency-Key": "a-fresh-key"})

    assert again.content == first.content
    assert fresh.status_code == 403
    assert fresh.json()["errors"] == [{"loc": "sharing", "type": "CONSENT_WITHDRAWN"}]


@pytest.mark.parametrize("key", [None, "short", "with a space in it", "x" * 201])
def test_a_push_needs_a_key_to_be_repeated_by(broker: Broker, key: str | None) -> None:
    story = opened(broker)
    body = {"client": story.handle, "recipient": "org:vdab-gent", "purpose": "P2"}

    answer = broker.as_("destap-ww").post(
        "/v1/handovers",
        json=body | {"reason_code": "other"},
        headers={} if key is None else {"Idempotency-Key": key},
    )

    assert answer.status_code == 422
    assert len(broker.as_("vdab-gent").get("/v1/handovers").json()["items"]) == 1


def test_pages_lead_through_every_handover_once_newest_first(broker: Broker) -> None:
    story = opened(broker)
    pushed = [story.handover]
    for _ in range(54):
        broker.clock.move(timedelta(seconds=1))
        offered = broker.pushed("destap-ww", story.handle, "vdab-gent", "P2")
        pushed.append(offered.json()["handover"])

    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        query = {"box": "inbox"} | ({"cursor": cursor} if cursor else {})
        page = broker.as_("vdab-gent").get("/v1/handovers", params=query).json()
        pages.append([each["handover"] for each in page["items"]])
        cursor = page["next"]
        # One more arrives while the partner reads: it moves no line to another page.
        broker.clock.move(timedelta(seconds=1))
        broker.pushed("destap-ww", story.handle, "vdab-gent", "P2")

    assert [len(each) for each in pages] == [50, 5]
    assert [each for page in pages for each in page] == pushed[::-1]


def test_a_box_shows_the_state_asked_for_and_pages_within_it(broker: Broker) -> None:
    story = opened(broker)
    for _ in range(3):
        broker.pushed("destap-ww", story.handle, "vdab-gent", "P2")
    step(story, "acceptance")
    sender = broker.as_("destap-ww")

    offered = sender.get("/v1/handovers?box=outbox&state=offered&limit=2").json()
    rest = sender.get(
        "/v1/handovers",
        params={"box": "outbox", "state": "offered", "limit": 2, "cursor": offered["next"]},
    ).json()
    accepted = sender.get("/v1/handovers?box=outbox&state=accepted").json()

    assert [len(each["items"]) for each in (offered, rest, accepted)] == [2, 1, 1]
    assert rest["next"] is accepted["next"] is None
    assert_uniform(
        sender.get("/v1/handovers", params={"box": "outbox", "cursor": offered["next"]}),
        sender.get(f"/v1/handovers/{UNKNOWN_ID}"),
    )
    assert broker.clock() == datetime(2026, 11, 2, 14, tzinfo=UTC)
