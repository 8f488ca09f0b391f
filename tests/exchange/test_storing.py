"""Intakes are stored in groups, and yet each of them stands alone."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import text

from audit.live import verify_log
from exchange.considering import ClientRecord
from exchange.services import SHARD, Services
from exchange.storing import Checked, Store
from policies.vocabulary import OrganisationId, Section
from tests.builders import logged
from tests.exchange.commands import PATIENCE, Hold, note

HOLDER = OrganisationId("destap-ww")
BROKEN = "\ud800"
"""Text that no event can carry: making the event raises, in the middle of a group."""


@pytest.fixture
def store(services: Services) -> Store:
    return Store(services, HOLDER, "a scanner")


def intake(services: Services, reference: str, word: str = "Anna") -> Checked:
    identity = {"given_name": word}
    commitments = services.committer.commitments(HOLDER, identity=identity, reference=reference)
    body = f'{{"given_name":{{"value":"{word}"}}}}'.encode()
    return Checked(
        where=f"clients.jsonl:{reference}",
        commitments=commitments,
        record=ClientRecord(identity, frozenset()),
        sections={Section.IDENT: body},
        stored=1,
        quarantined=0,
        rules=(),
    )


def versions(services: Services) -> list[int]:
    with services.database.reading() as connection:
        return list(connection.scalars(text("SELECT summary_version FROM client")))


def test_each_intake_has_two_events_under_a_request_of_its_own(
    services: Services, store: Store
) -> None:
    store.put([intake(services, f"D{number}") for number in range(5)])
    store.finish()

    told = [each for each in logged(services) if "client" in each]
    assert Counter(each["q"] for each in told) == dict.fromkeys({each["q"] for each in told}, 2)
    assert len({(each["q"], each["client"]) for each in told}) == 5
    assert [each["sn"] for each in told] == [1, 2] * 5


def test_the_same_person_twice_in_a_group_is_one_client(services: Services, store: Store) -> None:
    store.put([intake(services, "D1"), intake(services, "D2"), intake(services, "D1", "Ann")])
    store.finish()

    assert (store.stored, store.new, store.overtaken) == (3, 2, [])
    assert sorted(versions(services)) == [1, 2]


def test_a_person_who_is_still_on_the_way_is_looked_up_again_and_harms_nobody(
    services: Services, store: Store
) -> None:
    hold = Hold(services.writer)
    store.put([intake(services, "D1")])
    store.put([intake(services, "D1")])
    neighbour = services.writer.submit(note, "beside")
    hold.release()
    store.finish()

    assert neighbour.result(PATIENCE).value == "beside"
    assert (store.stored, store.unchanged, store.failed, store.overtaken) == (1, 1, [], [])
    assert versions(services) == [1]


def test_who_was_stored_is_not_stored_again(services: Services, store: Store) -> None:
    group = [intake(services, "D1"), intake(services, "D2")]
    store.put(group)
    store.finish()

    store.put(group)
    store.finish()

    assert (store.stored, store.unchanged) == (2, 2)
    assert versions(services) == [1, 1]


def test_an_intake_that_fails_takes_no_other_with_it(services: Services, store: Store) -> None:
    group = [intake(services, f"D{number}") for number in range(4)]
    group[2] = replace(group[2], rules=(BROKEN,))

    store.put(group)
    store.finish()

    assert (store.stored, store.failed) == (3, [group[2].where])
    assert versions(services) == [1, 1, 1]
    with services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
    assert report.findings == ()


@pytest.mark.parametrize("size", [1, 4, 21, 64, 85])
def test_a_group_of_any_size_is_stored_whole(services: Services, store: Store, size: int) -> None:
    store.put([intake(services, f"D{number}") for number in range(size)])
    store.finish()

    assert (store.stored, store.new) == (size, size)
    assert versions(services) == [1] * size
    with services.database.reading() as connection:
        rows = connection.scalar(text("SELECT count(*) FROM summary_section"))
        known = connection.scalar(text("SELECT count(*) FROM known_as"))
    assert (rows, known) == (size, size)
