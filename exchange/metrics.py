"""How the log is doing, in the text form of Prometheus (audit-log.md, section 13).

Numbers of the whole log and names of our own functions: nothing in them is about anybody.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from audit import log, published
from consent.belgian_time import instant
from exchange import alerts
from exchange.services import SHARD, Services
from exchange.tenancy import EVERYBODY

KIND = "text/plain; version=0.0.4; charset=utf-8"
_SECOND = 1_000_000


def metrics_text(services: Services) -> str:
    """Every number as it stands now, each with a line that says what it is."""
    silent = services.checkpointing.silence(services.clock()).total_seconds()
    with services.database.reading() as connection:
        lines = list(_of_the_log(connection, services.clock()))
    with services.database.reading(tenant=EVERYBODY) as connection:
        lines += _of_alerts(connection)
    lines += _gauge("log_unwitnessed_seconds", "Since a quorum of witnesses signed.", silent)
    frozen = services.admission.frozen is not None
    lines += _gauge("log_frozen", "1: nothing may be written; see doctor.", int(frozen))
    scrubbed = services.checkpointing.scrubbed
    lines += _gauge("scrub_position", "Entries hashed again by the last scrub.", scrubbed)
    return "\n".join([*lines, *_of_the_writer(services), ""])


def _of_the_log(connection: Connection, now: datetime) -> Iterator[str]:
    head, signed = log.head(connection, shard=SHARD), published.latest(connection, shard=SHARD)
    size = 0 if signed is None else signed.size
    yield from _gauge("log_size", "Entries in the log.", head.size)
    yield from _gauge("log_signed_size", "Entries under the last published head.", size)
    age = 0.0
    for _, leaf in log.entries(connection, shard=SHARD, start=size, stop=size + 1):
        age = max(0, instant(now) - json.loads(leaf)["t"]) / _SECOND
    yield from _gauge("log_unsigned_seconds", "Age of the oldest entry not signed.", age)


def _of_alerts(connection: Connection) -> Iterator[str]:
    yield from _head("alerts_total", "What a data protection officer must hear of.", "counter")
    for kind, times in sorted(alerts.counted(connection, shard=SHARD).items()):
        yield f'overdracht_alerts_total{{kind="{kind}"}} {times}'


def _of_the_writer(services: Services) -> Iterator[str]:
    tally = services.tally
    yield from _gauge("queue_depth", "Commands that wait.", services.writer.waiting)
    yield from _counter("batches_total", "Batches settled.", tally.batches)
    yield from _counter("commands_total", "Commands in them.", tally.commands)
    yield from _gauge("batch_size", "Commands in the last batch.", tally.last_batch)
    yield from _gauge("commit_p99_seconds", "Of the last commits.", round(tally.commit_p99(), 6))
    yield from _counter("clock_clamps_total", "Batches with the clock behind.", tally.clamps)
    yield from _head("gate_failures_total", "Gates and rules that failed: a no each.", "counter")
    for name, times in sorted(tally.failed().items()):
        yield f'overdracht_gate_failures_total{{rule="{name}"}} {times}'
    runs = sorted(tally.runs().items())
    yield from _head("command_seconds", "Run time under the lock.", "summary")
    for kind, (times, seconds) in runs:
        yield f'overdracht_command_seconds_count{{kind="{kind}"}} {times}'
        yield f'overdracht_command_seconds_sum{{kind="{kind}"}} {seconds:.6f}'


def _gauge(name: str, words: str, value: float) -> Iterator[str]:
    yield from _head(name, words, "gauge")
    yield f"overdracht_{name} {value}"


def _counter(name: str, words: str, value: int) -> Iterator[str]:
    yield from _head(name, words, "counter")
    yield f"overdracht_{name} {value}"


def _head(name: str, words: str, kind: str) -> Iterator[str]:
    yield f"# HELP overdracht_{name} {words}"
    yield f"# TYPE overdracht_{name} {kind}"
