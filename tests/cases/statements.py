"""What the writer's connection is asked, seen from below everything of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exchange.services import Services
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused

_VALUE = re.compile(r"[xX]?'(?:[^']|'')*'|-?\b[0-9]+\b|\bNULL\b")


@contextmanager
def statements(services: Services, trace: Path) -> Iterator[list[str]]:
    """Every statement of the block in order, without its values; complete when it has ended.

    On SQLite the statements themselves; on PostgreSQL the kinds of message that were sent,
    which the driver writes to the file `trace`.
    """
    seen: list[str] = []
    connection = _connection(services)
    if services.database.is_sqlite:
        connection.set_trace_callback(lambda text: seen.append(_VALUE.sub("?", text)))
        yield seen
        connection.set_trace_callback(None)
        return
    with trace.open("w") as file:
        connection.pgconn.trace(file.fileno())
        yield seen
        connection.pgconn.untrace()
    lines = (line.split("\t") for line in trace.read_text().splitlines())
    sent = [parts[3].strip() for parts in lines if len(parts) > 3 and parts[1] == "F"]
    # When the driver empties its buffer within a pipeline is no work of the database's.
    seen += [each for each in sent if each != "Flush"]


def _connection(services: Services) -> Any:
    """The driver's connection under the writer, which it keeps for life."""
    found = services.writer.submit(_raw).result().value
    assert not isinstance(found, Refused)
    return found


def _raw(tx: Transaction) -> Outcome[Any]:
    return Outcome(tx.connection.connection.dbapi_connection)
