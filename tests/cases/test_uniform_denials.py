"""T58, T59, T60: unknown, not consented and denied look, cost and probe the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from audit.records import AuditSubject
from audit.tallies import miscounted
from exchange.services import SHARD
from tests.builders import Broker, logged
from tests.cases.classes import HOLDER, PARTNER, REASONS, queries, queries_by_handle
from tests.cases.statements import statements
from tests.cases.uniform import UNKNOWN_HANDLE, assert_uniform, size

Queries = Callable[[Broker], Mapping[str, Mapping[str, Any]]]
PUBLIC_OF_A_LEAF = ("v", "k", "o", "ap", "c", "p", "u", "d", "pv")
WARM = 8
"""After so many runs a driver has prepared every statement that it will prepare."""

LEAST = 10
"""A fetch reads client, handovers, consents and sections, and writes its entry: all of it."""

PROBES = {
    "b-none-match-tag": {"If-None-Match": '"1"'},
    "b-none-match-any": {"If-None-Match": "*"},
    "b-modified-since": {"If-Modified-Since": "Sun, 01 Nov 2026 12:00:00 GMT"},
    "c-minimal": {"Prefer": "return=minimal"},
    "c-representation": {"Prefer": "return=representation"},
    "c-lenient": {"Prefer": "handling=lenient, respond-async, wait=5"},
}


@pytest.mark.case("T58")
@pytest.mark.parametrize("queries_of", [queries, queries_by_handle], ids=["handover", "handle"])
@pytest.mark.parametrize("name", REASONS, ids=["a", "b", "c"])
def test_t58_each_class_gets_the_same_answer_and_the_log_knows_why(
    broker: Broker, name: str, queries_of: Queries
) -> None:
    asked = queries_of(broker)
    partner, before = broker.as_(PARTNER), size(broker.services)

    answers = [partner.post("/v1/summaries/query", json=asked[each]) for each in (name, "unknown")]

    assert_uniform(*answers)
    of_class, of_nobody = logged(broker.services)[-2:]
    assert size(broker.services) == before + 2
    assert (of_class["reason"], of_nobody["reason"]) == (REASONS[name], "UNKNOWN_CLIENT")
    assert [of_class[each] for each in PUBLIC_OF_A_LEAF] == [
        of_nobody[each] for each in PUBLIC_OF_A_LEAF
    ]
    assert of_class["x"].keys() == of_nobody["x"].keys()


@pytest.mark.case("T59")
@pytest.mark.parametrize("queries_of", [queries, queries_by_handle], ids=["handover", "handle"])
def test_t59_each_class_costs_the_same_statements_in_the_same_order(
    broker: Broker, queries_of: Queries, tmp_path: Path
) -> None:
    """Work that can be counted is the same; what can only be timed is in `tests/bench/timing`."""
    asked = queries_of(broker)
    partner = broker.as_(PARTNER)
    for body in (*asked.values(),) * WARM:
        partner.post("/v1/summaries/query", json=body)

    told: dict[str, list[str]] = {}
    for name, body in asked.items():
        with statements(broker.services, tmp_path / name) as seen:
            partner.post("/v1/summaries/query", json=body)
        told[name] = seen

    assert len(told["unknown"]) >= LEAST
    assert told["unconsented"] == told["unknown"]
    assert told["denied"] == told["unknown"]


@pytest.mark.case("T59")
def test_t59_an_entry_about_nobody_changes_a_counter_too(broker: Broker) -> None:
    """A database writes no page that stays the same: a page less can be told by its time."""
    asked, partner = queries(broker), broker.as_(PARTNER)
    changed: dict[str, list[int]] = {}

    for name in ("unknown", "unconsented", "unknown", "denied", "unknown"):
        before = counters(broker)
        partner.post("/v1/summaries/query", json=asked[name])
        after = counters(broker)
        changed.setdefault(name, []).append(sum(after[key] != before.get(key) for key in after))

    assert changed == {"unknown": [1, 1, 1], "unconsented": [1], "denied": [1]}
    with broker.services.database.reading() as connection:
        assert miscounted(connection, shard=SHARD) == []


def counters(broker: Broker) -> dict[bytes, int]:
    """The number that stands for each key in the log's counters."""
    with broker.services.database.reading() as connection:
        rows = connection.execute(select(col(AuditSubject.key_id), col(AuditSubject.n)))
        return {bytes(key): number for key, number in rows}


@pytest.mark.case("T60")
def test_t60_a_an_idempotency_key_probes_nothing(broker: Broker) -> None:
    asked = queries_by_handle(broker)
    partner = broker.as_(PARTNER)
    handles = [str(body["client"]) for body in asked.values()]

    def pushed(handle: str, key: str, reason: str) -> Any:
        body = {"client": handle, "recipient": "org:vdab-wvl", "purpose": "P2"}
        return partner.post(
            "/v1/handovers",
            json=body | {"reason_code": reason},
            headers={"Idempotency-Key": key},
        )

    assert len(set(handles)) == len(handles) == 3
    first = [pushed(handle, "probe-one-key", "other") for handle in handles]
    again = [pushed(handle, "probe-one-key", "other") for handle in handles]
    changed = [pushed(handle, "probe-one-key", "feedback") for handle in handles]
    assert_uniform(*first, *again, *changed)


@pytest.mark.case("T60")
@pytest.mark.parametrize("headers", PROBES.values(), ids=PROBES)
def test_t60_headers_that_ask_for_another_answer_change_nothing(
    broker: Broker, headers: dict[str, str]
) -> None:
    asked = queries(broker)
    partner, stranger = broker.as_(PARTNER), broker.as_("vdab-wvl")
    handle = broker.as_(HOLDER).post("/v1/clients", json={"reference": "class-c"}).json()["client"]

    assert_uniform(
        *(
            partner.post("/v1/summaries/query", json=body, headers=headers)
            for body in asked.values()
        ),
        *(
            stranger.get(f"/v1/clients/{each}/{part}", headers=headers)
            for each in (handle, UNKNOWN_HANDLE)
            for part in ("summary", "consents")
        ),
    )
