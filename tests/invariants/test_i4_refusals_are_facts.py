"""I4: every no is logged with its true reason, and told a partner in one and the same way."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from httpx2 import Response

from audit import log
from exchange.services import Services
from tests.builders import Broker, logged, query
from tests.invariants.situations import (
    HOLDER,
    PARTNER,
    PURPOSE,
    SITUATIONS,
    UNKNOWN_HANDLE,
    UNKNOWN_HANDOVER,
    Question,
    shared,
    unaccredited,
    without_any_agreement,
    without_authorisation,
)

UNIFORM = (
    404,
    b'{"type":"urn:overdracht:problem:not-available","title":"Not available","status":404}',
    [
        (b"cache-control", b"no-store"),
        (b"content-length", b"84"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"content-type", b"application/problem+json"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ],
)
"""The answer, byte for byte: it holds nothing of the moment, the client or the reason."""

LEAF_KEYS = {"v", "id", "t", "k", "o", "p", "c", "ap", "u", "d", "pv", "q", "x"}
PROBES: dict[str, Mapping[str, str]] = {
    "nothing more": {},
    "idempotency key": {"Idempotency-Key": "key-00000001"},
    "if-none-match": {"If-None-Match": '"1"'},
    "if-match": {"If-Match": "*"},
    "prefer": {"Prefer": "return=minimal"},
    "range": {"Range": "bytes=0-10"},
    "languages": {"Accept-Language": "nl", "Accept": "text/html"},
}


def ask(
    broker: Broker, question: Question, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    body = query(purpose=PURPOSE) | dict(question) | more
    return broker.as_(PARTNER).post("/v1/summaries/query", json=body, headers=dict(headers or {}))


def told(response: Response) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    return response.status_code, response.content, sorted(response.headers.raw)


def refusals(services: Services) -> list[dict[str, Any]]:
    return [each for each in logged(services) if each["k"] == "summary.refused"]


def leaf_of(services: Services, index: int) -> bytes:
    with services.database.reading() as connection:
        ((_, leaf),) = log.entries(connection, shard=0, start=index, stop=index + 1)
        return leaf


@pytest.mark.case("T58")
@pytest.mark.parametrize("name", SITUATIONS)
def test_t58_every_no_is_told_in_the_same_bytes_and_logged_with_its_reason(
    broker: Broker, name: str
) -> None:
    situation, reason = SITUATIONS[name]
    question = situation(broker)
    before = len(refusals(broker.services))
    reference = ask(broker, {"client": UNKNOWN_HANDLE[::-1]})

    answer = ask(broker, question)

    assert told(answer) == told(reference) == UNIFORM
    unknown, this = refusals(broker.services)[before:]
    assert this["reason"] == reason
    assert unknown["reason"] == "UNKNOWN_CLIENT"
    leaves = [leaf_of(broker.services, each["index"]) for each in (unknown, this)]
    assert len(leaves[0]) == len(leaves[1])
    assert reason.encode() not in leaves[1]
    assert [json.loads(leaf).keys() for leaf in leaves] == [LEAF_KEYS, LEAF_KEYS]
    for each in (unknown, this):
        assert each["p"] == "org:undisclosed"
        assert each["c"] == f"org:{PARTNER}"
        assert each["user"] == f"{PARTNER}/u-1"


def test_each_leaf_of_a_refusal_has_the_same_members_and_parts(broker: Broker) -> None:
    client = shared(broker)
    ask(broker, client.question)
    client.holder("PUT", f"/v1/clients/{client.handle}/flags", {"flags": ["restricted"]})
    questions = [client.question, {"client": UNKNOWN_HANDLE}, {"handover": UNKNOWN_HANDOVER}]
    for each in questions:
        ask(broker, each)

    shapes = set()
    with broker.services.database.reading() as connection:
        for each in refusals(broker.services):
            parts = log.parts_of(connection, shard=0, index=each["index"])
            leaf = json.loads(leaf_of(broker.services, each["index"]))
            shapes.add((frozenset(leaf), tuple(part.label for part in parts)))
    assert shapes == {(frozenset(LEAF_KEYS), ("a", "s", "y"))}


@pytest.mark.case("T60")
@pytest.mark.case("T61")
@pytest.mark.parametrize("probe", PROBES)
def test_t60_t61_no_header_makes_a_difference_between_a_client_and_nobody(
    broker: Broker, probe: str
) -> None:
    client = shared(broker)
    client.holder("PUT", f"/v1/clients/{client.handle}/flags", {"flags": ["restricted"]})

    known = [told(ask(broker, client.question, PROBES[probe])) for _ in range(2)]
    unknown = [told(ask(broker, {"client": UNKNOWN_HANDLE}, PROBES[probe])) for _ in range(2)]

    assert known == unknown == [UNIFORM, UNIFORM]
    assert len(refusals(broker.services)) == 4


def nothing_changes(broker: Broker) -> None:
    pass


OPENLY: dict[str, tuple[Callable[[Broker], None], dict[str, Any], str, str]] = {
    "prohibited": (nothing_changes, {"purpose": "P90"}, "purpose-prohibited", "PURPOSE_PROHIBITED"),
    "unknown purpose": (nothing_changes, {"purpose": "P11"}, "purpose-unknown", "PURPOSE_UNKNOWN"),
    "unaccredited": (unaccredited, {}, "not-accredited", "RECIPIENT_NOT_ACCREDITED"),
    "no agreement": (without_any_agreement, {}, "no-agreement", "NO_ACTIVE_PROTOCOL"),
    "number": (
        without_authorisation,
        {"sections": ["natid"]},
        "not-authorised-for-identifier",
        "HARD_RULE_H4",
    ),
}


@pytest.mark.parametrize("name", OPENLY)
def test_what_depends_on_the_asking_organisation_alone_is_told_of_anybody(
    broker: Broker, name: str
) -> None:
    changes, more, problem, reason = OPENLY[name]
    client = shared(broker)
    assert ask(broker, client.question).status_code == 200
    gone = shared(broker, identity={"alias": "B."}, id="cl-other")
    gone.holder("POST", f"/v1/consents/{gone.consent}/withdrawal", {"via": "portal"})
    changes(broker)

    questions = [client.question, gone.question, {"client": UNKNOWN_HANDLE}]
    answers = [ask(broker, each, **more) for each in questions]

    assert {told(each)[:2] for each in answers} == {(403, answers[0].content)}
    assert len({tuple(told(each)[2]) for each in answers}) == 1
    assert answers[0].json()["type"] == f"urn:overdracht:problem:{problem}"
    logged_now = refusals(broker.services)
    assert [each["reason"] for each in logged_now] == [reason] * 3
    assert len({len(leaf_of(broker.services, each["index"])) for each in logged_now}) == 1


DOORS: dict[str, tuple[str, str, str, dict[str, Any] | None]] = {
    "summary": (HOLDER, "GET", "/v1/clients/{client}/summary", None),
    "deposit": (HOLDER, "PUT", "/v1/clients/{client}/summary", {"sections": {"lang": {}}}),
    "flags": (HOLDER, "PUT", "/v1/clients/{client}/flags", {"flags": []}),
    "consents": (HOLDER, "GET", "/v1/clients/{client}/consents", None),
    "withdrawal": (HOLDER, "POST", "/v1/consents/{consent}/withdrawal", {"via": "portal"}),
    "receipt": (HOLDER, "GET", "/v1/consents/{consent}/receipt", None),
    "record": (HOLDER, "GET", "/v1/consents/{consent}/record", None),
    "handover": (PARTNER, "GET", "/v1/handovers/{handover}", None),
    "acceptance": (PARTNER, "POST", "/v1/handovers/{handover}/acceptance", {}),
    "closure": (PARTNER, "POST", "/v1/handovers/{handover}/closure", {}),
}


@pytest.mark.case("T41")
@pytest.mark.parametrize("door", DOORS)
def test_t41_somebody_elses_client_is_nobody_at_every_door(broker: Broker, door: str) -> None:
    _, method, path, body = DOORS[door]
    client = shared(broker)
    ids = {"client": client.handle, "consent": client.consent, "handover": client.handover}
    none = {"client": UNKNOWN_HANDLE, "consent": "c-none", "handover": UNKNOWN_HANDOVER}
    stranger = broker.as_("destap-ww")

    foreign = stranger.request(method, path.format(**ids), json=body)
    unknown = stranger.request(method, path.format(**none), json=body)

    assert told(foreign) == told(unknown) == UNIFORM
