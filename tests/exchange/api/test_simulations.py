"""What an agreement or a notice would change, told to who holds the clients, and to nobody else."""

import copy
from typing import Any

import pytest
from httpx2 import Response

from exchange.samples import DATA, directory_documents
from tests.builders import Broker, Story, logged

NARROW = ["ident", "contact", "goals"]


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0004", "vdab-gent", "P2")


def agreement(**members: Any) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(directory_documents()["agreement"]["PR-2026-004"])
    return document | members


def narrowed() -> dict[str, Any]:
    document = agreement()
    document["flows"][1]["sections"] = NARROW
    return document


def asked(broker: Broker, organisation: str, **body: Any) -> Response:
    body = {"kind": "agreement", "document": narrowed()} | body
    return broker.as_(organisation).post("/v1/simulations", json=body)


def test_the_holder_is_told_which_of_its_clients_it_concerns_and_each_is_logged_as_viewed(
    broker: Broker, story: Story
) -> None:
    told = asked(broker, "destap-ww").json()
    (item,) = told["items"]

    assert (told["clients"], told["unchanged"], told["next"]) == (1, 0, None)
    assert (item["client"], item["recipient"], item["purpose"]) == (
        story.handle,
        "org:vdab-gent",
        "P2",
    )
    assert [each["effect"] for each in item["effects"]] == ["narrowed"]
    assert "work.status" in item["effects"][0]["fields"]
    assert (item["consents"], item["handovers"]) == ([story.consent], [story.handover])
    last = logged(broker.services)[-1]
    assert (last["k"], last["via"]) == ("client.viewed", "simulation")


def test_the_other_party_is_told_of_its_own_clients_alone_and_a_stranger_of_nobody(
    broker: Broker, story: Story
) -> None:
    size = len(logged(broker.services))
    partner = asked(broker, "vdab-gent").json()
    stranger = asked(broker, "leerwinkel-wvl")

    assert (partner["clients"], partner["items"]) == (0, [])
    assert stranger.status_code == 422
    assert stranger.json()["errors"] == [{"loc": "document.parties", "type": "not_a_party"}]
    assert not [e for e in logged(broker.services)[size:] if e["k"] == "client.viewed"]


def test_what_the_document_asks_beyond_the_consent_is_told_and_never_leaves_unrenewed(
    broker: Broker, story: Story
) -> None:
    wide = agreement()
    wide["flows"][1]["sections"] = [*wide["flows"][1]["sections"], "traj"]
    wide["flows"][1]["precision_caps"] = {}

    told = asked(broker, "destap-ww", document=wide).json()
    (item,) = told["items"]

    assert [each["effect"] for each in item["effects"]] == ["widened"]
    assert item["renewal"] is True
    assert [each["purpose"] for each in told["asks_more"]] == ["P2"]
    assert "ident.birth_date" in told["asks_more"][0]["fields"]


def test_a_notice_that_changes_what_matters_breaks_consents_until_they_are_renewed(
    broker: Broker, story: Story
) -> None:
    text = (DATA / "notices" / "N-P2.nl.md").read_text("utf-8").replace("'2.1'", "'9.0'")
    told = asked(broker, "destap-ww", kind="notice", document=text).json()
    (item,) = told["items"]

    assert (item["effects"][0]["effect"], item["reason"]) == ("broken", "CONSENT_STALE_NOTICE")
    assert item["renewal"] is True
    assert story.fetch().status_code == 200


def test_a_page_goes_on_where_the_last_one_ended_and_only_with_the_same_document(
    broker: Broker, story: Story
) -> None:
    first = asked(broker, "destap-ww", limit=1).json()
    after = asked(broker, "destap-ww", cursor=first["next"])
    other = asked(broker, "destap-ww", document=agreement(state="ended"), cursor=first["next"])

    assert len(first["items"]) == 1
    assert (after.json()["clients"], after.json()["next"]) == (0, None)
    assert other.status_code == 404


def test_a_document_that_could_not_be_applied_is_refused_by_its_place_and_nothing_is_repeated(
    broker: Broker,
) -> None:
    bodies: tuple[tuple[dict[str, Any], str], ...] = (
        ({"document": agreement(title=7)}, "document.title"),
        ({"document": agreement() | {"Jan Peeters": 1}}, "document"),
        ({"document": "text"}, "document"),
        ({"kind": "notice"}, "document"),
        ({"kind": "notice", "document": "no notice"}, "document"),
        ({"kind": "rules"}, "kind"),
    )
    for body, place in bodies:
        refused = asked(broker, "destap-ww", **body)

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["loc"] == place
        assert "Peeters" not in refused.text
