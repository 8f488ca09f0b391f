"""Entries come back byte for byte, with their tiles, and numbers are recognised by the keys."""

from uuid import UUID

import pytest
from sqlalchemy import Connection

from audit import log
from audit.live import verify_log
from audit.mirror import MirrorRefused
from audit.regaining import People, regain, survey
from audit.tree import root_of
from tests.audit.log_builders import ANN, BEN, Ring, a_log

LIVING = [UUID(each).bytes for each in (ANN, BEN)]
AGAIN = 1
"""The shard in which the log is made again."""


def living(keys: Ring) -> dict[bytes, bytes]:
    found = {key_id: keys.by_id(key_id) for key_id in LIVING}
    return {key_id: key for key_id, key in found.items() if key is not None}


def leaves_of(connection: Connection) -> list[bytes]:
    return [leaf for _, leaf in log.entries(connection, shard=0)]


@pytest.mark.parametrize("size", [40, 256, 2600])
def test_a_log_made_again_from_its_leaves_is_the_same_log(
    connection: Connection, size: int
) -> None:
    keys = Ring()
    head, leaves = a_log(connection, keys, size), leaves_of(connection)
    empty = log.open_log(connection, shard=AGAIN, origin="broker.example/audit/tlog/s0e1")
    people = People(keys, living(keys), {})

    survey(empty, leaves, {size: root_of(head.compact)})
    made = regain(connection, leaves, after=empty, people=people, erased=0)

    assert (made.head.size, made.head.compact) == (size, head.compact)
    report = verify_log(connection, shard=AGAIN, keys=keys, deep=True)
    # What is lost is owned up to by the entry that follows.
    assert {each.code for each in report.findings} == {"balance"}
    assert made.lost["s"] == 0
    assert made.sealed["s"] == made.lost["y"]


def test_an_entry_of_a_key_that_is_gone_is_lost_and_harms_no_other_number(
    connection: Connection,
) -> None:
    keys = Ring()
    head, leaves = a_log(connection, keys), leaves_of(connection)
    empty = log.open_log(connection, shard=AGAIN, origin="broker.example/audit/tlog/s0e1")
    people = People(keys, {LIVING[1]: living(keys)[LIVING[1]]}, {})

    made = regain(connection, leaves, after=empty, people=people, erased=0)

    assert made.lost["s"] == people_of(connection)[LIVING[0]]
    assert people.number(LIVING[1]) == people_of(connection)[LIVING[1]]
    assert made.head.compact == head.compact


def people_of(connection: Connection) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for index in range(log.head(connection, shard=0).size):
        for part in log.parts_of(connection, shard=0, index=index):
            if part.label == "s" and part.key_id is not None:
                found[part.key_id] = found.get(part.key_id, 0) + 1
    return found


@pytest.mark.parametrize("at", [0, 7, 39])
def test_leaves_in_another_order_or_too_few_are_not_the_ones_that_were_signed(
    connection: Connection, at: int
) -> None:
    head, leaves = a_log(connection, Ring()), leaves_of(connection)
    empty = log.open_log(connection, shard=AGAIN, origin="broker.example/audit/tlog/s0e1")
    roots = {head.size: root_of(head.compact)}
    swapped = leaves[:at] + leaves[at + 1 :] + leaves[at : at + 1]

    for wrong in (swapped if at < 39 else leaves[1:], leaves[:at], leaves[:at] + leaves[at + 1 :]):
        with pytest.raises(MirrorRefused):
            survey(empty, wrong, roots)
