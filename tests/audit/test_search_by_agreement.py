"""What was done under an agreement is found by its detail, a few details at a time."""

from typing import Any

import pytest
from sqlalchemy import Connection

from audit import search
from audit.records import LIVE, AuditPart
from audit.search import Filter
from tests.audit.log_builders import ANN, BEN, Ring, add, begin, change, refused, released

OURS, OTHERS = "PR-2026-001", "PR-2026-002"
GIVER, ASKER = "org:leerwinkel-wvl", "org:vdab-gent"
WANTED = Filter(agreement=OURS, providers=(GIVER,), purposes=("P2", "P6"))
EVENTS = 700


@pytest.fixture
def keys() -> Ring:
    return Ring()


@pytest.fixture
def under_two(connection: Connection, keys: Ring) -> Connection:
    """Entries under two agreements between the same two in turns, and some under none."""
    protocols = (OURS, OTHERS, None)
    events = [
        (refused if n % 2 else released)((ANN, BEN)[n % 7 == 0], protocol=protocols[n % 3])
        for n in range(EVENTS)
    ]
    add(connection, keys, begin(connection, keys), events)
    return connection


def places(n: int) -> range:
    return range(1 + n, 1 + EVENTS, 3)


def walked(connection: Connection, keys: Ring, wanted: Filter, **more: Any) -> list[list[int]]:
    """The places found, page by page."""
    before, pages = None, list[list[int]]()
    while before is not None or not pages:
        page = search.find(
            connection, shard=0, wanted=wanted, before=before, keys=keys, **{"limit": 50} | more
        )
        pages.append([hit.index for hit in page.hits])
        before = page.following
    return pages


@pytest.mark.parametrize("examine", [7, 300, 1024])
@pytest.mark.parametrize("limit", [5, 50, 200])
def test_everything_under_an_agreement_is_found_once(
    under_two: Connection, keys: Ring, examine: int, limit: int
) -> None:
    pages = walked(under_two, keys, WANTED, examine=examine, limit=limit)

    assert [place for page in pages for place in page] == sorted(places(0), reverse=True)


def test_with_whatever_else_is_asked(under_two: Connection, keys: Ring) -> None:
    def found(**more: Any) -> set[int]:
        asked = {"agreement": OURS, "providers": (GIVER,), "purposes": ("P2",)} | more
        return {place for page in walked(under_two, keys, Filter(**asked)) for place in page}

    assert found(subject=keys.blind("sub", BEN)) == {n for n in places(0) if (n - 1) % 7 == 0}
    assert found(outcome="deny") == {n for n in places(0) if (n - 1) % 2}
    assert found(own=GIVER) == found(party=ASKER, kinds=("summary.released", "summary.refused"))
    # Whoever only got it is not shown on what it rests.
    for nothing in (
        {"own": ASKER}, {"agreement": "PR-2026-003"}, {"purposes": ("P6",)}, {"purposes": ()},
        {"providers": (ASKER,)}, {"providers": ()}, {"party": "org:clb-gent"},
    ):  # fmt: skip
        assert found(**nothing) == set(), nothing


class Counting(Ring):
    """A key ring that counts how often it is asked to open something."""

    asked = 0

    def by_id(self, key_id: bytes) -> bytes | None:
        self.asked += 1
        return super().by_id(key_id)


def test_a_page_opens_few_details_and_says_where_to_go_on(under_two: Connection) -> None:
    keys = Counting()
    keys.of_client(ANN), keys.of_client(BEN)

    page = search.find(under_two, shard=0, wanted=WANTED, limit=200, examine=10 * EVENTS, keys=keys)

    assert page.following is not None
    assert len(page.hits) == len([each for each in places(0) if each >= page.following])
    assert search.OPENED <= keys.asked <= 2 * search.OPENED


def test_who_was_erased_is_not_found_by_it(under_two: Connection, keys: Ring) -> None:
    gone, changed = places(0)[3], places(0)[4]
    change(under_two, AuditPart, gone, key_id=None, ct=None, state=LIVE + 1)
    change(under_two, AuditPart, changed, ct=b"x" * 40)
    keys.forget(BEN)

    found = {place for page in walked(under_two, keys, WANTED) for place in page}

    assert found == {n for n in places(0) if (n - 1) % 7} - {gone, changed}
    assert not search.find(under_two, shard=0, wanted=WANTED, limit=9).hits
