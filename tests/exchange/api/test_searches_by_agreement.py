"""Who was given what under which agreement: asked over HTTP, by its giver or by an auditor."""

from typing import Any

import pytest

from exchange.flows.erase_client import Erasure, erase_client
from policies.decision import Refused
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, Story, logged

RECIPIENT = "vdab-wvl"


@pytest.fixture
def story(broker: Broker) -> Story:
    story = broker.story("cl-0005", RECIPIENT, "P2")
    assert story.fetch().is_success
    assert story.withdraw().is_success
    assert not story.fetch().is_success
    return story


def authority(broker: Broker) -> str:
    types = broker.services.directory().types
    return next(id for id, type in types.items() if type == "supervisory_authority")


def agreement(broker: Broker) -> str:
    (released,) = (each for each in logged(broker.services) if each["k"] == "summary.released")
    return str(released["protocol"])


def found(broker: Broker, by: str, **asked: Any) -> list[dict[str, Any]]:
    answer = broker.as_(by).post("/v1/audit/search", json=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_giver_and_auditor_find_what_was_done_under_an_agreement(
    broker: Broker, story: Story
) -> None:
    named = agreement(broker)
    under = [each["index"] for each in logged(broker.services) if each.get("protocol") == named]

    for by in (story.sample.holder, authority(broker)):
        items = found(broker, by, agreement=named)
        assert [each["index"] for each in reversed(items)] == under
        assert {each["parts"]["y"]["protocol"] for each in items} == {named}
        assert found(broker, by, agreement=named, kinds=["summary.released"], purpose="P2")
        assert not found(broker, by, agreement="PR-2026-002")
        assert not found(broker, by, agreement="PR-9999-001")
    assert len(under) > 1
    last = logged(broker.services)[-1]
    assert (last["k"], last["filter"]) == ("audit.inspected", {"agreement": "PR-9999-001"})


def test_who_was_given_it_is_not_told_on_which_ground(broker: Broker, story: Story) -> None:
    assert found(broker, RECIPIENT, kinds=["summary.released"])
    assert found(broker, RECIPIENT, agreement=agreement(broker)) == []


def test_an_erased_clients_entries_are_found_by_it_no_more(broker: Broker, story: Story) -> None:
    named = agreement(broker)
    broker.clock.move(broker.clock().replace(year=broker.clock().year + 11))
    holder, handle = OrganisationId(story.sample.holder), Handle(story.handle)
    order = Erasure(holder, handle, basis="gdpr-17-1-b", request="r-1")
    done = broker.services.writer.submit(erase_client, order).result().value
    assert not isinstance(done, Refused)

    assert found(broker, authority(broker), kinds=["summary.released"])
    assert found(broker, authority(broker), agreement=named) == []


@pytest.mark.parametrize("wrong", ["", "PR 1", "x" * 99, 7])
def test_what_is_no_agreements_code_is_refused(broker: Broker, wrong: Any) -> None:
    answer = broker.as_(RECIPIENT).post("/v1/audit/search", json={"agreement": wrong})
    assert answer.status_code == 422
