from datetime import UTC, date, datetime
from typing import Any

import pytest

from consent.recipients import Asking, reaches
from policies.vocabulary import (
    OrganisationId,
    OrganisationType,
)
from tests.consent.builders import (
    HOLDER,
    HOUSES,
    NOON,
    Desk,
    grant,
)


@pytest.mark.parametrize(
    ("recipient", "asker", "reached"),
    [
        ("org:vdab-gent", {}, True),
        ("org:vdab-wvl", {}, False),
        ("org-site:vdab-gent/ktr", {"site": "ktr"}, True),
        ("org-site:vdab-gent/ktr", {"site": "brg"}, False),
        ("org-site:vdab-gent/ktr", {}, False),
    ],
)
def test_a_grant_reaches_whom_it_names(
    desk: Desk,
    recipient: str,
    asker: dict[str, Any],
    reached: bool,  # noqa: FBT001
) -> None:
    desk.give(grants=[grant(recipient=recipient)])

    assert bool(desk.facts(**asker).grants) == reached


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("category:education_ministry", True),
        ("category:education_ministry,dep-onderwijs", True),
        ("category:education_ministry,vdab-gent", False),
    ],
)
def test_a_category_is_every_organisation_of_that_type(recipient: str, reached: bool) -> None:  # noqa: FBT001
    asker = Asking(
        recipient=OrganisationId("dep-onderwijs"),
        recipient_type=OrganisationType.EDUCATION_MINISTRY,
        holder=HOLDER,
        purpose="P8",
        partnerships=HOUSES.members_at,
    )

    assert reaches(recipient, asker, date(2026, 11, 2)) == reached


@pytest.mark.parametrize(
    ("asker", "on", "reached"),
    [
        ("vdab-wvl", NOON, True),
        ("ocmw-kortrijk", NOON, True),
        ("clb-zuidwest", NOON, False),
        ("cvo-west", datetime(2026, 12, 2, 9, tzinfo=UTC), False),
        ("destap-ww", NOON, False),
    ],
)
def test_a_partnership_is_its_members_of_that_day_who_still_are(
    desk: Desk,
    asker: str,
    on: datetime,
    reached: bool,  # noqa: FBT001
) -> None:
    desk.give(
        grants=[grant(purpose="P3", recipient="partnership:lp-zuid-wvl@2026-08-01")],
    )

    assert bool(desk.facts(on, recipient=asker, purpose="P3").grants) == reached
