"""A processor acts for a controller where an agreement says so, and never for itself."""

from datetime import timedelta
from typing import Any

import pytest

from exchange.flows.administer import apply_documents
from exchange.samples import directory_documents
from policies.decision import Refused
from tests.builders import Broker, Story, logged, query
from tests.cases.uniform import UNKNOWN_HANDLE, assert_uniform
from tests.exchange.api.explaining import evaluated, question

CONTROLLER, PROCESSOR, NAME = "vdab-gent", "cvo-west", "PR-2026-090"
ON_BEHALF = {"on_behalf_of": f"org:{CONTROLLER}"}


def instruct(broker: Broker, **changes: Any) -> None:
    """Bring an agreement into force by which the one processes for the other."""
    document = directory_documents()["agreement"]["PR-2026-004"]
    controller = next(each for each in document["parties"] if each["org"] == CONTROLLER)
    processor = controller | {"org": PROCESSOR, "role": "processor"}
    flow = {
        "from": [CONTROLLER],
        "to": [PROCESSOR],
        "purposes": ["P2"],
        "sections": ["ident", "educ", "justice"],
        "operations": ["view"],
        "onward": False,
    }
    more = {"id": NAME, "parties": [controller, processor], "flows": [flow]} | changes
    agreement = {NAME: document | more}
    done = broker.services.writer.submit(apply_documents, {"agreement": agreement}).result().value
    assert not isinstance(done, Refused), done


def ask(story: Story, **more: Any) -> Any:
    """The processor asks for the summary, in its controller's name unless told otherwise."""
    body = story.query(**(ON_BEHALF | more))
    return story.broker.as_(PROCESSOR).post("/v1/summaries/query", json=body)


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0004", CONTROLLER, "P2")


def test_a_processor_gets_what_both_may_have_and_the_log_names_both(story: Story) -> None:
    broker = story.broker
    instruct(broker)
    whole = story.fetch().json()

    answer = ask(story)

    assert answer.status_code == 200
    body = answer.json()
    assert set(body["released"]) == {"ident", "educ"} < set(whole["released"])
    assert body["aud"] == whole["aud"] == f"org:{CONTROLLER}"
    assert body["act"] == {"sub": f"org:{PROCESSOR}"}
    assert "act" not in whole
    entry = [each for each in logged(broker.services) if each["k"] == "summary.released"][-1]
    assert (entry["c"], entry["ap"]) == (f"org:{CONTROLLER}", f"app:{PROCESSOR}-1")
    assert entry["user"] == f"{PROCESSOR}/u-1"
    assert entry["capacity"] == f"bemiddelaar, on behalf of org:{CONTROLLER}"


def test_the_holder_is_told_beforehand_what_a_processor_would_get(story: Story) -> None:
    broker, holder = story.broker, story.sample.holder
    asked = question(story.handle, PROCESSOR, "P2")
    asked["subject"]["properties"] = ON_BEHALF

    before = evaluated(broker, holder, asked)
    instruct(broker)
    would = evaluated(broker, holder, asked)
    body = ask(story).json()

    assert (before["decision"], before["context"]["reason"]) == (False, "NO_ACTIVE_PROTOCOL")
    assert would["decision"] is True
    assert {each.partition(".")[0] for each in would["context"]["released"]} == {*body["released"]}
    asked["context"]["purpose"] = "P90"
    assert evaluated(broker, holder, asked)["context"]["reason"] == "PURPOSE_PROHIBITED"


def test_in_its_own_name_a_processor_gets_nothing(story: Story) -> None:
    instruct(story.broker)
    story.broker.related("destap-ww", story.handle, PROCESSOR, "P2")
    items = story.broker.as_(PROCESSOR).get("/v1/handovers").json()["items"]
    own = {"client": items[0]["subject"]["pairwise_id"], "handover": None}

    answers = [ask(story, on_behalf_of=None, **each) for each in (own, {})]

    assert {each.status_code for each in answers} == {403}
    assert {each.json()["type"].rpartition(":")[2] for each in answers} == {"no-agreement"}


WITHOUT: dict[str, dict[str, Any]] = {
    "ended": {"state": "ended"},
    "suspended": {"state": "suspended"},
    "over": {},
}


