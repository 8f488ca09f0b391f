"""One row that nobody can open keeps none of the others waiting, and loses nobody's word."""

from datetime import timedelta

from sqlalchemy import update

from exchange.flows.expire_handovers import expire_handovers
from exchange.handovers import HandoverRow
from exchange.transaction import Outcome, Transaction
from tests.builders import Broker
from tests.exchange.api.test_stopping_by_code import without_key
from tests.exchange.api.test_withdrawals_that_wait import keyless, of_two_parts
from tests.exchange.recalling import PARTNER, of_kind, states, swept


def test_handovers_that_nobody_can_open_starve_no_other(broker: Broker) -> None:
    """However many they are: one that comes after more of them than a sweep marks is marked."""
    lost = broker.story("cl-0004", PARTNER, "P2")
    broker.pushed(lost.sample.holder, lost.handle, PARTNER, "P2")
    (known,) = of_kind(broker.services, "client.registered")
    other = broker.story("cl-0002", "leerwinkel-wvl", "P1")
    broker.clock.move(timedelta(days=15))

    with without_key(broker.services, known["client"]):
        done = [broker.services.writer.submit(expire_handovers, 1).result().value for _ in "12"]

    assert done == [1, 0]
    (expired,) = of_kind(broker.services, "handover.expired")
    assert expired["handover"] == other.handover
    assert broker.services.writer.submit(expire_handovers, 1).result().value == 1


def test_a_torn_handover_ends_with_its_consent_and_so_do_those_after_it(broker: Broker) -> None:
    story, _ = of_two_parts(broker)
    sender = story.sample.holder
    second = broker.pushed(sender, story.handle, PARTNER, "P2").json()["handover"]
    torn = update(HandoverRow).where(HandoverRow.id == min(story.handover, second))
    broker.services.writer.submit(_run, torn.values(sealed=b"torn")).result()

    assert story.withdraw().status_code == 200
    swept(broker.services)

    ended = of_kind(broker.services, "handover.revoked")
    assert {each["handover"] for each in ended} == {story.handover, second}


def test_more_parts_than_a_consent_can_have_stop_all_of_it(broker: Broker) -> None:
    story, _ = of_two_parts(broker)
    with keyless(broker):
        first = story.withdraw(grants=[f"g{n}" for n in range(100_000, 100_200)])
        second = story.withdraw(grants=["g1", *(f"g{n}" for n in range(200_000, 200_199))])
    swept(broker.services)

    assert (first.json()["state"], second.json()["state"]) == ("narrowed", "withdrawn")
    assert states(story) == ["withdrawn"]


def _run(tx: Transaction, statement: object) -> Outcome[None]:
    tx.connection.execute(statement)  # type: ignore[call-overload]
    return Outcome(None)
