"""The numbered cases, and which tests say that they prove one."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "threat-model.md"
MARKED = re.compile(r"pytest\.mark\.case\(([^)]*)\)")
_NAMED = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One row: who owns it, the letters of its parts, and what it is about."""

    id: str
    layer: str
    parts: str
    what: str


def cases() -> dict[str, Case]:
    """All 110, in order."""
    with (TESTS / "data" / "cases.csv").open(encoding="utf-8", newline="") as rows:
        return {
            row["case"]: Case(row["case"], row["layer"], row["parts"], row["what"])
            for row in csv.DictReader(rows, delimiter=";")
        }


def marked() -> dict[str, list[str]]:
    """What stands in every case marker, by file."""
    here = TESTS / "cases" / "test_cases_are_known.py"
    found = {
        str(path.relative_to(TESTS)): MARKED.findall(path.read_text("utf-8"))
        for path in sorted(TESTS.rglob("test_*.py"))
        if path != here
    }
    return {name: markers for name, markers in found.items() if markers}


def proved() -> set[str]:
    return {marker.strip('"') for markers in marked().values() for marker in markers}


def named_tests() -> set[str]:
    """The name of every test function there is."""
    return {
        name
        for path in TESTS.rglob("test_*.py")
        for name in _NAMED.findall(path.read_text("utf-8"))
    }


def section(title: str) -> list[list[str]]:
    """The rows of the table under a heading of the threat model, its head aside."""
    text = PAGE.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def not_built() -> list[str]:
    """The cases that the threat model says are not proved yet."""
    return [case for row in section("Not built yet") for case in row[1].split()]
