"""A client keeps one person out: for that person there is nothing, and nobody there hears why."""

from typing import Any

from httpx2 import Response

from exchange.flows.keep_out import MOST
from tests.builders import Broker, Story, logged
from tests.cases.uniform import UNKNOWN_ID, assert_uniform, reasons

HOLDER, PARTNER = "destap-ww", "vdab-gent"


def kept_out(story: Story, member: str, **more: Any) -> Response:
    body = {"organisation": f"org:{PARTNER}", "member": member} | more
    return story.broker.as_(HOLDER).post(f"/v1/clients/{story.handle}/exclusions", json=body)


def by(story: Story, member: str) -> Response:
    return story.fetch(end_user={"id": member, "function": "bemiddelaar"})


def test_who_is_kept_out_gets_nothing_and_colleagues_what_they_got(broker: Broker) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    assert by(story, "u-7").status_code == 200

    done = kept_out(story, "u-7")

    assert done.json() == {"kept_out": [{"organisation": f"org:{PARTNER}", "member": "u-7"}]}
    unknown = broker.as_(PARTNER).post("/v1/summaries/query", json=story.query(handover=UNKNOWN_ID))
    assert_uniform(by(story, "u-7"), by(story, "U-7"), unknown)
    last = reasons(broker.services, "summary.refused")[-3:]
    assert sorted(last) == ["EXPLICIT_DENIAL", "EXPLICIT_DENIAL", "UNKNOWN_CLIENT"]
    assert by(story, "u-8").status_code == 200
    flags = {"flags": ["high_risk"]}
    assert broker.as_(HOLDER).put(f"/v1/clients/{story.handle}/flags", json=flags).is_success
    assert by(story, "u-7").status_code == 404


def test_who_is_let_in_again_gets_what_the_others_get(broker: Broker) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    kept_out(story, "u-7")

    assert kept_out(story, "U-7", lifted=True).json() == {"kept_out": []}

    assert by(story, "u-7").status_code == 200
    said = [each for each in logged(broker.services) if each["k"] == "client.objected"]
    assert [(each["reason"], each["flags"]) for each in said] == [
        ("kept_out", [f"{PARTNER}/u-7"]),
        ("lifted", [f"{PARTNER}/u-7"]),
    ]
    assert not any("c" in each for each in said)


def test_an_exclusion_names_an_organisation_that_there_is_and_there_are_not_endlessly_many(
    broker: Broker,
) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")

    unknown = kept_out(story, "u-7", organisation="org:nobody-here")
    for number in range(MOST):
        assert kept_out(story, f"u-{number}").status_code == 200
    one_more = kept_out(story, "u-more")

    assert unknown.json()["errors"] == [{"loc": "organisation", "type": "unknown"}]
    assert one_more.json()["errors"] == [{"loc": "member", "type": "too_many"}]
    assert kept_out(story, "u-0", lifted=True).status_code == 200
