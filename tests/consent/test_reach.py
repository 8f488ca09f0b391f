from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from consent.recipients import Asking, reaches
from consent.terms import TermsRefused
from policies.organisations import read_directory
from policies.vocabulary import (
    OrganisationId,
    OrganisationType,
)
from policies.yaml_files import read_yaml
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


TODAY = date(2026, 11, 2)
LEFT, JOINS = date(2026, 8, 31), date(2026, 12, 1)
WEST = "partnership:lp-zuid-wvl@"


def reached_in_the_directory(recipient: str, organisation: str, on: date) -> bool:
    """Whether that recipient is an organisation of the sample directory, on a day."""
    document = Path(__file__).parents[1] / "data/organisations.yaml"
    directory = read_directory(read_yaml(document.read_bytes()))
    asker = Asking(
        recipient=OrganisationId(organisation),
        recipient_type=next(e.type for e in directory.organisations if e.id == organisation),
        holder=HOLDER,
        purpose="P3",
        partnerships=lambda name, day: frozenset[OrganisationId]().union(
            *(each.members_at(day) for each in directory.partnerships if each.id == name)
        ),
    )
    return reaches(recipient, asker, on)


@pytest.mark.parametrize(
    ("recipient", "organisation", "on", "reached"),
    [
        ("org:vdab-wvl", "vdab-wvl", TODAY, True),
        ("org:vdab-wvl", "vdab-gent", TODAY, False),
        ("org-site:vdab-gent/gnt", "vdab-wvl", TODAY, False),
        ("category:back_office", "backoffice", TODAY, True),
        ("category:back_office,backoffice", "backoffice", TODAY, True),
        ("category:back_office,another", "backoffice", TODAY, False),
        ("category:back_office", "vdab-wvl", TODAY, False),
        ("any", "vdab-wvl", TODAY, True),
        ("relation:employer", "werkgever-x", TODAY, True),
        ("relation:employer", "vdab-wvl", TODAY, False),
        ("relation:parent", "vdab-wvl", TODAY, False),
        (f"{WEST}2026-11-02", "ocmw-kortrijk", TODAY, True),
        (f"{WEST}2026-08-30", "clb-zuidwest", date(2026, 8, 30), True),
        (f"{WEST}2026-08-30", "clb-zuidwest", LEFT, False),
        (f"{WEST}2026-11-02", "cvo-west", JOINS, False),
        (f"{WEST}2026-12-01", "cvo-west", JOINS, True),
        ("partnership:another@2026-11-02", "ocmw-kortrijk", TODAY, False),
    ],
)
def test_a_recipient_is_those_it_names_as_they_stand_today(
    recipient: str,
    organisation: str,
    on: date,
    reached: bool,  # noqa: FBT001
) -> None:
    assert reached_in_the_directory(recipient, organisation, on) is reached


@pytest.mark.parametrize(
    "recipient", ["", "vdab-wvl", "org:", "any:one", "team:a", "partnership:a", "partnership:a@b"]
)
def test_a_recipient_of_no_known_form_reaches_nobody_and_is_refused_at_the_door(
    desk: Desk, recipient: str
) -> None:
    assert not reached_in_the_directory(recipient, "vdab-wvl", TODAY)
    for body in (
        {"grants": [grant(recipient=recipient)]},
        {"denials": [{"sections": "all", "recipient": recipient}]},
        {"refused": [{"purpose": "P3", "recipient": recipient}]},
    ):
        with pytest.raises(TermsRefused, match=r"recipient"):
            desk.give(**body)
