"""What a recipient owes is worked out from the agreement, and never beyond the usual."""

from dataclasses import replace
from datetime import date

import pytest

from exchange.obligations import owed
from tests.policies.situations import a_flow

TODAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("months", "by"),
    [(None, "2027-05-02"), (1, "2026-12-02"), (0, "2026-11-02"), (24, "2027-05-02")],
)
def test_an_agreement_may_shorten_what_is_kept_and_never_lengthen_it(
    months: int | None, by: str
) -> None:
    flow = replace(a_flow(), keep_months=months)

    assert owed(flow, TODAY, masked=False).erase_by == by


def test_a_hidden_origin_is_not_to_be_looked_for_and_its_agreement_not_told() -> None:
    flow = replace(a_flow(), retention="Six months.", onward=True)

    named, masked = (owed(flow, TODAY, masked=each) for each in (False, True))

    assert named.document()["retention"] == "Six months."
    assert named.codes() == ("erase_by:2027-05-02", "onward:allowed", "source:named")
    assert masked.document() == {"erase_by": "2027-05-02", "onward": True, "source": "masked"}


def test_without_a_flow_nothing_goes_further() -> None:
    assert owed(None, TODAY, masked=False).codes()[1] == "onward:none"
