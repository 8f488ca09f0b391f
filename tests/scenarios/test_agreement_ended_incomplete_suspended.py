"""A13: a protocol that ended, one that is not complete, one that is suspended: nothing leaves."""

import json
from typing import Any

import pytest

from exchange.admin_socket import answers
from exchange.operations import OperationRefused
from exchange.services import Services
from tests.builders import Broker, Story, logged
from tests.cases.uniform import reasons


def asked(services: Services, verb: str, **said: Any) -> dict[str, Any]:
    """What an operator is answered, as JSON."""
    *_, last = answers(services, f"agreements {verb}", said)
    result: dict[str, Any] = json.loads(json.dumps(last["result"]))
    return result


def why(story: Story) -> str | None:
    """Why the recipient reads nothing now."""
    services = story.broker.services
    before = len(reasons(services, "summary.refused"))
    answer = story.fetch()
    found = reasons(services, "summary.refused")[before:]
    assert (answer.status_code == 200) == (not found)
    return found[0] if found else None


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0004", "vdab-gent", "P2")


def test_a_suspension_counts_from_its_commit_and_is_lifted_only_by_who_imposed_it(
    broker: Broker, story: Story
) -> None:
    services = broker.services
    one = {"agreement": "PR-2026-004"}
    assert why(story) is None

    asked(services, "suspend", **one, by="vdab-gent", reason="unlawful_use")
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    asked(services, "suspend", **one, reason="under_review")
    with pytest.raises(OperationRefused, match="imposed"):
        asked(services, "lift", **one, by="destap-ww")
    asked(services, "lift", **one, by="vdab-gent")
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    asked(services, "lift", **one)

    assert why(story) is None
    said = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    acts = [each["act"] for each in said if each["id"] == "PR-2026-004/2.0"]
    assert acts[-4:] == ["suspended", "suspended", "lifted", "lifted"]
