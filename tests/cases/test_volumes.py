"""An agreement is for so many persons a year: somebody is told, and then nobody new comes in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange import alerts, volumes
from exchange.flows.administer import apply_documents
from exchange.flows.fetch_summary import SummaryQuery, fetch_summary
from exchange.flows.push_handover import HandoverOrder, push_handover
from exchange.samples import directory_documents, samples
from exchange.services import SHARD, Services
from exchange.tenancy import EVERYBODY
from policies.decision import Refused
from policies.vocabulary import Handle, OrganisationId, Reason
from tests.builders import Broker, logged, next_version, query
from tests.cases.statements import statements
from tests.cases.uniform import UNKNOWN_HANDLE, assert_uniform

HOLDER, PARTNER, AGREEMENT = "destap-ww", "vdab-gent", "PR-2026-004"


def agree(broker: Broker, persons: int, **of_flow: Any) -> None:
    """Bring the agreement into force for so many persons a year."""
    document = directory_documents()["agreement"][AGREEMENT]
    document["volume"] = {"persons_per_year": persons}
    document["flows"][1] |= of_flow
    broker.services.writer.submit(
        apply_documents, {"agreement": {AGREEMENT: next_version(document)}}
    ).result()


def client(broker: Broker, reference: str) -> str:
    """One more client who consented; the holder's handle."""
    sample, holder = samples()["cl-0004"], broker.as_(HOLDER)
    handle: str = holder.post("/v1/clients", json={"reference": reference}).json()["client"]
    holder.put(f"/v1/clients/{handle}/summary", json={"sections": sample.sections})
    broker.given(sample, handle)
    return handle


def persons(services: Services) -> dict[str, int]:
    with services.database.reading() as connection:
        return dict(volumes.persons_in(connection, shard=SHARD))


def raised(services: Services) -> list[tuple[str, str, str, int]]:
    with services.database.reading(tenant=EVERYBODY) as connection:
        found = alerts.standing(connection, shard=SHARD)
    return sorted((each.kind, each.purpose, each.agreement, each.times) for each in found)


def test_a_person_counts_once_a_year_whatever_is_offered_and_read(broker: Broker) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    whole, of_p2 = f"{AGREEMENT}/2026", f"{AGREEMENT}/P2/2026"

    offered = persons(broker.services)
    assert [story.fetch().status_code for _ in range(3)] == [200] * 3
    assert story.broker.pushed(HOLDER, story.handle, PARTNER, "P2").status_code == 201

    assert offered == persons(broker.services) == {whole: 1, of_p2: 1}
    broker.clock.move(datetime(2027, 1, 2, 12, tzinfo=UTC))
    assert story.answer("acceptance").status_code in {200, 404, 409}
    broker.related(HOLDER, story.handle, PARTNER, "P2")
    assert story.fetch(handover=None, client=_known_as(broker)).status_code == 200
    later = persons(broker.services)
    assert (later[whole], later[f"{AGREEMENT}/2027"]) == (1, 1)


def _known_as(broker: Broker) -> str:
    items = broker.as_(PARTNER).get("/v1/handovers").json()["items"]
    return str(items[0]["subject"]["pairwise_id"])


def test_the_officer_hears_at_80_and_100_and_beyond_150_nobody_new_comes_in(
    broker: Broker,
) -> None:
    agree(broker, 5)
    told = []
    for number in range(9):
        answer = broker.pushed(HOLDER, client(broker, f"v-{number}"), PARTNER, "P2")
        told.append(answer.status_code)

    assert told == [201] * 8 + [403]
    assert answer.json()["type"].endswith(":sharing-refused")
    assert answer.json()["errors"] == [{"loc": "sharing", "type": "USES_EXHAUSTED"}]
    assert persons(broker.services)[f"{AGREEMENT}/2026"] == 8
    assert raised(broker.services) == [
        ("volume_nearly", "P2", AGREEMENT, 1),
        ("volume_reached", "P2", AGREEMENT, 4),
        ("volume_refused", "P2", AGREEMENT, 1),
    ]
    refused = [each for each in logged(broker.services) if each["k"] == "handover.refused"]
    assert [each["reason"] for each in refused] == ["USES_EXHAUSTED"]


