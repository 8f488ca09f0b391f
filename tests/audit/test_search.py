"""Searches: every entry that fits is found, page by page, and no page looks at much of the log."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event
from sqlmodel import col

from audit import log, records, search
from audit.events import Actor, AdminStarted, ClientViewed, ConsentRefused
from audit.leaf import WITHHOLD_PROVIDER
from audit.records import AuditIndex, IndexRow
from audit.search import Filter
from tests.audit.log_builders import ANN, BEN, EPOCH_OF_NOON, Ring, a_log, about, add, released

SIZE = 120
OWN, PARTNER = "org:leerwinkel-wvl", "org:vdab-gent"
MINUTE = 60_000_000


@pytest.fixture
def keys() -> Ring:
    return Ring()


@pytest.fixture
def log_of_many(connection: Connection, keys: Ring) -> Connection:
    """Two clients in turns, and a few entries that somebody else made, long ago and lately."""
    head = a_log(connection, keys, SIZE)
    rare = ClientViewed(**about(BEN, provider="clb-gent", consumer=None, purpose=None))
    head = add(connection, keys, head, [rare, AdminStarted(ver="2", cfg="c")])
    more = [released(ANN, consumer="ocmw-gent", purpose="P1") for _ in range(30)]
    add(connection, keys, head, more, later=timedelta(minutes=2))
    return connection


def asked(keys: Ring) -> dict[str, Filter]:
    ann, staff = keys.blind("sub", ANN), keys.blind("act", "u-0b9e6c1a7d2f4c8b")
    return {
        "nothing": Filter(),
        "client": Filter(subject=ann),
        "consent": Filter(consent=keys.blind("con", "c-canary-1"), whose=ann, own=OWN),
        "actor": Filter(actor=staff, purpose="P1"),
        "nobody's actor": Filter(actor=b"x" * 16),
        "kind": Filter(kinds=("client.viewed", "admin.started", "summary.released")),
        "rare kind": Filter(kinds=("client.viewed",)),
        "own": Filter(own=PARTNER),
        "own and kind": Filter(own=OWN, kinds=("summary.refused",), outcome="deny"),
        "party": Filter(party="org:clb-gent"),
        "party of own": Filter(own="org:ocmw-gent", party=OWN),
        "purpose": Filter(purpose="P1"),
        "time": Filter(start=EPOCH_OF_NOON + MINUTE, purpose="P2"),
        "earlier": Filter(stop=EPOCH_OF_NOON + MINUTE),
        "a stranger's": Filter(own="org:destap-ww"),
    }


def fits(row: IndexRow, wanted: Filter) -> bool:
    """The same question, asked of each row by itself."""
    said = [
        (wanted.subject, row.subject_blind),
        (wanted.whose, row.subject_blind or wanted.whose),
        (wanted.consent, row.consent_blind),
        (wanted.actor, row.actor_blind),
        (wanted.purpose, row.purpose),
        (wanted.outcome, row.outcome),
    ]
    gave, got = row.provider == wanted.own, row.consumer == wanted.own
    told = wanted.own is None or gave or row.kind not in WITHHOLD_PROVIDER
    side = row.consumer == wanted.party or (row.provider == wanted.party and told)
    return (
        all(value is None or value == held for value, held in said)
        and (not wanted.kinds or row.kind in wanted.kinds)
        and (wanted.own is None or gave or got)
        and (wanted.party is None or side)
        and (wanted.start or 0) <= row.t < (wanted.stop or 2**62)
    )


def pages(
    connection: Connection, wanted: Filter, *, limit: int, examine: int
) -> Iterator[search.Page]:
    before = None
    while True:
        page = search.find(
            connection, shard=0, wanted=wanted, limit=limit, before=before, examine=examine
        )
        yield page
        if page.following is None:
            return
        assert before is None or page.following < before
        before = page.following


@pytest.mark.parametrize("examine", [1, 7, 64, 1024])
def test_page_by_page_everything_that_fits_is_found_once(
    log_of_many: Connection, keys: Ring, examine: int
) -> None:
    rows = records.index_between(log_of_many, shard=0, start=0, stop=SIZE * 2)

    for name, wanted in asked(keys).items():
        found = pages(log_of_many, wanted, limit=5, examine=examine)
        hits = [hit.index for page in found for hit in page.hits]
        assert hits == [row.idx for row in reversed(rows) if fits(row, wanted)], name


def test_a_search_by_consent_finds_the_refused_tries_on_it_too(
    log_of_many: Connection, keys: Ring
) -> None:
    state = log.head(log_of_many, shard=0)
    tries = [
        ConsentRefused(
            application="app:a-1", actor=Actor(system="app:a-1"), client="", consent=consent,
            reason="NOT_THE_HOLDER",
        )
        for consent in ("c-canary-1", "c-other") * 3
    ]  # fmt: skip
    add(log_of_many, keys, state, tries, later=timedelta(minutes=3))
    wanted = Filter(consent=keys.blind("con", "c-canary-1"), whose=keys.blind("sub", ANN))

    found = [hit for page in pages(log_of_many, wanted, limit=5, examine=8) for hit in page.hits]

    kinds = Counter(hit.body["k"] for hit in found)
    assert (kinds["consent.refused"], kinds["consent.given"]) == (3, 1)
    rows = records.index_between(log_of_many, shard=0, start=0, stop=SIZE * 2)
    alone = pages(log_of_many, replace(wanted, whose=None), limit=200, examine=1024)
    said = {hit.index for page in alone for hit in page.hits}
    bens = {row.idx for row in rows if row.subject_blind == keys.blind("sub", BEN)}
    assert [hit.index for hit in found] == sorted(said - bens, reverse=True)


def test_what_is_asked_for_is_there(log_of_many: Connection, keys: Ring) -> None:
    empty = {
        name
        for name, wanted in asked(keys).items()
        if not search.find(log_of_many, shard=0, wanted=wanted, limit=1).hits
    }
    assert empty == {"nobody's actor", "a stranger's"}


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (Filter(purpose="P9"), set()),
        (Filter(own=OWN, kinds=("breakglass.used",)), set()),
        (Filter(kinds=("summary.refused",), purpose="P9"), {"summary.refused"}),
    ],
    ids=["by-nothing", "by-organisation", "by-kind"],
)
def test_a_page_looks_at_few_rows_and_says_where_to_go_on(
    log_of_many: Connection, wanted: Filter, kinds: set[str]
) -> None:
    page = search.find(log_of_many, shard=0, wanted=wanted, limit=50, examine=20)

    assert page.hits == ()
    assert page.following is not None
    rows = records.index_between(log_of_many, shard=0, start=page.following, stop=SIZE * 2)
    walked = [each for each in rows if not kinds or each.kind in kinds]
    assert 0 < len([each for each in walked if wanted.own in (None, each.provider)]) <= 20


@pytest.mark.parametrize("by", ["actor", "subject", "whose"])
def test_no_page_ends_at_an_entry_that_its_asker_is_not_shown(
    log_of_many: Connection, keys: Ring, by: str
) -> None:
    ann, staff = keys.blind("sub", ANN), keys.blind("act", "u-0b9e6c1a7d2f4c8b")
    of = {"actor": Filter(actor=staff), "subject": Filter(subject=ann), "whose": Filter(whose=ann)}
    rows = records.index_between(log_of_many, shard=0, start=0, stop=SIZE * 2)

    for own in ("org:destap-ww", "org:ocmw-gent", PARTNER):
        wanted = replace(of[by], own=own)
        ends = [page.following for page in pages(log_of_many, wanted, limit=5, examine=7)][:-1]
        shown = {row.idx for row in rows if own in (row.provider, row.consumer)}
        assert shown.issuperset(ends), own
        if not shown:
            assert ends == []


def test_no_page_ends_at_a_refusal_that_a_partner_does_not_find_by_the_client(
    log_of_many: Connection, keys: Ring
) -> None:
    wanted = Filter(own=PARTNER, subject=keys.blind("sub", ANN))
    rows = records.index_between(log_of_many, shard=0, start=0, stop=SIZE * 2)

    ends = [page.following for page in pages(log_of_many, wanted, limit=5, examine=7)][:-1]

    kinds = {row.idx: row.kind for row in rows}
    assert ends
    assert WITHHOLD_PROVIDER.isdisjoint(kinds[end] for end in ends if end is not None)


def test_rows_that_were_hidden_do_not_lead_a_search_by_time_astray(
    log_of_many: Connection,
) -> None:
    gone = range(20, SIZE - 10)
    log_of_many.execute(delete(AuditIndex).where(col(AuditIndex.idx).in_(gone)))
    rows = records.index_between(log_of_many, shard=0, start=0, stop=SIZE * 2)

    for t in {row.t for row in rows}:
        for wanted in (Filter(start=t), Filter(stop=t)):
            found = pages(log_of_many, wanted, limit=200, examine=1024)
            hits = [hit.index for page in found for hit in page.hits]
            assert hits == [row.idx for row in reversed(rows) if fits(row, wanted)]


def test_a_clients_parts_are_read_together(log_of_many: Connection, keys: Ring) -> None:
    with statements(log_of_many) as seen:
        timeline = search.timeline(log_of_many, shard=0, client=ANN, keys=keys)

    assert timeline.complete
    assert len(timeline.hits) > 60
    assert len([each for each in seen if "audit_part" in each]) == 1


@contextmanager
def statements(connection: Connection) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)
