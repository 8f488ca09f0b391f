"""A7: a client withdraws while the partner is fetching (cl-0004)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from httpx2 import Response

from tests.builders import Broker, Story, logged
from tests.cases.uniform import assert_uniform

FETCHES = 100
BEFORE = 40
"""So many fetches are under way before the withdrawal is sent, and the others after it."""


def test_no_fetch_comes_after_the_withdrawal_in_the_log(broker: Broker) -> None:
    story = read_once(broker)
    partner, holder = broker.as_("vdab-gent"), broker.as_("destap-ww")

    def fetch() -> Response:
        return partner.post("/v1/summaries/query", json=story.query())

    with ThreadPoolExecutor(16) as threads:
        early = [threads.submit(fetch) for _ in range(BEFORE)]
        withdrawn = threads.submit(
            holder.post, f"/v1/consents/{story.consent}/withdrawal", json={"via": "sms_link"}
        )
        late = [threads.submit(fetch) for _ in range(FETCHES - BEFORE)]
    answers = [each.result() for each in (*early, *late)]

    (final,) = of_kind(broker, "consent.withdrawn")
    released = {each["index"] for each in of_kind(broker, "summary.released")}
    told = {each.json()["audit"]["index"] for each in answers if each.status_code == 200}
    assert withdrawn.result().status_code == 200
    assert max(released) < final["index"]
    assert told <= released
    denied = [each for each in answers if each.status_code != 200]
    assert_uniform(*denied, fetch())
    assert len(denied) + len(told) == FETCHES
    assert len(of_kind(broker, "summary.refused")) == len(denied) + 1


def test_who_read_is_asked_to_erase_within_seven_days_and_answers(broker: Broker) -> None:
    story = read_once(broker)
    path = f"/v1/handovers/{story.handover}"

    story.withdraw()

    shown = broker.as_("vdab-gent").get(path).json()
    assert shown["state"] == "revoked"
    (notice,) = [each for each in shown["events"] if each["type"] == "erasure_notice"]
    assert notice["ack_due"] == "2026-11-09"
    done = story.answer("acknowledgement", ack_of=notice["event_id"])
    assert (done.status_code, done.json()["state"]) == (200, "revoked")
    for who in ("vdab-gent", "destap-ww"):
        *_, last = broker.as_(who).get(path).json()["events"]
        assert (last["type"], last["ack_of"]) == ("notice_acknowledged", notice["event_id"])
    (entry,) = of_kind(broker, "notice.acknowledged")
    assert entry["handover"] == story.handover


def test_the_days_to_erase_are_counted_in_belgium(broker: Broker) -> None:
    story = read_once(broker)
    broker.clock.move(datetime(2026, 11, 2, 23, 30, tzinfo=UTC))  # half past midnight there

    story.withdraw()

    shown = broker.as_("vdab-gent").get(f"/v1/handovers/{story.handover}").json()
    assert [each["ack_due"] for each in shown["events"] if "ack_due" in each] == ["2026-11-10"]


def test_who_never_read_is_told_and_has_nothing_to_erase(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")

    story.withdraw()

    shown = broker.as_("vdab-gent").get(f"/v1/handovers/{story.handover}").json()
    assert [each["type"] for each in shown["events"]] == ["offered", "consent_withdrawn"]
    assert shown["state"] == "revoked"


def test_the_history_stays_for_holder_and_log(broker: Broker) -> None:
    story = read_once(broker)

    story.withdraw()

    holder = broker.as_("destap-ww")
    (consent,) = holder.get(f"/v1/clients/{story.handle}/consents").json()["items"]
    assert consent["state"] == "withdrawn"
    assert consent["grants"][0]["sections"] == story.sample.consent["grants"][0]["sections"]
    assert holder.get(f"/v1/consents/{story.consent}/receipt").status_code == 200
    (given,) = of_kind(broker, "consent.given")
    (read,) = of_kind(broker, "summary.released")
    (ended,) = of_kind(broker, "consent.withdrawn")
    assert given["consent"] == ended["consent"] == story.consent
    assert read["consents"] == [story.consent]
    assert given["index"] < read["index"] < ended["index"]


def test_withdrawing_twice_is_told_and_changes_nothing(broker: Broker) -> None:
    story = read_once(broker)

    first, second = story.withdraw(), story.withdraw()

    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["type"].endswith(":already-withdrawn")
    assert len(of_kind(broker, "consent.withdrawn")) == 1


def read_once(broker: Broker) -> Story:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    assert story.fetch().status_code == 200
    return story


def of_kind(broker: Broker, kind: str) -> list[dict[str, Any]]:
    return [each for each in logged(broker.services) if each["k"] == kind]
