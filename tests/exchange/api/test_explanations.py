"""Past decisions in words: for the holder and the auditor, and for nobody who was refused."""

from pathlib import Path
from typing import Any

import pytest

from exchange.flows.erase_client import Erasure, erase_client
from exchange.keeping import clients_delay
from policies.explaining import LANGUAGES
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, Story, logged
from tests.cases.uniform import assert_uniform
from tests.exchange.api.explaining import (
    AUDITOR,
    evaluated,
    explained,
    handle_of,
    last,
    question,
)
from tests.invariants.canaries import HOLDER as CANARYS_HOLDER
from tests.invariants.canaries import PARTNER as CANARYS_PARTNER
from tests.invariants.canaries import flown, found_in
from tests.invariants.situations import HOLDER, PARTNER, PURPOSE, SITUATIONS
from tests.invariants.test_i4_refusals_are_facts import ask

ONE_OF_EACH = {reason: situation for situation, reason in SITUATIONS.values()}
"""One way to each reason for which a question about a person is refused."""


SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
"""Where the database makes no difference."""


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0005", "vdab-wvl", "P2")


def test_a_release_is_told_with_all_that_it_rested_on(broker: Broker, story: Story) -> None:
    assert story.fetch().is_success
    entry = last(broker, "summary.released")

    told = explained(broker, story.sample.holder, entry["index"])

    why = told["explanation"]
    assert (told["kind"], told["gone"], why["outcome"], why["as"]) == (
        "summary.released", None, "permit", "counsellor",
    )  # fmt: skip
    assert all(step["held"] for step in why["steps"])
    assert why["grounds"] == {
        "agreement": "PR-2026-003",
        "basis": None,
        "consents": [story.consent],
        "grants": entry["grants"],
        "notices": ["N-P2P3-joint/1.0/en"],
    }
    (kept,) = why["withheld"]
    assert kept["why"] == "not_recorded"
    assert not set(kept["fields"]) & set(entry["fields"])


@pytest.mark.parametrize("reason", ONE_OF_EACH)
@SQLITE
def test_every_refusal_is_explained_and_is_what_would_be_decided_at_that_instant(
    broker: Broker, reason: str
) -> None:
    situation = ONE_OF_EACH[reason]
    ask(broker, situation(broker))
    entry = last(broker, "summary.refused")

    for language in LANGUAGES:
        past = explained(broker, AUDITOR, entry["index"], language)["explanation"]
        assert (past["outcome"], past["language"]) == ("deny", language)
        assert past["why"]
    if reason == "UNKNOWN_CLIENT":
        return
    handle = handle_of(broker, HOLDER, entry["client"])
    would = evaluated(broker, HOLDER, question(handle, PARTNER, PURPOSE, **{"as": "auditor"}))
    mine = explained(broker, HOLDER, entry["index"], **{"as": "auditor"})["explanation"]
    assert (would["decision"], would["context"]["reason"]) == (False, reason)
    differing = {"withheld"}
    now = would["context"]["explanation"]
    assert {k: v for k, v in now.items() if k not in differing} == {
        k: v for k, v in mine.items() if k not in differing
    }


@SQLITE
def test_a_release_is_what_would_be_decided_at_that_instant(broker: Broker, story: Story) -> None:
    assert story.fetch().is_success
    entry = last(broker, "summary.released")
    holder = story.sample.holder

    past = explained(broker, holder, entry["index"])["explanation"]
    would = evaluated(broker, holder, question(story.handle, "vdab-wvl", "P2"))

    now = would["context"]["explanation"]
    assert would["context"]["released"] == entry["fields"]
    same = ("outcome", "headline", "why", "steps", "grounds")
    assert [past[each] for each in same] == [now[each] for each in same]
    kept = {field for each in now["withheld"] for field in each["fields"]}
    assert kept == {field for each in past["withheld"] for field in each["fields"]}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("nl", "Jouw ja aan VDAB West-Vlaanderen is op 2 november 2026 gestopt."),
        ("fr", "Le 2 novembre 2026, votre oui à VDAB West-Vlaanderen a été arrêté."),
        ("en", "On 2 November 2026 your yes to VDAB West-Vlaanderen was stopped."),
        ("de", "Jouw ja aan VDAB West-Vlaanderen is op 2 november 2026 gestopt."),
    ],
)
@SQLITE
def test_the_client_is_told_on_which_day_they_stopped_it(
    broker: Broker, language: str, said: str
) -> None:
    ask(broker, SITUATIONS["withdrawn"][0](broker))
    index = last(broker, "summary.refused")["index"]

    told = explained(broker, HOLDER, index, language, **{"as": "client"})["explanation"]

    assert told["why"].startswith(said)
    assert told["next"] is None