def test_who_is_served_goes_on_being_served_when_it_is_full(broker: Broker) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    before = broker.related(HOLDER, client(broker, "v-before"), PARTNER, "P2")
    agree(broker, 0)

    assert broker.pushed(HOLDER, client(broker, "v-new"), PARTNER, "P2").status_code == 403
    assert story.fetch().status_code == 200
    assert story.fetch(handover=before).status_code == 200
    assert story.answer("acceptance").status_code == 200
    assert broker.pushed(HOLDER, story.handle, PARTNER, "P2").status_code == 201


def test_one_purpose_may_be_full_before_the_agreement_is(broker: Broker) -> None:
    agree(broker, 100, persons_per_year=1)

    told = [broker.pushed(HOLDER, client(broker, f"v-{at}"), PARTNER, "P2") for at in range(3)]

    assert [each.status_code for each in told] == [201, 201, 403]


def test_a_full_agreement_tells_a_partner_nothing_of_who_is_a_client(
    broker: Broker, tmp_path: Any
) -> None:
    """Known, consenting, met for another purpose: and still the answer is that about nobody."""
    agree(broker, 0)
    handle = client(broker, "v-known")
    broker.related(HOLDER, handle, PARTNER, "P6")
    partner, known = broker.as_(PARTNER), _known_as(broker)
    seen = {}
    for name, whom in (("known", known), ("unknown", UNKNOWN_HANDLE)) * 8:
        with statements(broker.services, tmp_path / name) as seen[name]:
            answer = partner.post("/v1/summaries/query", json=query(client=whom, purpose="P2"))
        assert_uniform(answer)

    refused = [each for each in logged(broker.services) if each["k"] == "summary.refused"]
    assert {each["reason"] for each in refused} == {"USES_EXHAUSTED", "UNKNOWN_CLIENT"}
    assert seen["known"] == seen["unknown"]
    assert raised(broker.services) == []
    agree(broker, 10)
    answer = partner.post("/v1/summaries/query", json=query(client=known, purpose="P2"))
    assert answer.status_code == 200


def test_the_last_place_is_given_once_however_many_come_at_once(broker: Broker) -> None:
    agree(broker, 2)
    handles = [client(broker, f"v-{number}") for number in range(8)]
    caller, writer = broker.caller(HOLDER), broker.services.writer
    orders = [
        HandoverOrder(
            Handle(each), OrganisationId(PARTNER), "P2", "other", "normal", each.encode(), b"f" * 32
        )
        for each in handles
    ]
    with ThreadPoolExecutor(8) as threads:
        waiting = list(
            threads.map(
                lambda order: writer.submit(
                    push_handover, caller, order, broker.services.rulebook
                ).result(),
                orders,
            )
        )

    refused = [each.value for each in waiting if isinstance(each.value, Refused)]
    assert [each.reason for each in refused] == [Reason.USES_EXHAUSTED] * 5
    assert persons(broker.services)[f"{AGREEMENT}/2026"] == 3


def test_a_fetch_of_somebody_who_counts_runs_no_statement_for_it(
    broker: Broker, tmp_path: Any
) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    for _ in range(8):
        story.fetch()

    with statements(broker.services, tmp_path / "fetch") as seen:
        assert story.fetch().status_code == 200

    assert not [each for each in seen if "agreement_volume" in each or "alert" in each]
    assert not [each for each in seen if each.startswith("UPDATE client")]


@pytest.mark.parametrize("kept", ["number", "nobody"])
def test_erasing_a_client_keeps_the_number_and_nothing_of_whom(broker: Broker, kept: str) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    caller = broker.caller(PARTNER)
    asked = SummaryQuery("P2", "u-1", "bemiddelaar", "z-1", client=Handle(_known_as(broker)))
    broker.services.writer.submit(fetch_summary, caller, asked, broker.services.rulebook).result()
    with broker.services.database.reading(tenant=EVERYBODY) as connection:
        rows = connection.exec_driver_sql("SELECT * FROM agreement_volume").all()
        raw = connection.exec_driver_sql("SELECT id, sealed FROM client").all()

    if kept == "number":
        assert [row[1:] for row in rows] == [(f"{AGREEMENT}/2026", 1), (f"{AGREEMENT}/P2/2026", 1)]
    else:
        (client_row,) = raw
        assert client_row[0] not in str(rows)
        assert AGREEMENT.encode() not in bytes(client_row[1])
    assert story.handle not in str(rows)
