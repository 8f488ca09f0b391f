"""Rows that are only ever added, many at a time: the quickest way that each database has."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import PGDialect

from audit.prepared import Answer, Asked, Prepared, together, told_as_core

Tuples: TypeAlias = Sequence[tuple[Any, ...]]
_WIDTHS = (64, 16, 4, 1)
_WORTH_COPYING = 256
"""Rows from which on PostgreSQL has them sooner when they are copied in."""


class Added:
    """Adds rows to one table. Around each row Core would spend more than the database does.

    Rows that are copied in go past SQLAlchemy: who counts statements does not see them.
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
            width: Prepared(f"INSERT INTO {into} VALUES {', '.join([row] * width)}")  # noqa: S608  # our names
            for width in _WIDTHS
        }

    def to(self, connection: Connection, rows: Tuples) -> None:
        """Add these rows, each with every column of the table, in the table's order."""
        add(connection, [(self, rows)])

    def asked(self, rows: Tuples) -> list[Asked]:
        """The statements that add them, with their values."""
        asked: list[Asked] = []
        at = 0
        for width in _WIDTHS:
            more = (len(rows) - at) // width
            starts = range(at, at + more * width, width)
            if more:
                values = [tuple(chain.from_iterable(rows[n : n + width])) for n in starts]
                asked.append((self._insert[width], values))
                at += more * width
        return asked

    def copied(self, connection: Connection, rows: Tuples) -> None:
        """On PostgreSQL: add very many."""
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
                copy.set_types(self._types)
                for row in rows:
                    copy.write_row(row)
        except Exception as error:
            raise told_as_core(connection, self._copy, error) from error


def add(
    connection: Connection, added: Sequence[tuple[Added, Tuples]], *then: Asked
) -> list[Answer]:
    """Add rows to some tables, then do the rest, whose answers are given back.

    One round trip to PostgreSQL, unless they are very many. Raises `DBAPIError`.
    """
    many = sum(len(rows) for _, rows in added) >= _WORTH_COPYING
    if many and connection.dialect.name == "postgresql":
        for table, rows in added:
            table.copied(connection, rows)
        added = []
    asked = [one for table, rows in added for one in table.asked(rows)]
    answers = together(connection, *asked, *then)
    return answers[len(asked) :]
