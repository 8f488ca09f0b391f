"""docs/problems.md and the problems that can be told are one list."""

import re
from pathlib import Path

from exchange import problems
from exchange.problems import BASE, FAILURES, REFUSALS, Problem

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"
ROW = re.compile(rf"^\| `({BASE}[a-z-]+)` \| ([0-9]{{3}}) \| (.+) \| (.+) \|$", re.MULTILINE)


def told() -> set[tuple[str, int]]:
    """Type and status of every problem that the service can answer with."""
    of_module = [each for each in vars(problems).values() if isinstance(each, Problem)]
    every = (*of_module, *REFUSALS.values(), *FAILURES.values())
    return {(BASE + each.name, each.status) for each in every}


def test_the_page_lists_each_problem_with_its_status_and_nothing_else() -> None:
    rows = [(row[1], int(row[2])) for row in ROW.finditer(PAGE.read_text("utf-8"))]

    assert len(rows) == len(set(rows))
    assert set(rows) == told()


def test_every_mention_of_a_type_on_the_page_is_a_row_or_the_example() -> None:
    mentioned = re.findall(rf"{BASE}[a-z-]+", PAGE.read_text("utf-8"))

    assert set(mentioned) == {name for name, _ in told()}


def test_a_name_has_one_status() -> None:
    names = [name for name, _ in told()]

    assert len(names) == len(set(names))


def test_a_problem_document_names_its_type_and_echoes_nothing() -> None:
    document = problems.NOT_AVAILABLE.document()

    assert document == {"type": f"{BASE}not-available", "title": "Not available", "status": 404}
