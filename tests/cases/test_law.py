"""docs/law.md says what is so: no rule that consent touches is missing, each test exists."""

import re

import pytest

from tests.cases.known import TESTS

PAGE = TESTS.parent / "docs" / "law.md"
TOUCHED = {
    "gdpr-lawfulness",
    "gdpr-purpose",
    "gdpr-minimise",
    "gdpr-retention",
    "gdpr-accountability",
    "gdpr-basis",
    "gdpr-prove-consent",
    "gdpr-plain-consent",
    "gdpr-withdraw",
    "gdpr-free-consent",
    "gdpr-child",
    "be-child-13",
    "vl-minor-capable",
    "gdpr-special",
    "gdpr-criminal",
    "be-criminal",
    "gdpr-notice",
    "gdpr-access",
    "gdpr-tell-recipients",
    "gdpr-portability",
    "gdpr-object",
    "gdpr-dpo",
    "gdpr-processor",
    "gdpr-dpia",
    "be-ksz-deliberation",
    "vl-egov-mandate",
    "vl-egov-protocol",
    "be-secrecy",
    "be-secrecy-shared",
    "be-rrn-use",
    "vl-detainees-data",
    "vl-detainees-exchange",
    "magda-logging",
    "audit-10y",
}
"""The rules of the legal register that a consent has to do with."""


def rows() -> list[list[str]]:
    text = PAGE.read_text("utf-8").partition("\n## Rules\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_rule_that_consent_touches_has_its_row_once() -> None:
    keys = [row[0] for row in rows()]

    assert set(keys) == TOUCHED
    assert len(keys) == len(TOUCHED)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_rule_says_where_it_stands_what_answers_it_and_which_tests_would_break(
    row: list[str],
) -> None:
    _, stands, asks, answer, tests = row

    assert all((stands, asks, answer))
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert tests.split() == [f"`{each}`" for each in named]
    for each in named:
        path, _, name = each.partition("::")
        text = (TESTS / path).read_text("utf-8")
        assert re.search(rf"^\s*(?:async )?def {name}\(", text, re.MULTILINE), each
