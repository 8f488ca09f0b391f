"""Every case that a test claims to prove is one of the numbered ones."""

import re

import pytest

from tests.cases.known import marked, proved

CASE = re.compile(r"T(0[1-9]|[1-9][0-9]|10[0-9]|110)|AL(0[1-9]|1[0-9]|2[0-6])")


def test_every_marker_names_one_numbered_case() -> None:
    wrong = {
        name: marker
        for name, markers in marked().items()
        for marker in markers
        if not (marker[:1] == marker[-1:] == '"' and CASE.fullmatch(marker[1:-1]))
    }

    assert wrong == {}


PROVED = ("T15", "T16", "T17", "T18", "T19", "T20", "T22", "T23", "T24", "T25", "T26",
          "T27", "T28", "T29", "T30", "T31", "T32", "T33", "T34", "T35", "T36", "T38",
          "T39", "T61", "T63", "T41", "T49", "T58", "T59", "T60", "T82", "T84", "T85",
          "T86", "T88", "T89", "T90", "T91", "T92", "T93", "AL01", "AL02", "AL03", "AL04",
          "AL05", "AL06", "AL07", "AL09", "AL15", "AL22", "AL23", "AL24")  # fmt: skip


@pytest.mark.parametrize("case", PROVED)
def test_the_case_is_proved_somewhere(case: str) -> None:
    assert case in proved()


@pytest.mark.parametrize("text", ["T0", "T00", "T1", "T111", "T999", "t01", "T01a"])
def test_what_is_no_numbered_case_would_be_noticed(text: str) -> None:
    assert not CASE.fullmatch(text)
