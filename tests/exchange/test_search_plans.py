"""How the databases answer a search: by an index of its own, and never by all of the log."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from audit import search
from audit.search import Filter
from exchange.services import SHARD, Services
from tests.exchange.aside import aside
from tests.exchange.commands import note

ASKED = {
    "subject_blind": Filter(subject=b"s" * 16, kinds=("summary.released",)),
    "actor_blind": Filter(actor=b"a" * 16, purpose="P1"),
    "provider": Filter(own="org:a", kinds=("summary.released",), outcome="error"),
    "consumer": Filter(party="org:a", purpose="P1"),
    "consent_blind": Filter(consent=b"c" * 16, whose=b"s" * 16),
    "kind": Filter(kinds=("summary.released", "summary.refused"), purpose="P1"),
}
"""By the column of the index that is to be walked."""


@pytest.fixture
def explained(services: Services) -> Any:
    """The plan of every statement on the index that a search runs."""
    for future in [services.writer.submit(note, f"n-{n}") for n in range(40)]:
        future.result()

    def explain(wanted: Filter) -> list[str]:
        with aside(services) as connection:
            seen = _run(connection, wanted)
            return [_plan(connection, *each) for each in seen if "audit_index" in each[0]]

    return explain


def _run(connection: Connection, wanted: Filter) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        seen.append((statement, values))

    event.listen(connection, "before_cursor_execute", keep)
    search.find(connection, shard=SHARD, wanted=wanted, limit=50)
    event.remove(connection, "before_cursor_execute", keep)
    return seen


def _plan(connection: Connection, statement: str, values: Any) -> str:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return "; ".join(row.detail for row in rows)
    # With a handful of rows reading all of them would be right: ask for the plan of many.
    for setting in ("enable_seqscan", "enable_bitmapscan"):
        connection.exec_driver_sql(f"SET LOCAL {setting} = off")
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
    return "; ".join(row[0].strip() for row in rows)


@pytest.mark.parametrize("column", ASKED)
def test_each_way_to_search_walks_an_index_of_its_own_in_order(explained: Any, column: str) -> None:
    plans = explained(ASKED[column])

    assert any(f"ix_audit_index_{column}" in plan for plan in plans)
    for plan in plans:
        assert not any(each in plan for each in ("SCAN", "B-TREE", "Seq", "Sort", "Filter")), plan


@pytest.mark.parametrize("column", ["subject_blind", "actor_blind"])
def test_what_an_organisation_asks_of_somebody_walks_their_entries_in_order(
    explained: Any, column: str
) -> None:
    (walk, *_) = explained(replace(ASKED[column], own="org:a"))

    assert f"ix_audit_index_{column}" in walk
    assert not any(each in walk for each in ("SCAN", "B-TREE", "Seq", "Sort"))


def test_without_any_way_the_newest_are_walked(explained: Any) -> None:
    (walk, *_) = explained(Filter(purpose="P1"))

    assert "audit_index" in walk
    assert not any(each in walk for each in ("SCAN", "B-TREE", "Seq", "Sort", "Filter"))
