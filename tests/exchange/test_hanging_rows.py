"""What hangs on a client, a consent or a handover hangs on one that is there, in its own shard."""

from contextlib import suppress

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from exchange import tables
from tests.builders import Broker
from tests.exchange.aside import aside
from tests.filling import fill

assert tables.ALL
FREE = {"audit_subject.client", "commitment.client", "consent.client", "summary_section.client"}
FREE |= {"consent_request.client", "consent_request.consent"}
"""What the database lets hang on nothing; docs/decisions/0025 says why."""

HANGING = {
    f"{table.name}.{column.name}"
    for table in SQLModel.metadata.sorted_tables
    for column in table.columns
    if column.name in {"client", "consent", "handover"}
}


def test_all_that_hangs_is_held_but_for_what_is_said_to_be_free() -> None:
    held = {
        f"{table.name}.{key.column_keys[1]}"
        for table in SQLModel.metadata.sorted_tables
        for key in table.foreign_key_constraints
        if key.column_keys == ["shard", key.referred_table.name]
    }

    assert held == HANGING - FREE


@pytest.mark.parametrize("change", ["{} = 'none'", "shard = 7"])
def test_no_row_is_left_hanging_on_nothing_or_on_another_shard(broker: Broker, change: str) -> None:
    fill(broker)
    left = set()
    for place in sorted(HANGING - FREE - {"grant_use.consent"}):
        table, column = place.split(".")
        with aside(broker.services) as connection, suppress(IntegrityError):
            connection.exec_driver_sql(f"UPDATE {table} SET {change.format(column)}")  # noqa: S608 - ours
            left.add(place)

    assert left == set()