@SQLITE
def test_a_day_after_the_decision_is_never_told_as_its_cause(broker: Broker) -> None:
    ask(broker, SITUATIONS["suspended"][0](broker))
    entry = last(broker, "summary.refused")
    first = explained(broker, HOLDER, entry["index"])["explanation"]
    consent = last(broker, "consent.given")["consent"]
    broker.clock.move(broker.clock().replace(day=3))
    holder = broker.as_(HOLDER)
    assert holder.post(f"/v1/consents/{consent}/resumption", json={"via": "portal"}).is_success
    again = {"reason": "under_review"}
    assert holder.post(f"/v1/consents/{consent}/suspension", json=again).is_success

    later = explained(broker, HOLDER, entry["index"])["explanation"]

    assert first["why"] == "De toestemming is op 2 november 2026 stilgelegd."
    assert later["why"] == "De toestemming is stilgelegd."


def test_who_was_refused_is_told_nothing_to_the_byte(broker: Broker) -> None:
    ask(broker, SITUATIONS["withdrawn"][0](broker))
    index = last(broker, "summary.refused")["index"]
    partner, stranger = broker.as_(PARTNER), broker.as_("destap-ww")
    places = [f"{each}/explanation" for each in (index, 999_999_999, "x", 0)]

    answers = [
        who.get(f"/v1/audit/entries/{place}", params=params)
        for who in (partner, stranger)
        for place in places
        for params in ({}, {"as": "client"})
    ]

    assert_uniform(*answers)


@SQLITE
def test_a_partner_is_not_told_either_why_it_got_what_it_got(broker: Broker, story: Story) -> None:
    assert story.fetch().is_success
    index = last(broker, "summary.released")["index"]

    assert_uniform(broker.as_("vdab-wvl").get(f"/v1/audit/entries/{index}/explanation"))


@SQLITE
def test_the_look_is_logged_with_whose_it_was(broker: Broker, story: Story) -> None:
    assert story.fetch().is_success
    entry = last(broker, "summary.released")

    explained(broker, story.sample.holder, entry["index"], **{"as": "client"})

    look = logged(broker.services)[-1]
    assert (look["k"], look["client"], look["found"]) == ("audit.inspected", entry["client"], 1)
    assert look["filter"] == {"explained": "client", "index": entry["index"]}


def test_of_somebody_erased_it_is_said_that_nothing_can_be_explained(
    broker: Broker, story: Story
) -> None:
    assert story.fetch().is_success
    index = last(broker, "summary.released")["index"]
    holder = story.sample.holder
    order = Erasure(OrganisationId(holder), Handle(story.handle), "gdpr-17-1-b", "rq-1")
    broker.services.writer.submit(erase_client, order).result()

    told = explained(broker, holder, index, "en")

    assert (told["gone"], told["explanation"]) == ("shredded", None)
    assert told["text"].startswith("This cannot be explained any more. The data were erased")


@SQLITE
def test_what_law_keeps_from_the_client_is_not_told_in_words_for_them(
    broker: Broker, story: Story
) -> None:
    holder = story.sample.holder
    asked = {"client": story.handle, "organisation": holder, "until": "2026-12-01"}
    for operator in ("op-1", "op-2"):
        more = {"reference": "order-7", "operator": operator}
        (done,) = clients_delay(broker.services, asked | more)
    assert done["done"]
    assert story.fetch().is_success
    index = last(broker, "summary.released")["index"]

    for_client = broker.as_(holder).get(f"/v1/audit/entries/{index}/explanation?as=client")
    told = explained(broker, holder, index)

    assert_uniform(for_client)
    assert told["explanation"]["outcome"] == "permit"
    looks = [each for each in logged(broker.services) if each["k"] == "audit.inspected"]
    # The one that was answered counts among what is kept back, until the time is over.
    assert ["client" in each for each in looks] == [False, True]
    assert looks[1]["ser"] == "d"


@SQLITE
def test_what_was_only_noted_is_no_decision(broker: Broker, story: Story) -> None:
    index = last(broker, "consent.given")["index"]

    told = explained(broker, story.sample.holder, index, "en")["explanation"]

    assert (told["outcome"], told["steps"]) == ("none", [])
    assert told["headline"] == "Nothing was decided here. It was only noted."


@SQLITE
def test_a_change_that_was_refused_is_explained_too(broker: Broker, story: Story) -> None:
    story.withdraw()
    assert story.withdraw().status_code == 409
    index = last(broker, "consent.refused")["index"]

    told = explained(broker, AUDITOR, index, "en")["explanation"]

    assert told["headline"] == "Nothing was shown or changed."
    assert told["why"] == "This consent had been withdrawn before."


@pytest.mark.case("T110")
@SQLITE
def test_t110d_no_explanation_tells_anything_personal(broker: Broker, tmp_path: Path) -> None:
    flown(broker, tmp_path)
    entries = [
        each for each in logged(broker.services) if each["k"].startswith(("summary.", "hand"))
    ]
    handle = handle_of(broker, CANARYS_HOLDER, last(broker, "summary.released")["client"])
    asked: dict[str, Any] = question(handle, CANARYS_PARTNER, "P2")

    told = [explained(broker, AUDITOR, each["index"]) for each in entries]
    told += [evaluated(broker, CANARYS_HOLDER, asked)]

    assert {"summary.released", "summary.refused"} <= {each.get("kind") for each in told}
    assert [found_in(str(each)) for each in told if found_in(str(each))] == []
