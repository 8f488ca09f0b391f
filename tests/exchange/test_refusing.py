"""A refusal leaves at a step of the clock, counted from when the request was there whole."""

import asyncio
import json
import time
from typing import Any

import pytest

from exchange.refusing import STEP, came_whole, next_step
from tests.builders import Broker, query
from tests.cases.classes import queries
from tests.invariants.situations import PARTNER, PURPOSE, UNKNOWN_HANDOVER


@pytest.mark.case("T59")
def test_t59_a_refusal_never_leaves_between_two_steps(broker: Broker) -> None:
    partner = broker.as_(PARTNER)
    for body in queries(broker).values():
        began = time.perf_counter()
        assert partner.post("/v1/summaries/query", json=body).status_code == 404
        assert time.perf_counter() - began >= STEP


@pytest.mark.parametrize("waited", [0.0, 0.4, 0.9, 2.5])
def test_the_next_step_is_a_whole_number_of_steps_after_the_request(waited: float) -> None:
    scope: dict[str, Any] = {}
    came_whole(scope)
    (name,) = scope
    scope[name] -= waited * STEP
    asyncio.run(next_step(scope))
    assert time.perf_counter() - scope[name] >= (int(waited) + 1) * STEP


@pytest.mark.case("T59")
def test_t59_who_sends_the_last_byte_late_moves_no_step(broker: Broker) -> None:
    """Else our own work could be laid across a step, and a microsecond would cost a whole one."""
    token = broker.as_(PARTNER).headers["Authorization"].encode()
    body = json.dumps(query(handover=UNKNOWN_HANDOVER, purpose=PURPOSE)).encode()
    handed_over: list[float] = []
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "POST"}
    scope |= {"scheme": "http", "path": "/v1/summaries/query", "raw_path": b"/v1/summaries/query"}
    scope |= {"query_string": b"", "root_path": "", "client": ("127.0.0.1", 1)}
    scope |= {"server": ("127.0.0.1", 80)}
    scope["headers"] = [(b"host", b"127.0.0.1"), (b"authorization", token)]
    scope["headers"] += [(b"content-type", b"application/json")]
    scope["headers"] += [(b"content-length", b"%d" % len(body))]

    async def receive() -> dict[str, Any]:
        late = time.perf_counter() + STEP / 2
        while time.perf_counter() < late:
            await asyncio.sleep(0)
        handed_over.append(late)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 404) == 404
        told.append(time.perf_counter())

    told: list[float] = []
    for _ in range(5):
        asyncio.run(broker.app({**scope}, receive, send))
    waited = [answer - last for last, answer in zip(handed_over, told[::2], strict=True)]
    assert min(waited) >= STEP
