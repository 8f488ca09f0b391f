"""What was told by phone stands in the client's record like all that went through the broker."""

from io import BytesIO
from typing import Any

import pytest

from audit import search
from audit.verify import PERSON_KINDS
from exchange.exporting import client_bundle
from exchange.samples import samples
from exchange.services import SHARD
from policies.vocabulary import ClientId
from tests.audit.bundles import members
from tests.builders import Broker, logged

SAMPLE = samples()["cl-0004"]
TOLD = {
    "recipient": "org:vdab-gent",
    "purpose": "P2",
    "sections": ["work", "educ"],
    "via": "phone",
    "basis": "consent",
    "at": "2026-11-01T09:00:00+01:00",
}


def told(broker: Broker, **changes: Any) -> Any:
    handle = broker.registered(SAMPLE)
    body = {name: value for name, value in (TOLD | changes).items() if value is not None}
    return broker.as_(SAMPLE.holder).post(f"/v1/clients/{handle}/disclosures", json=body)


def test_a_phone_call_is_shown_to_the_client_and_to_the_auditor(broker: Broker) -> None:
    answer = told(broker)

    assert answer.status_code == 201
    last = logged(broker.services)[-1]
    assert last["k"] == "disclosure.recorded" in PERSON_KINDS
    assert last["index"] == answer.json()["audit"]["index"]
    assert (last["p"], last["c"], last["u"]) == ("org:destap-ww", "org:vdab-gent", "P2")
    assert last["d"] == ["educ", "work"]
    assert (last["via"], last["basis"]) == ("phone", "consent")
    assert last["happened_at"] == "2026-11-01T08:00:00+00:00"
    keys = broker.services.keys
    with broker.services.database.reading() as connection:
        record = search.timeline(connection, shard=SHARD, client=last["client"], keys=keys)
    assert record.complete
    assert record.hits[-1].index == last["index"]
    broker.services.checkpointing.once()
    out = BytesIO()
    client_bundle(broker.services, out, ClientId(last["client"]))
    assert b'"via' in members(out.getvalue())["parts.jsonl"]
    asked = {"kinds": ["disclosure.recorded"]}
    (hit,) = broker.as_("vdab-gent").post("/v1/audit/search", json=asked).json()["items"]
    assert (hit["index"], hit["parts"].keys()) == (last["index"], {"a"})


def test_whoever_is_not_registered_is_told_of_by_kind(broker: Broker) -> None:
    assert told(broker, recipient=None, recipient_kind="school").status_code == 201

    last = logged(broker.services)[-1]
    assert "c" not in last
    assert last["recipient_kind"] == "school"


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"recipient": None}, "recipient"),
        ({"recipient_kind": "school"}, "recipient"),
        ({"recipient": "org:nobody-knows"}, "recipient"),
        ({"at": "2026-11-02T15:00:01+01:00"}, "at"),
        ({"at": "2026-02-31T15:00:00+01:00"}, "at"),
        ({"sections": []}, "sections"),
        ({"via": "pigeon"}, "via"),
        ({"basis": "because"}, "basis"),
    ],
)
def test_what_can_not_be_so_is_refused(broker: Broker, wrong: dict[str, Any], place: str) -> None:
    answer = told(broker, **wrong)

    assert answer.status_code == 422
    assert any(each["loc"].endswith(place) for each in answer.json()["errors"])
    assert "disclosure.recorded" not in {each["k"] for each in logged(broker.services)}
