"""The query for a summary over HTTP: its answer, and who may put it."""

from datetime import timedelta

import pytest

from audit.tree import leaf_hash
from tests.builders import REFERENCE, Broker, logged, query
from tests.cases.uniform import reasons


def test_an_answer_says_what_it_holds_on_which_grounds_and_where_it_is_logged(
    broker: Broker,
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")

    answer = story.fetch()

    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert {"summary", "released", "withheld", "obligations", "grounds", "audit"} <= body.keys()
    retention = body["obligations"].pop("retention")
    assert retention.startswith("Summary payload six months after last use")
    assert body["obligations"] == {"erase_by": "2027-05-02", "onward": False, "source": "named"}
    assert body["grounds"] == {
        "purpose": "P2",
        "grants": ["g1"],
        "consent": story.consent,
        "protocol": "PR-2026-004",
    }
    (entry,) = [each for each in logged(broker.services) if each["k"] == "summary.released"]
    assert body["audit"]["index"] == entry["index"]
    assert len(bytes.fromhex(body["audit"]["leaf_hash"])) == len(leaf_hash(b""))
    assert entry["case_reference"] == "z-1"
    assert entry["handover"] == story.handover
    assert entry["obligations"] == ["erase_by:2027-05-02", "onward:none", "source:named"]


def test_every_value_says_where_it_comes_from(broker: Broker) -> None:
    summary = broker.story("cl-0004", "vdab-gent", "P2").fetch().json()["summary"]

    level = summary["educ"]["highest_level"]
    assert level.keys() == {"value", "source", "observed_on", "verified"}
    assert (level["value"], level["source"], level["verified"]) == ("35", "counsellor", False)


def test_a_query_by_handle_finds_what_the_handover_gives(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    partner = broker.as_("vdab-gent")
    (line,) = partner.get("/v1/handovers").json()["items"]
    mine = query(client=line["subject"]["pairwise_id"], purpose="P2")

    by_handle = partner.post("/v1/summaries/query", json=mine)

    assert by_handle.json()["summary"] == story.fetch().json()["summary"]


def test_asking_for_less_gives_less(broker: Broker) -> None:
    answer = broker.story("cl-0004", "vdab-gent", "P2").fetch(sections=["educ", "house"])

    assert answer.json()["released"] == ["educ"]
    assert "house" in answer.json()["withheld"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"end_user": None}, "end_user"),
        ({"case_reference": None}, "case_reference"),
        ({"case_reference": "for the case of Sofie Claes"}, "case_reference"),
        ({"sections": ["educ", "everything"]}, "sections.1"),
        ({"handover": None}, "body"),
        ({"client": "a" * 26}, "body"),
        ({"end_user": {"id": "u-1", "function": "x", "name": "Sofie"}}, "end_user.name"),
    ],
    ids=["no-user", "no-case", "a-story", "no-section", "nobody", "two-clients", "a-name"],
)
def test_a_query_that_does_not_say_who_asks_what_for_is_not_accepted(
    broker: Broker, change: dict[str, object], place: str
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    body = {name: value for name, value in (story.query() | change).items() if value is not None}

    answer = broker.as_("vdab-gent").post("/v1/summaries/query", json=body)

    assert answer.status_code == 422
    assert place in {each["loc"] for each in answer.json()["errors"]}
    assert "Sofie" not in answer.text
    assert reasons(broker.services, "summary.released") == []


def test_without_a_valid_token_nobody_is_answered(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    partner = broker.as_("vdab-gent")

    broker.clock.move(REFERENCE + timedelta(seconds=600))
    late = partner.post("/v1/summaries/query", json=story.query())
    del partner.headers["Authorization"]
    nameless = partner.post("/v1/summaries/query", json=story.query())

    for answer in (late, nameless):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("DPoP")
        assert answer.json()["type"].endswith(":not-authenticated")
