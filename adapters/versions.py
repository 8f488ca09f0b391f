"""Which of several rows about the same thing counts."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from adapters.contract import Problem, ProblemCode
from adapters.forms import Unread, day_month_year, moment
from adapters.spool import Row

REFUSED = -1
"""The part of rows that were refused when they were read; the payload is the code."""

_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,40}")
_T = TypeVar("_T")


def counted(
    reference: str, rows: Iterable[Row], where: Callable[[Row], str]
) -> Iterator[Row | Problem]:
    """The rows of one reference that count: identical rows once, refused ones as problems.

    A reference that could not stand in a report without risk (empty, long, or with other signs
    than letters, digits and `._-`) is refused with all its rows.
    """
    good = bool(_REFERENCE.fullmatch(reference))
    seen: set[tuple[int, int]] = set()
    for row in rows:
        mark = row.part, row.mark
        if row.part == REFUSED:
            yield Problem(where(row), ProblemCode(row.payload))
        elif not good:
            yield Problem(where(row), ProblemCode.BAD_REFERENCE)
        elif mark in seen:
            yield Problem(where(row), ProblemCode.DUPLICATE)
        else:
            seen.add(mark)
            yield row


def newest(rows: Sequence[_T], when: Callable[[_T], str]) -> _T:
    """The row with the latest time; of equals the last. Order alone proves nothing."""
    return max(enumerate(rows), key=lambda each: (when(each[1]), each[0]))[1]


def sortable(dates: str) -> Callable[[str], str]:
    """Turns dates of a mapping into text that sorts by time; what is no date comes first."""
    if dates == "iso":
        return moment

    def day(cell: str) -> str:
        found = day_month_year(cell)
        return "" if isinstance(found, Unread) else found

    return day
