"""PostgreSQL below its driver's cursors: prepared statements, several in one round trip.

A cursor of psycopg spends some 80 µs of Python on a statement, this about 10. All of it are
documented calls of libpq, as `psycopg.pq` passes them on.
"""

import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

# Numbers of libpq, which never change: of forms, of a transaction, of a connection, of results.
_TEXT, _BINARY = 0, 1
_IDLE, _BAD = 0, 1
_DONE = frozenset({1, 2})
_READERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    16: lambda raw: raw == b"\x01",
    17: bytes,
    20: lambda raw: int.from_bytes(raw, "big", signed=True),
    21: lambda raw: int.from_bytes(raw, "big", signed=True),
    23: lambda raw: int.from_bytes(raw, "big", signed=True),
    25: bytes.decode,
    1042: bytes.decode,
    1043: bytes.decode,
    2278: lambda _: None,
}
"""How a value arrives, by the number of its type: bool, bytea, int8, int2, int4, texts, void."""


def beginning(driver: Any) -> list[str]:
    """What must be said first: `BEGIN`, as the driver would, where no transaction stands yet."""
    if driver.autocommit or driver.pgconn.transaction_status != _IDLE:
        return []
    level = driver.isolation_level
    return ["BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}"]


def prepare(connection: Any, name: str, text: str) -> None:
    """Have the statement, with `$1`, `$2` …, ready under this name. Raises the driver's errors."""
    _good(connection, connection.prepare(name.encode(), text.encode()))


def run(
    connection: Any, asked: Sequence[tuple[str, Sequence[Sequence[Any]]]]
) -> list[tuple[list[tuple[Any, ...]], int]]:
    """Rows found and rows changed, for each prepared statement and all of its values in order.

    `connection` is libpq's (`psycopg.pq.PGconn`). Raises the driver's errors; nothing after
    the first that failed has run.
    """
    if len(asked) == 1 and len(asked[0][1]) == 1:
        ((name, (values,)),) = asked
        given, formats = _sent(values)
        result = connection.exec_prepared(name.encode(), given, formats, _BINARY)
        return [_read(_good(connection, result))]
    return _pipelined(connection, asked)


def _pipelined(
    connection: Any, asked: Sequence[tuple[str, Sequence[Sequence[Any]]]]
) -> list[tuple[list[tuple[Any, ...]], int]]:
    sent = [(name.encode(), *_sent(values)) for name, rows in asked for values in rows]
    connection.enter_pipeline_mode()
    for each in sent:
        connection.send_query_prepared(*each, _BINARY)
    connection.pipeline_sync()
    results = _results(connection, len(sent))
    connection.exit_pipeline_mode()
    for each in results:
        _good(connection, each)
    left, answers = iter(results), []
    for _, rows in asked:
        read = [_read(next(left)) for _ in rows]
        found = [row for rows_of_one, _ in read for row in rows_of_one]
        answers.append((found, sum(changed for _, changed in read)))
    return answers


def _results(connection: Any, expected: int) -> list[Any]:
    """One result for each statement, in order; those after a failure say that they did not run."""
    waiting = select.poll()
    waiting.register(connection.socket, select.POLLIN)
    while connection.flush():
        waiting.modify(connection.socket, select.POLLIN | select.POLLOUT)
        waiting.poll()
        connection.consume_input()
    waiting.modify(connection.socket, select.POLLIN)
    results: list[Any] = []
    # A result and an end of results for each, and at last the one that answers the sync.
    while len(results) <= expected:
        while connection.is_busy():
            waiting.poll()
            connection.consume_input()
        result = connection.get_result()
        if result is not None:
            results.append(result)
    return results[:expected]


def _sent(values: Sequence[Any]) -> tuple[list[bytes | None], list[int]]:
    """The values as they travel: numbers as text, whatever their width; the rest as it is."""
    given: list[bytes | None] = []
    formats: list[int] = []
    for value in values:
        if value is None or isinstance(value, bytes):
            given.append(value)
            formats.append(_BINARY)
        elif isinstance(value, str):
            given.append(value.encode())
            formats.append(_BINARY)
        elif isinstance(value, int):
            given.append(str(int(value)).encode())
            formats.append(_TEXT)
        else:
            raise TypeError(f"a value of type {type(value).__name__} is not sent this way")
    return given, formats


def _read(result: Any) -> tuple[list[tuple[Any, ...]], int]:
    columns = [(at, _READERS[result.ftype(at)]) for at in range(result.nfields)]
    value = result.get_value
    rows = [
        tuple(None if (raw := value(row, at)) is None else read(raw) for at, read in columns)
        for row in range(result.ntuples)
    ]
    return rows, result.command_tuples or 0


def _good(connection: Any, result: Any) -> Any:
    """The result, unless the statement failed: then the driver's error for it is raised."""
    if result.status in _DONE:
        return result
    from psycopg import errors  # noqa: PLC0415 - only where PostgreSQL is used

    if connection.status == _BAD:
        raise errors.OperationalError("the connection is lost")
    raise errors.error_from_result(result)
