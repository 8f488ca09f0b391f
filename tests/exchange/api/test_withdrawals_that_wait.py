"""A withdrawal that waits for its client's key: nothing that happens meanwhile undoes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from httpx2 import Response
from sqlalchemy import update

from consent.records import Consent
from exchange.flows.end_due_consents import end_due_consents
from exchange.flows.expire_handovers import expire_handovers
from exchange.flows.hold_merged import hold_merged
from exchange.flows.lapse_consents import lapse_consents
from exchange.flows.suspend_consents import suspend_consents
from exchange.samples import samples
from exchange.transaction import Outcome, Transaction
from tests.builders import Broker, Story
from tests.exchange.api.test_consent_changes import again
from tests.exchange.api.test_stopping_by_code import without_key
from tests.exchange.recalling import (
    PARTNER,
    of_kind,
    recalls_of,
    shared,
    states,
    swept,
    typed,
)
from tests.exchange.test_mergers import merge

LONG = timedelta(days=800)


def of_two_parts(broker: Broker, **said: object) -> tuple[Story, str]:
    """A client of two grants whose summary was read, and the code on the letter."""
    sample = samples()["cl-0004"]
    (grant,) = sample.consent["grants"]
    parts = [grant, {**grant, "id": "g2", "sections": ["goals"]}]
    sample = replace(sample, consent={**sample.consent, "grants": parts, **said})
    handle = broker.registered(sample)
    given = broker.as_(sample.holder).post(f"/v1/clients/{handle}/consents", json=sample.consent)
    handover = broker.pushed(sample.holder, handle, PARTNER, "P2").json()["handover"]
    story = Story(broker, sample, handle, given.json()["consent"], handover, PARTNER, "P2")
    assert story.fetch().status_code == 200
    return story, given.json()["withdrawal_code"]


def changed(story: Story, verb: str, **body: object) -> Response:
    holder = story.broker.as_(story.sample.holder)
    return holder.post(f"/v1/consents/{story.consent}/{verb}", json=body)


@contextmanager
def keyless(broker: Broker) -> Iterator[None]:
    """The key of the client who came last is not at hand, until the end of the block."""
    client = of_kind(broker.services, "client.registered")[-1]["client"]
    with without_key(broker.services, client):
        yield


@pytest.mark.parametrize("by_code", [True, False], ids=["code", "desk"])
def test_after_a_part_all_can_still_be_withdrawn_while_the_key_is_away(
    broker: Broker, *, by_code: bool
) -> None:
    story, code = of_two_parts(broker)
    with keyless(broker):
        assert story.withdraw(grants=["g1"]).json()["state"] == "narrowed"
        if by_code:
            assert typed(broker, code).status_code == 200
        else:
            assert story.withdraw(grants=["g1"]).status_code == 409
            assert story.withdraw().json()["state"] == "withdrawn"
        assert story.withdraw(grants=["g2"]).status_code == 409
    swept(broker.services)

    assert states(story) == ["withdrawn"]
    assert story.fetch().status_code == 404
    assert len(recalls_of(broker, PARTNER)) >= 1


def test_one_part_after_the_other_is_withdrawn_while_the_key_is_away(broker: Broker) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        for part in ("g1", "g2"):
            assert story.withdraw(grants=[part]).status_code == 200
    swept(broker.services)

    assert states(story) == ["withdrawn"]
    assert story.fetch().status_code == 404


def test_a_part_that_was_withdrawn_before_holds_the_rest_no_longer_than_the_key_is_away(
    broker: Broker,
) -> None:
    story, _ = of_two_parts(broker)
    assert story.withdraw(grants=["g1"]).status_code == 200
    with keyless(broker):
        assert story.withdraw(grants=["g1"]).status_code == 200
        assert story.fetch().status_code != 200
    swept(broker.services)

    assert story.fetch().json()["released"] == ["goals"]


def test_what_runs_out_meanwhile_is_withdrawn_all_the_same_and_no_renewal_brings_it_back(
    broker: Broker,
) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        assert story.withdraw().status_code == 200
    broker.clock.move(LONG)
    broker.services.writer.submit(end_due_consents).result()

    renewal = again(story.sample, until="2029-12-31")
    assert changed(story, "renewal", **renewal).status_code != 200
    swept(broker.services)

    assert states(story) == ["withdrawn"]
    assert len(of_kind(broker.services, "consent.withdrawn")) == 1
    assert changed(story, "renewal", **renewal).status_code == 409


def test_what_nobody_confirmed_meanwhile_is_withdrawn_all_the_same(broker: Broker) -> None:
    evidence = {"method": "oral_witnessed", "witness": "destap-ww/team"}
    story, _ = of_two_parts(broker, evidence=evidence)
    with keyless(broker):
        assert story.withdraw().status_code == 200
    broker.clock.move(timedelta(days=16))
    assert broker.services.writer.submit(lapse_consents).result().value == 0
    swept(broker.services)

    assert states(story) == ["withdrawn"]
    assert len(of_kind(broker.services, "consent.withdrawn")) == 1


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("invalidation", {"reason": "not_free"}),
        ("revocation", {"by": "court"}),
        ("resumption", {"via": "phone"}),
    ],
)
def test_nobody_overtakes_a_withdrawal_that_waits(
    broker: Broker, verb: str, body: dict[str, str]
) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        assert story.withdraw().status_code == 200

    assert changed(story, verb, **body).status_code != 200
    swept(broker.services)

    assert states(story) == ["withdrawn"]


def test_a_hold_that_came_meanwhile_lasts_on_what_goes_on(broker: Broker) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        assert story.withdraw(grants=["g1"]).status_code == 200
    assert changed(story, "suspension", reason="under_review").json()["suspended"] is True
    swept(broker.services)

    assert story.fetch().status_code == 404
    assert changed(story, "resumption", via="phone").json()["suspended"] is False
    again = broker.pushed(story.sample.holder, story.handle, PARTNER, "P2").json()["handover"]
    assert replace(story, handover=again).fetch().json()["released"] == ["goals"]


@pytest.mark.parametrize(
    ("parts", "state"), [(["g1"], "narrowed"), ([], "given")], ids=["withdrawn", "unopened"]
)
def test_after_a_loss_what_can_not_be_opened_is_held_as_all_others_are(
    broker: Broker, parts: list[str], state: str
) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        if parts:
            assert story.withdraw(grants=parts).status_code == 200
        broker.services.writer.submit(suspend_consents, "log.restored").result()
    swept(broker.services)

    assert story.fetch().status_code == 404
    assert states(story) == [state]
    assert changed(story, "resumption", via="phone").json()["suspended"] is False


@pytest.mark.parametrize("parts", [["g1"], []], ids=["withdrawn", "unopened"])
def test_what_can_not_be_opened_when_organisations_merge_is_held_as_well(
    broker: Broker, parts: list[str]
) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        if parts:
            assert story.withdraw(grants=parts).status_code == 200
        merge(broker, PARTNER, "destap-ww")
        assert broker.services.writer.submit(hold_merged).result().value == 1
    swept(broker.services)

    path = f"/v1/clients/{story.handle}/consents"
    (item,) = broker.as_(story.sample.holder).get(path).json()["items"]
    assert item["suspended"] is True
    assert changed(story, "resumption", via="phone").status_code == 422


@pytest.mark.parametrize("by_code", [True, False], ids=["code", "desk"])
def test_another_consent_that_can_not_be_opened_keeps_none_from_stopping(
    broker: Broker, *, by_code: bool
) -> None:
    story, code = shared(broker)
    broken = update(Consent).where(Consent.id != story.consent).values(sealed=b"torn")  # type: ignore[arg-type]
    broker.services.writer.submit(_run, broken).result()

    if by_code:
        assert typed(broker, code).status_code == 200
    else:
        assert story.withdraw().status_code == 200

    assert len(of_kind(broker.services, "consent.withdrawn")) == 1
    swept(broker.services)
    assert recalls_of(broker, PARTNER) != []


def test_a_sweep_goes_on_past_whom_nobody_can_open(broker: Broker) -> None:
    broker.story("cl-0004", PARTNER, "P2")
    with keyless(broker):
        other = broker.story("cl-0002", "leerwinkel-wvl", "P1")
        broker.clock.move(timedelta(days=15))
        done = [broker.services.writer.submit(expire_handovers).result().value for _ in range(2)]

    assert done == [1, 0]
    (expired,) = of_kind(broker.services, "handover.expired")
    assert expired["handover"] == other.handover
    assert broker.services.writer.submit(expire_handovers).result().value == 1


def _run(tx: Transaction, statement: object) -> Outcome[None]:
    tx.connection.execute(statement)  # type: ignore[call-overload]
    return Outcome(None)
