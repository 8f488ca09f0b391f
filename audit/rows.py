"""Rows that are only ever added, many at a time: the quickest way that each database has."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import DBAPIError

Tuples = Sequence[tuple[Any, ...]]
_WIDTHS = (64, 16, 4, 1)


class Added:
    """Adds rows to one table. Around each row Core would spend more than the database does.

    On PostgreSQL the rows are copied in, past SQLAlchemy: who counts statements does not see it.
    """

    def __init__(self, table: Any) -> None:
        dialect: Any = PGDialect()  # type: ignore[no-untyped-call]  # theirs
        columns = table.__table__.columns
        into = f"{table.__tablename__} ({', '.join(columns.keys())})"
        self._types = [each.type.compile(dialect).lower() for each in columns]
        self._copy = f"COPY {into} FROM STDIN (FORMAT BINARY)"
        # Around every statement SQLite's driver gives the interpreter's lock away, and waits for
        # whoever takes it: with one for each row, the writer waited longer than it worked.
        row = f"({', '.join('?' * len(columns))})"
        self._insert = {
            width: f"INSERT INTO {into} VALUES {', '.join([row] * width)}"  # noqa: S608  # our names
            for width in _WIDTHS
        }

    def to(self, connection: Connection, rows: Tuples) -> None:
        """Add these rows, each with every column of the table, in the table's order."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            self._copied(connection, rows)
            return
        at = 0
        for width, statement in self._insert.items():
            while len(rows) - at >= width:
                values = tuple(chain.from_iterable(rows[at : at + width]))
                connection.exec_driver_sql(statement, values)
                at += width

    def _copied(self, connection: Connection, rows: Tuples) -> None:
        driver: Any = connection.connection.driver_connection
        with (
            told_as_sqlalchemy(connection, self._copy),
            driver.cursor() as cursor,
            cursor.copy(self._copy) as copy,
        ):
            copy.set_types(self._types)
            for row in rows:
                copy.write_row(row)


@contextmanager
def told_as_sqlalchemy(connection: Connection, statement: str) -> Iterator[None]:
    """The driver's own errors as SQLAlchemy tells them, a lost connection marked as such."""
    dialect = connection.dialect
    failure: Any = dialect.loaded_dbapi.Error
    try:
        yield
    except failure as error:
        lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            failure,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        ) from error
