"""docs/threat-model.md says what is so: each threat has tests that exist, each case counts."""

import re

import pytest

from tests.cases.known import cases, named_tests, not_built, proved, section

THREATS = section("Threats")


def test_there_is_something_to_look_at() -> None:
    assert [row[0] for row in THREATS] == [f"TH{n}" for n in range(1, len(THREATS) + 1)]
    assert len(THREATS) >= 16
    assert list(cases()) == [f"T{n:02}" for n in range(1, 111)]
    assert "test_there_is_something_to_look_at" in named_tests()


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row[0])
def test_each_threat_has_a_control_a_safe_default_and_tests_that_exist(row: list[str]) -> None:
    _, abuse, control, default, tests = row

    assert abuse
    assert control
    assert default
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert tests.split() == [f"`{each}`" for each in named]
    assert set(named) <= named_tests()


def test_each_case_is_proved_by_a_test_or_said_not_to_be_built() -> None:
    waiting = not_built()

    assert len(waiting) == len(set(waiting))
    assert set(waiting) | proved() >= set(cases())
    assert set(waiting) & proved() == set()
    assert set(waiting) <= set(cases())
