"""What was read before recalls were kept is asked back for each purpose that it was read for."""

from importlib import import_module

from sqlalchemy import text

from exchange.transaction import Outcome, Transaction
from tests.builders import Broker
from tests.exchange.recalling import PARTNER, read_once, recalls_of

_MORE = import_module("exchange.migrations.versions.0025_received_for_several")


def test_who_read_for_two_purposes_is_asked_about_both(broker: Broker) -> None:
    story = read_once(broker)
    second = broker.related(story.sample.holder, story.handle, PARTNER, "P6")
    broker.services.writer.submit(as_it_was, second).result()

    assert story.withdraw(grants=["g1"]).status_code == 200

    asked = {each["purpose"] for each in recalls_of(broker, PARTNER)}
    assert asked == {"P2", "P6"}


def as_it_was(tx: Transaction, second: str) -> Outcome[None]:
    """Both handovers read, and one row for the two; then the migration."""
    tx.connection.execute(text("UPDATE received SET grant_id = '*'"))
    read = text("UPDATE handover SET read_at = :at WHERE id = :id")
    tx.connection.execute(read, {"at": tx.now, "id": second})
    tx.connection.execute(text(_MORE.OTHERS))
    return Outcome(None)
