"""Past decisions in words: for the holder and the auditor, and for nobody who was refused."""

from typing import Any

import pytest

from audit import log
from tests.builders import Broker, Story, logged


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0005", "vdab-wvl", "P2")


def last(broker: Broker, kind: str) -> int:
    index: int = [each["index"] for each in logged(broker.services) if each["k"] == kind][-1]
    return index


def told(broker: Broker, by: str, index: int, language: str = "nl", **asked: str) -> dict[str, Any]:
    answer = broker.as_(by).get(
        f"/v1/audit/entries/{index}/explanation",
        params=asked,
        headers={"Accept-Language": language},
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_release_is_explained(broker: Broker, story: Story) -> None:
    assert story.fetch().is_success

    print(told(broker, story.sample.holder, last(broker, "summary.released")))


def test_hyp(broker: Broker, story: Story) -> None:
    body = {
        "subject": {"type": "organisation", "id": "org:vdab-wvl"},
        "action": {"name": "view"},
        "resource": {"type": "summary", "id": story.handle},
        "context": {"purpose": "P2", "as": "client"},
    }
    a = broker.as_(story.sample.holder).post("/access/v1/evaluation", json=body)
    print(a.text)
    story.withdraw()
    body["context"]["as"] = "client"
    a = broker.as_(story.sample.holder).post(
        "/access/v1/evaluation", json=body, headers={"Accept-Language": "en"}
    )
    print(
        a.json()["context"]["explanation"]["headline"],
        a.json()["context"]["explanation"]["why"],
        a.json()["context"]["reason"],
    )
    story.fetch()
    print(told(broker, story.sample.holder, last(broker, "summary.refused"), "fr"))
