"""How each numbered case stands: `make cases` runs them, `make cases ARGS=--list` only counts.

A row has a state for SQLite, one for PostgreSQL and one for tests that need no database. A part
is a letter of the case; those without a test of their own name are shown as missing.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.cases.known import cases, not_built
from tests.cases.volume import form

DATABASES = ("sqlite", "postgresql", "none")
_PART = re.compile(r"test_t\d+_?([a-n]{1,3})_")
_LETTER = re.compile(r"^([a-n])(-|$)")


class States:
    """A pytest plugin: what became of the tests of each case, by database."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.parts: dict[str, set[str]] = defaultdict(set)
        self._of: dict[str, list[tuple[str, str]]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[Any]) -> None:
        """Keep the tests of numbered cases, and remember whose they are."""
        marked = [item for item in items if item.get_closest_marker("case")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(marked)])
        items[:] = marked
        for item in items:
            database = next((each for each in DATABASES if each in item.nodeid), "none")
            ids = [marker.args[0] for marker in item.iter_markers("case")]
            self._of[item.nodeid] = [(each, database) for each in ids]
            for each in ids:
                self.parts[each] |= parts_of(item.name)
                self.found[each, database]["collected"] += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an outcome once for each test: of its call, or of what kept it from that."""
        if report.when == "call" or report.failed:
            for each in self._of[report.nodeid]:
                self.found[each][report.outcome] += 1

    def told(self, case: str, database: str) -> str:
        """The state in a word or two."""
        count = self.found[case, database]
        if not count["collected"]:
            return "-"
        if count["failed"]:
            return f"{count['failed']} FAILED"
        return f"{count['passed']} passed" if count["passed"] else f"{count['collected']} tests"


def parts_of(name: str) -> set[str]:
    """The letters that a test names, in its name or at the front of a parameter."""
    function, _, parameters = name.partition("[")
    named = _PART.match(function)
    letters = {
        match[1] for each in re.split(r"[\]-]", parameters) if (match := _LETTER.match(each))
    }
    return letters | set(named[1] if named else "")


def table(states: States) -> Table:
    waiting = set(not_built())
    made = Table("case", "what", "parts without a test", *DATABASES)
    for case in cases().values():
        if case.id in waiting:
            made.add_row(case.id, case.what, "", "not built yet", "", "")
            continue
        missing = "".join(sorted(set(case.parts) - states.parts[case.id]))
        stands = (states.told(case.id, each) for each in DATABASES)
        made.add_row(case.id, case.what, missing, *stands)
    return made


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--list", action="store_true", help="count the tests, run none")
    options = ["-q", "--no-header", "-p", "no:cacheprovider"]
    options += ["--collect-only", "-qq"] if asked.parse_args().list else []
    states = States()
    code = pytest.main(options, plugins=[states])
    console = Console(width=140)
    console.print(table(states))
    console.print(form())
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
