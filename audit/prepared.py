"""Statements built once that run on the driver itself: for the few that every request needs.

What SQLAlchemy's Core does around a statement costs more than the statement: on SQLite 20 of
23 µs. Several at once are one round trip to PostgreSQL, which prepares each once a connection.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from audit import postgresql

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Mapping[str, Any] | Sequence[Any]

_KNOWN = "overdracht_prepared"
_MARK = re.compile(r"\?")
_NAMED = re.compile(r"%\((\w+)\)s")


class Answer(NamedTuple):
    """The rows a statement found, and how many it changed."""

    rows: list[Row]
    changed: int


class _Made(NamedTuple):
    """A statement as one dialect takes it. Without `order` its values come in place."""

    text: str
    order: Sequence[str] | None
    fixed: Mapping[str, Any]
    name: str = ""
    """Under which PostgreSQL keeps it: a pooler may share connections with another release."""

    def given(self, values: Any) -> Sequence[Any]:
        """The values in the order of their marks."""
        if self.order is None:
            return values  # type: ignore[no-any-return]  # in place already
        named = {**self.fixed, **values} if self.fixed else values
        return [named[name] for name in self.order]


class Prepared:
    """One statement: of Core, with named values, or a text with a `?` for each value."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._made: dict[str, _Made] = {}

    def rows(self, connection: Connection, values: Values) -> list[Row]:
        """Every row, its columns as the driver gives them. Raises `DBAPIError`, as Core does."""
        return together(connection, (self, (values,)))[0].rows

    def made(self, dialect: Dialect) -> _Made:
        """The text for a dialect, and the order of its values."""
        made = self._made.get(dialect.name)
        if made is None:
            named = not isinstance(self._statement, str)
            made = (
                _compiled(self._statement, dialect) if named else _Made(self._statement, None, {})
            )
            if dialect.name == "postgresql":
                made = _numbered(made)
            name = f"overdracht_{sha256(made.text.encode()).hexdigest()[:32]}"
            made = self._made[dialect.name] = made._replace(name=name)
        return made


Asked: TypeAlias = tuple[Prepared, Sequence[Values]]
"""A statement, and the values it is to run with, once for each."""


def together(connection: Connection, *asked: Asked) -> list[Answer]:
    """What each statement answers, run once for each of its values, in order.

    The first that fails ends it: raises `DBAPIError`, as Core does.
    """
    dialect = connection.dialect
    made = [each.made(dialect) for each, _ in asked]
    calls = [
        (each.text, [each.given(one) for one in values])
        for each, (_, values) in zip(made, asked, strict=True)
    ]
    for told in tuple(connection.dispatch.before_cursor_execute):
        for text, rows in calls:
            told(connection, None, text, rows, None, len(rows) > 1)
    try:
        if dialect.name == "postgresql":
            names = [each.name for each in made]
            return _on_postgresql(connection, names, calls)
        return _on_sqlite(connection, calls)
    except Exception as error:
        raise told_as_core(connection, calls[0][0], error) from error


def _on_sqlite(connection: Connection, calls: Iterable[tuple[str, list[Any]]]) -> list[Answer]:
    driver: Any = connection.connection.dbapi_connection
    answers = []
    for text, rows in calls:
        if len(rows) == 1:
            cursor = driver.execute(text, rows[0])
            answers.append(Answer(cursor.fetchall(), cursor.rowcount))
        else:
            answers.append(Answer([], driver.executemany(text, rows).rowcount if rows else 0))
    return answers


def _on_postgresql(
    connection: Connection, names: Sequence[str], calls: Sequence[tuple[str, list[Any]]]
) -> list[Answer]:
    driver: Any = connection.connection.driver_connection
    known: set[str] | None = connection.info.get(_KNOWN)
    if known is None:
        known = connection.info[_KNOWN] = set()
        # With statements of its own the driver would forget all at a rollback, ours too.
        driver.prepare_threshold = None
    begun = postgresql.beginning(driver)
    asked = [
        *((text, text, [()]) for text in begun),
        *zip(names, *zip(*calls, strict=True), strict=True),
    ]
    for name, text, _ in asked:
        if name not in known:
            postgresql.prepare(driver.pgconn, name, text)
            known.add(name)
    answers = postgresql.run(driver.pgconn, [(name, rows) for name, _, rows in asked])
    return [Answer(*each) for each in answers[len(begun) :]]


def told_as_core(connection: Connection, text: str, error: Exception) -> Exception:
    """The driver's own error as Core tells it, a lost connection marked; others as they are."""
    dialect = connection.dialect
    failure: Any = dialect.loaded_dbapi.Error
    if not isinstance(error, failure):
        return error
    driver = connection.connection.dbapi_connection
    return DBAPIError.instance(  # type: ignore[no-any-return]
        text,
        None,
        error,
        failure,
        hide_parameters=True,
        connection_invalidated=dialect.is_disconnect(error, driver, None),
        dialect=dialect,
    )


def _compiled(statement: Any, dialect: Dialect) -> _Made:
    compiled: Any = statement.compile(dialect=dialect)
    asked = {name for name, bind in compiled.binds.items() if bind.required}
    # Lists are written out by their values, so for that all need some value.
    whole = compiled.construct_expanded_state(dict.fromkeys(asked, 0))
    fixed = {name: value for name, value in whole.parameters.items() if name not in asked}
    text = str(whole.statement)
    if compiled.positional:
        text, order = _with_numbers(text, whole.positiontup, fixed)
        return _Made(text, order, fixed)
    return _Made(text, (), fixed)


def _with_numbers(
    text: str, order: Sequence[str], fixed: Mapping[str, Any]
) -> tuple[str, Sequence[str]]:
    """The statement with its fixed numbers written out, and the parameters that are left.

    SQLite plans a statement anew for each value of a bound LIMIT.
    """
    first, *others = text.split("?")
    left = []
    for name, following in zip(order, others, strict=True):
        if isinstance(fixed.get(name), int):
            first += str(fixed[name]) + following
        else:
            left.append(name)
            first += "?" + following
    return first, left


def _numbered(made: _Made) -> _Made:
    """With $1, $2 … where the drivers of Python have marks of their own."""
    if made.order is None:
        numbers = count(1)
        return made._replace(text=_MARK.sub(lambda _: f"${next(numbers)}", made.text))
    places: dict[str, int] = {}
    text = _NAMED.sub(lambda it: f"${places.setdefault(it[1], len(places) + 1)}", made.text)
    return _Made(text.replace("%%", "%"), tuple(places), made.fixed)
