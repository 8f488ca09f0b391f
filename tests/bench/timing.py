"""Does the time of a refusal tell why it is one? Welch's t, each cause against each other.

Run it on a quiet machine: `python -m tests.bench.timing --samples 20000`. Every cause has a client
of its own; each request goes through the whole application, from its bytes to the answer's, the
causes in random order. The slowest tenth of each cause is left out before t is taken (they waited
for the machine); t over everything is printed beside it. One JSON document; exit 1 when some |t|
reaches 4.5. Nothing is repeated until it fits.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from math import sqrt
from pathlib import Path
from statistics import fmean, median, variance
from typing import Any

from consent.notices import read_notice
from exchange.flows.administer import apply_documents, apply_notices
from exchange.samples import DATA, directory_documents
from exchange.services import Services, build_services
from exchange.settings import Settings
from tests.builders import Broker, Clock, logged, query
from tests.invariants.situations import (
    HOLDER,
    PARTNER,
    PURPOSE,
    UNKNOWN_HANDOVER,
    Client,
    grant,
    shared,
)

THRESHOLD = 4.5
WARM = 200
Times = dict[str, list[int]]


def _own(broker: Broker, name: str, *grants: dict[str, Any], **consent: Any) -> Client:
    """A client whom no other cause is about."""
    return shared(broker, *grants, id=f"timing-{name}", identity={"alias": name}, consent=consent)


def _foreign(broker: Broker) -> str:
    return broker.related(HOLDER, _own(broker, "foreign").handle, "leerwinkel-wvl", "P1")


def _never_asked(broker: Broker) -> str:
    return _own(broker, "never-asked", grant(purpose="P6")).handover


def _refused(broker: Broker) -> str:
    no = [{"purpose": PURPOSE, "recipient": f"org:{PARTNER}"}]
    return _own(broker, "refused", grant(purpose="P6"), refused=no).handover


def _withdrawn(broker: Broker) -> str:
    client = _own(broker, "withdrawn")
    # Something else still ties the two together: so it is the consent that is missing.
    lasting = {**client.sample.consent, "grants": [grant(purpose="P6")]}
    broker.given(replace(client.sample, consent=lasting), client.handle)
    handover = broker.related(HOLDER, client.handle, PARTNER, "P6")
    client.holder("POST", f"/v1/consents/{client.consent}/withdrawal", {"via": "portal"})
    return handover


def _expired(broker: Broker) -> str:
    return _own(broker, "expired", grant(until="2026-11-03")).handover


def _denied(broker: Broker) -> str:
    no = [{"sections": "all", "recipient": f"org:{PARTNER}"}]
    return _own(broker, "denied", denials=no).handover


def _restricted(broker: Broker) -> str:
    client = _own(broker, "restricted")
    client.holder("PUT", f"/v1/clients/{client.handle}/flags", {"flags": ["restricted"]})
    return client.handover


CAUSES: Mapping[str, tuple[str, Callable[[Broker], str]]] = {
    "unknown": ("UNKNOWN_CLIENT", lambda _: UNKNOWN_HANDOVER),
    "foreign": ("UNKNOWN_CLIENT", _foreign),
    "never asked": ("NO_CONSENT", _never_asked),
    "refused": ("CONSENT_REFUSED", _refused),
    "withdrawn": ("CONSENT_WITHDRAWN", _withdrawn),
    "expired": ("CONSENT_EXPIRED", _expired),
    "denied": ("EXPLICIT_DENIAL", _denied),
    "restricted": ("SUBJECT_RESTRICTED", _restricted),
}
"""Reason in the log, and the handover that the partner asks by."""


def measured(services: Services, clock: Clock, samples: int, seed: int) -> Times:
    """Nanoseconds of every refusal, the causes in random order, round by round."""
    broker = Broker(services, clock)
    bodies = {
        name: json.dumps(query(handover=prepare(broker), purpose=PURPOSE)).encode()
        for name, (_, prepare) in CAUSES.items()
    }
    broker.clock.move(timedelta(days=2))
    token = broker.as_(PARTNER).headers["Authorization"].encode()
    for name, body in bodies.items():
        asyncio.run(_asked(broker.app, body, token))
        assert logged(services)[-1]["reason"] == CAUSES[name][0], name
    order = random.Random(seed)  # noqa: S311 - mixes causes, keeps no secret
    return asyncio.run(_timed(broker.app, bodies, token, samples, order))


async def _timed(
    app: Any, bodies: Mapping[str, bytes], token: bytes, samples: int, order: random.Random
) -> Times:
    times: Times = {name: [] for name in bodies}
    for each in range(WARM + samples):
        for name in order.sample(sorted(bodies), len(bodies)):
            took = await _asked(app, bodies[name], token)
            if each >= WARM:
                times[name].append(took)
    return times


async def _asked(app: Any, body: bytes, token: bytes) -> int:
    """How long one request took that was refused as not available."""
    headers = [(b"host", b"127.0.0.1"), (b"authorization", token)]
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    path = "/v1/summaries/query"
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
    }
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    scope |= {"headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    began = time.perf_counter_ns()
    await app(scope, receive, send)
    took = time.perf_counter_ns() - began
    assert told[0]["status"] == 404, told
    return took


def welch(one: list[int], other: list[int]) -> float:
    """Welch's t statistic of two samples."""
    error = variance(one) / len(one) + variance(other) / len(other)
    return (fmean(one) - fmean(other)) / sqrt(error)


def trimmed(times: list[int]) -> list[int]:
    """Without the slowest tenth: those waited for the machine, not for us."""
    return sorted(times)[: len(times) * 9 // 10]


def compared(times: Times) -> dict[str, float]:
    """Welch's t of each cause against each other."""
    pairs = combinations(times, 2)
    return {f"{a}/{b}": round(welch(times[a], times[b]), 2) for a, b in pairs}


def _furnished(folder: Path, clock: Clock) -> Services:
    services = build_services(Settings(data_dir=folder), clock=clock)
    services.writer.submit(apply_documents, directory_documents()).result()
    notices = sorted((DATA / "notices").glob("*.md"))
    services.writer.submit(apply_notices, [read_notice(p.read_bytes()) for p in notices]).result()
    return services


def main() -> int:
    """Measure, print, and say by the exit code whether the causes can be told apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        services = _furnished(Path(folder) / "data", clock)
        times = measured(services, clock, asked.samples, asked.seed)
        services.close()
    t, whole = compared({name: trimmed(each) for name, each in times.items()}), compared(times)
    p50 = {name: round(median(each) / 1000, 1) for name, each in times.items()}
    good = all(abs(each) < THRESHOLD for each in t.values())
    report = {"samples": asked.samples, "p50_us": p50, "t": t, "t_over_all": whole, "good": good}
    print(json.dumps(report, indent=1))  # noqa: T201 - its result
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
