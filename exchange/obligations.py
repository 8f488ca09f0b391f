"""What a recipient owes for what it is given: it travels with the answer, signed, and is logged."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from consent.belgian_time import day_of, months_after, start_of
from policies.decision import FlowFacts

KEPT_MONTHS = 6
"""How long a recipient may keep what it was given after it last used it (gdpr-retention)."""


@dataclass(frozen=True, slots=True)
class Obligations:
    """`erase_by`: the day by which a copy made today is gone, unless it is used again.

    `onward`: whether it may be passed on to whom the grant names. `source`: `named`, whoever keeps
    it keeps with it where it came from; `masked`, that is hidden, and must not be looked for.
    `retention`: what the agreement says of it, in words; nothing where the agreement is hidden.
    """

    erase_by: str
    onward: bool
    source: str
    retention: str | None

    def document(self) -> dict[str, object]:
        """As it stands in the answer."""
        said: dict[str, object] = {
            "erase_by": self.erase_by,
            "onward": self.onward,
            "source": self.source,
        }
        return said if self.retention is None else said | {"retention": self.retention}

    def codes(self) -> tuple[str, ...]:
        """As it is logged; the words stand in the published agreement."""
        passed_on = "allowed" if self.onward else "none"
        return (f"erase_by:{self.erase_by}", f"onward:{passed_on}", f"source:{self.source}")


@lru_cache(maxsize=1024)
def owed(flow: FlowFacts | None, today: date, *, masked: bool) -> Obligations:
    """What a release by this flow on this day obliges its recipient to."""
    months = KEPT_MONTHS
    if flow is not None and flow.keep_months is not None:
        months = min(months, flow.keep_months)
    return Obligations(
        erase_by=day_of(months_after(start_of(today), months)).isoformat(),
        onward=flow is not None and flow.onward,
        source="masked" if masked else "named",
        retention=None if flow is None or masked else flow.retention,
    )