@pytest.mark.parametrize("name", WITHOUT)
def test_when_the_agreement_ends_so_does_acting_for_another(story: Story, name: str) -> None:
    today = story.broker.clock.now
    instruct(story.broker, valid_until=today.date().isoformat())
    assert ask(story).status_code == 200

    if WITHOUT[name]:
        instruct(story.broker, valid_until=today.date().isoformat(), **WITHOUT[name])
    else:
        story.broker.clock.move(today + timedelta(days=1))

    known = ask(story)
    body = query(client=UNKNOWN_HANDLE, purpose="P2", **ON_BEHALF)
    unknown = story.broker.as_(PROCESSOR).post("/v1/summaries/query", json=body)
    assert known.status_code == 403
    assert known.content == unknown.content
    refused = [each for each in logged(story.broker.services) if each["k"] == "summary.refused"]
    assert {(each["reason"], each["c"]) for each in refused} == {
        ("NO_ACTIVE_PROTOCOL", f"org:{PROCESSOR}")
    }


def test_no_other_organisation_and_no_other_purpose_is_meant(story: Story) -> None:
    instruct(story.broker)
    body = story.query(**ON_BEHALF)

    stranger = story.broker.as_("leerwinkel-wvl").post("/v1/summaries/query", json=body)

    assert stranger.status_code == 403
    assert ask(story, purpose="P6").status_code == 403
    assert ask(story, on_behalf_of="org:vdab-wvl").status_code == 403
    assert ask(story, on_behalf_of="org:nobody-here").status_code == 403


def test_a_processor_is_told_no_more_of_a_client_than_its_controller(story: Story) -> None:
    instruct(story.broker)
    story.withdraw()
    body = query(client=UNKNOWN_HANDLE, purpose="P2", **ON_BEHALF)

    unknown = story.broker.as_(PROCESSOR).post("/v1/summaries/query", json=body)

    assert_uniform(ask(story), unknown)


@pytest.mark.parametrize(
    "fault",
    [
        {"in_eea": False, "data_location": "US"},
        {"accreditation": {"status": "withdrawn", "since": "2025-01-01", "until": None}},
    ],
)
def test_a_processor_that_may_not_receive_may_not_for_another(
    story: Story, fault: dict[str, Any]
) -> None:
    instruct(story.broker)
    organisation = directory_documents()["organisation"][PROCESSOR]
    outside = {PROCESSOR: organisation | fault}
    story.broker.services.writer.submit(apply_documents, {"organisation": outside}).result()

    answer = ask(story)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(":not-accredited")


def test_a_processor_offers_its_controllers_client_in_that_name(story: Story) -> None:
    broker, holder = story.broker, "destap-ww"
    document = directory_documents()["agreement"]["PR-2026-004"]
    mine = next(each for each in document["parties"] if each["org"] == holder)
    flow = document["flows"][1] | {"from": [holder], "to": [PROCESSOR]}
    flow.pop("precision_caps")
    parties = [mine, mine | {"org": PROCESSOR, "role": "processor"}]
    order = {"sections": ["educ"], "on_behalf_of": f"org:{holder}"}

    before = broker.pushed(PROCESSOR, story.handle, CONTROLLER, "P2", **order)
    instruct(broker, parties=parties, flows=[flow])
    after = broker.pushed(PROCESSOR, story.handle, CONTROLLER, "P2", **order)
    own = broker.pushed(PROCESSOR, story.handle, CONTROLLER, "P2")

    assert (before.status_code, after.status_code, own.status_code) == (403, 201, 404)
    offered = [each for each in logged(broker.services) if each["k"] == "handover.offered"][-1]
    assert (offered["p"], offered["ap"]) == (f"org:{holder}", f"app:{PROCESSOR}-1")


def test_a_processor_is_held_to_what_its_instruction_caps(story: Story) -> None:
    flow = {
        "from": [CONTROLLER],
        "to": [PROCESSOR],
        "purposes": ["P2"],
        "sections": ["ident", "educ"],
        "precision_caps": {"ident.birth_date": "age_band"},
        "operations": ["view"],
        "onward": False,
        "keep_months": 1,
    }
    instruct(story.broker, flows=[flow])

    whole, answer = story.fetch().json(), ask(story).json()

    born = "ident.birth_date"
    assert (whole["precision"][born], answer["precision"][born]) == ("year", "age_band")
    assert answer["obligations"]["erase_by"] < whole["obligations"]["erase_by"]


def test_who_acts_on_its_own_behalf_is_answered_as_who_says_nothing(story: Story) -> None:
    body = story.query(**ON_BEHALF)

    answer = story.broker.as_(CONTROLLER).post("/v1/summaries/query", json=body)

    assert answer.status_code == 200
    assert answer.json()["released"] == story.fetch().json()["released"]
    assert "act" not in answer.json()
