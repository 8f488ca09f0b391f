"""Does the time of a refusal tell whether somebody is a client? Welch's t, class against class.

Run it on a quiet machine: `python -m tests.bench.timing --samples 20000`. Prints one JSON
document; exit 1 when some |t| reaches 4.5. Nothing is repeated until it fits.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from itertools import combinations
from math import sqrt
from pathlib import Path
from statistics import fmean, median, variance
from typing import Any

from consent.notices import read_notice
from exchange.flows.administer import apply_documents, apply_notices
from exchange.flows.fetch_summary import SummaryQuery, fetch_summary
from exchange.samples import DATA, directory_documents
from exchange.security.tokens import Caller
from exchange.services import Services, build_services
from exchange.settings import Settings
from policies.decision import Refused
from policies.vocabulary import HandoverId
from tests.builders import Broker, Clock
from tests.cases.classes import PARTNER, queries

THRESHOLD = 4.5
WARM = 200


def measured(services: Services, samples: int, seed: int) -> dict[str, list[int]]:
    """Nanoseconds of every refusal, the classes in random order, round by round."""
    broker = Broker(services, Clock())
    asked = {name: _query(body) for name, body in queries(broker).items()}
    caller = _caller(broker)
    times: dict[str, list[int]] = {name: [] for name in asked}
    order = random.Random(seed)  # noqa: S311 - mixes classes, keeps no secret
    for each in range(samples + WARM):
        for name in order.sample(sorted(asked), len(asked)):
            began = time.perf_counter_ns()
            done = services.writer.submit(fetch_summary, caller, asked[name], services.rulebook)
            assert isinstance(done.result().value, Refused)
            if each >= WARM:
                times[name].append(time.perf_counter_ns() - began)
    return times


def welch(one: list[int], other: list[int]) -> float:
    """Welch's t statistic of two samples."""
    error = variance(one) / len(one) + variance(other) / len(other)
    return (fmean(one) - fmean(other)) / sqrt(error)


def trimmed(times: list[int]) -> list[int]:
    """Without the slowest tenth: those waited for the machine, not for us."""
    return sorted(times)[: len(times) * 9 // 10]


def _query(body: Any) -> SummaryQuery:
    return SummaryQuery(
        purpose=body["purpose"],
        end_user=body["end_user"]["id"],
        function=body["end_user"]["function"],
        case_reference=body["case_reference"],
        handover=HandoverId(body["handover"]),
    )


def _caller(broker: Broker) -> Caller:
    partner = broker.as_(PARTNER)
    token = partner.headers["Authorization"]
    return broker.services.tokens.read(token, broker.clock())


def _furnished(folder: Path) -> Services:
    services = build_services(Settings(data_dir=folder), clock=Clock())
    services.writer.submit(apply_documents, directory_documents()).result()
    notices = sorted((DATA / "notices").glob("*.md"))
    services.writer.submit(apply_notices, [read_notice(p.read_bytes()) for p in notices]).result()
    return services


def main() -> int:
    """Measure, print, and say by the exit code whether the classes can be told apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        services = _furnished(Path(folder) / "data")
        times = measured(services, asked.samples, asked.seed)
        services.close()
    kept = {name: trimmed(each) for name, each in times.items()}
    t = {f"{a}/{b}": round(welch(kept[a], kept[b]), 2) for a, b in combinations(kept, 2)}
    p50 = {name: round(median(each) / 1000, 1) for name, each in times.items()}
    good = all(abs(each) < THRESHOLD for each in t.values())
    report = {"samples": asked.samples, "p50_us": p50, "t": t, "good": good}
    print(json.dumps(report, indent=1))  # noqa: T201 - its result
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
