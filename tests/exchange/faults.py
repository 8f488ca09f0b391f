"""Have the n-th statement of the writer fail: before it is run, or when it has been."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from audit import prepared
from exchange.database import WRITES, Database
from tests.exchange.disasters import disk_full


class Faults:
    """Counts the statements of the writer while armed, and lets one of them fail."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database, self._armed = database, False
        self._left, self._done, self.struck = 0, False, ""
        for name in ("_on_sqlite", "_on_postgresql"):
            monkeypatch.setattr(prepared, name, self._around(getattr(prepared, name)))
        event.listen(database.writing_engine, "before_cursor_execute", self._before)
        event.listen(database.writing_engine, "after_cursor_execute", self._after)

    def arm(self, number: int, *, done: bool) -> None:
        """Let the statement of this number fail, counted from 0; `done`: after it was run."""
        self._armed, self._left, self._done, self.struck = True, number, done, ""

    def disarm(self) -> str:
        """Which statement failed, or nothing when there were fewer."""
        self._armed = False
        return self.struck

    def _around(self, real: Any) -> Any:
        def run(connection: Any, *rest: Any) -> Any:
            if not self._armed or WRITES not in connection.get_execution_options():
                return real(connection, *rest)
            return self._run(real, connection, *rest)

        return run

    def _run(self, real: Any, connection: Any, *rest: Sequence[Any]) -> Any:
        """Those before it in its group are run, and it too if it is to fail when done."""
        size = len(rest[-1])
        at, self._left = self._left, self._left - size
        if not 0 <= at < size:
            return real(connection, *rest)
        run = at + self._done
        if run:
            real(connection, *(each[:run] for each in rest))
        self.struck = rest[-1][at][0]
        raise disk_full(self._database)

    def _before(self, *args: Any) -> None:
        if self._armed and args[4] is not None and not self._done:
            self._core(args[2])

    def _after(self, *args: Any) -> None:
        if self._armed and args[4] is not None and self._done:
            self._core(args[2])

    def _core(self, text: str) -> None:
        at, self._left = self._left, self._left - 1
        if at == 0:
            self.struck = text
            raise OperationalError(text, None, disk_full(self._database))
