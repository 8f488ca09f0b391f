"""How often what happens seldom is tried: a few times in every run, the whole count by night.

`CASES_FORM=full` takes the counts that the cases state, `CASES_T40=1000000` another for one.
"""

import os
from typing import Final

FAST_AND_FULL: Final = {
    "T29": (80, 1_000),
    "T38": (1_000, 30_000),
    "T40": (2_000, 100_000),
    "T53": (90, 10_000),
    "T87": (6, 1_000),
}
"""Attempts with one proof; requests of a flood (a second, and half a minute of a thousand a
second); tokens; races; deaths at a COMMIT. T59 is measured apart, on a quiet machine: by night
20,000 times a cause, in every run its statements are compared."""

FULL: Final = os.environ.get("CASES_FORM") == "full"


def volume(case: str) -> int:
    """How often, in this run."""
    return int(os.environ.get(f"CASES_{case}") or FAST_AND_FULL[case][FULL])


def form() -> str:
    """What ran, in a line for the report."""
    ran = ", ".join(f"{case} x {volume(case):,}" for case in FAST_AND_FULL)
    return f"{'Full' if FULL else 'Fast'} form: {ran}"
