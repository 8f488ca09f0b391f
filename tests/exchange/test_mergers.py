"""When organisations merge, consents that speak of either wait until they are renewed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from exchange.flows.administer import apply_documents
from exchange.flows.hold_merged import hold_merged
from exchange.samples import directory_documents, samples
from tests.builders import Broker, logged
from tests.cases.uniform import assert_uniform, reasons

SAMPLE = samples()["cl-0002"]
OLD, NEW = "leerwinkel-wvl", "destap-ww"


def merge(broker: Broker, old: str, new: str) -> None:
    documents: Mapping[str, Any] = directory_documents()["organisation"]
    body = dict(documents[old]) | {"successor": new}
    broker.services.writer.submit(apply_documents, {"organisation": {old: body}}).result()


def swept(broker: Broker, most: int = 100) -> int:
    held = broker.services.writer.submit(hold_merged, most).result().value
    assert isinstance(held, int)
    return held


def test_the_old_organisation_gets_nothing_from_that_moment_and_the_new_one_nothing_of_it(
    broker: Broker,
) -> None:
    story = broker.story("cl-0002", OLD, "P1")
    related = broker.related(SAMPLE.holder, story.handle, NEW, "P1")
    assert story.fetch().status_code == 200

    merge(broker, OLD, NEW)
    old = story.fetch()
    body = story.query(handover=related)
    new = broker.as_(NEW).post("/v1/summaries/query", json=body)

    assert old.status_code == 403
    assert old.json()["type"] == "urn:overdracht:problem:not-accredited"
    assert_uniform(new)


def test_consents_that_speak_of_it_are_held_in_pieces_and_renewed_for_what_it_became(
    broker: Broker,
) -> None:
    story = broker.story("cl-0002", OLD, "P1")
    more = [broker.given(SAMPLE, story.handle) for _ in range(4)]
    other = broker.story("cl-0003", "cvo-west", "P4")
    merge(broker, OLD, NEW)

    pieces = [swept(broker, 2) for _ in range(8)]
    again = swept(broker)

    assert max(pieces) <= 2
    assert sum(pieces) == 5
    assert again == 0
    held = [each for each in logged(broker.services) if each["k"] == "consent.suspended"]
    assert {each["consent"] for each in held} == {story.consent, *more}
    assert len({each["q"] for each in held}) == 5
    assert reasons(broker.services, "consent.suspended") == ["organisation_merged"] * 5
    assert other.fetch().status_code == 200

    holder = broker.as_(SAMPLE.holder)
    path = f"/v1/consents/{story.consent}"
    resumed = holder.post(f"{path}/resumption", json={"via": "phone"})
    renewal = {"notice": SAMPLE.consent["notice"], "evidence": SAMPLE.consent["evidence"]}
    renewed = holder.post(f"{path}/renewal", json=renewal)

    assert resumed.json()["errors"] == [{"loc": "consent", "type": "renewal_needed"}]
    recipients = {each["recipient"] for each in renewed.json()["grants"]}
    assert f"org:{NEW}" in recipients
    assert f"org:{OLD}" not in recipients


def test_a_consent_of_after_the_merger_is_not_held(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    merge(broker, "vdab-wvl", NEW)
    broker.clock.move(timedelta(seconds=1))
    broker.given(SAMPLE, handle)

    assert swept(broker) == 0


def test_the_same_directory_applied_again_begins_nothing(broker: Broker) -> None:
    broker.story("cl-0002", OLD, "P1")
    merge(broker, OLD, NEW)
    assert swept(broker) == 1
    merge(broker, OLD, NEW)

    assert (swept(broker), swept(broker)) == (0, 0)
