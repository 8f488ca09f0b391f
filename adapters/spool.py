"""Rows sorted by client without holding them in memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, Self

from adapters.contract import AdapterError


class Row(NamedTuple):
    """One row of an export, reduced to the columns that are read."""

    reference: str
    part: int
    number: int
    """Its place in the file; the header is row 1."""
    mark: int
    """Equal for identical rows of one client, and made of every column: those unread as well."""
    payload: str


class Spool:
    """A temporary store that gives the rows back client by client, in the order of the file.

    It is SQLite's own temporary database: small exports stay in memory, large ones go to a
    file that has no name in any folder, so nothing is left behind when the process dies.
    """

    def __init__(self) -> None:
        # A generator may be drained from another thread than the one that began it.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA cache_size = -16384")
        self._database.execute(
            "CREATE TABLE row (reference TEXT, part INTEGER, number INTEGER, mark INTEGER,"
            " payload TEXT)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, rows: Iterable[tuple[str, int, int, int, str]]) -> None:
        """Store rows as they come. Raises `AdapterError` when the disk is full."""
        with _disk_errors():
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO row VALUES (?, ?, ?, ?, ?)", rows)
            self._database.execute("COMMIT")

    def by_reference(self) -> Iterator[tuple[str, Iterator[Row]]]:
        """Each reference with its rows, by part and then in the order of the file.

        Take the rows of one reference before the next is asked for. Raises `AdapterError` when
        the disk is too full to sort.
        """
        query = "SELECT * FROM row ORDER BY reference, part, number"
        with _disk_errors(), closing(self._database.execute(query)) as rows:
            for reference, group in groupby(rows, key=itemgetter(0)):
                yield reference, map(Row._make, group)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise AdapterError("no room for temporary data: set TMPDIR to a larger disk") from error
