"""The directory and what it says of an organisation on a day."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies.documents import UnfitDocument
from policies.organisations import (
    Directory,
    Organisation,
    read_directory,
    read_organisation,
    recipient_facts,
)
from policies.vocabulary import OrganisationId, OrganisationType, Section
from policies.yaml_files import read_yaml

DOCUMENT: dict[str, Any] = read_yaml(
    (Path(__file__).parents[1] / "data/organisations.yaml").read_bytes()
)
TODAY = date(2026, 11, 2)
LEFT, JOINS = date(2026, 8, 31), date(2026, 12, 1)


def directory() -> Directory:
    return read_directory(DOCUMENT)


def an_organisation(name: str = "vdab-wvl", **changes: Any) -> Organisation:
    (document,) = (each for each in DOCUMENT["organisations"] if each["id"] == name)
    return read_organisation(document | changes)


def test_the_whole_directory_is_read() -> None:
    assert len(directory().organisations) == 25
    assert directory().partnerships[0].id == "lp-zuid-wvl"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": "VDAB"}, "id"),
        ({"type": "bank"}, "type"),
        ({"colour": "blue"}, "colour"),
        ({"hard_denies": ["diary"]}, "hard_denies[0]"),
        ({"hard_denies": "justice"}, "hard_denies"),
        ({"in_eea": "yes"}, "in_eea"),
        ({"data_location": "Belgium"}, "data_location"),
        ({"accreditation": {"status": "accredited", "since": None}}, "accreditation.until"),
        ({"sites": [{"id": "a", "name": "A"}]}, "sites[0].municipality_nis5"),
        ({"acm": {"vo_doelgroepcode": "GID"}}, "acm.vo_orgcode"),
    ],
)
def test_what_is_unknown_or_amiss_is_refused_with_its_place(
    changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(UnfitDocument) as refused:
        an_organisation(**changes)

    assert refused.value.place == place


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"organisations": DOCUMENT["organisations"][:1] * 2}, "organisations"),
        ({"partnerships": DOCUMENT["partnerships"] * 2}, "partnerships"),
        ({"organisations": DOCUMENT["organisations"][:3]}, "partnerships[0]"),
        ({"organizations": []}, "organizations"),
    ],
)
def test_a_directory_that_contradicts_itself_is_refused(
    changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(UnfitDocument) as refused:
        read_directory(DOCUMENT | changes)

    assert refused.value.place == place


@pytest.mark.parametrize(
    ("status", "since", "until", "accredited"),
    [
        ("accredited", "2026-11-02", "2026-11-02", True),
        ("accredited", "2025-01-01", None, True),
        ("accredited", "2026-11-03", None, False),
        ("accredited", "2025-01-01", "2026-11-01", False),
        ("accredited", None, None, False),
        ("pending", "2025-01-01", None, False),
        ("withdrawn", "2025-01-01", "2028-12-31", False),
    ],
)
def test_accreditation_holds_from_its_first_to_its_last_day(
    status: str, since: str | None, until: str | None, accredited: object
) -> None:
    accreditation = {"status": status, "since": since, "until": until}

    facts = recipient_facts(an_organisation(accreditation=accreditation), TODAY)

    assert facts.accredited is accredited


@pytest.mark.parametrize(
    ("granted", "until", "authorised"),
    [
        (True, "2026-11-02", True),
        (True, None, True),
        (True, "2026-11-01", False),
        (False, None, False),
    ],
)
def test_the_number_may_be_used_until_the_last_day_of_the_authorisation(
    granted: object, until: str | None, authorised: object
) -> None:
    authorisation = {"granted": granted, "basis": None, "until": until}

    facts = recipient_facts(an_organisation(insz_authorisation=authorisation), TODAY)

    assert facts.insz_authorised is authorised


def test_a_decision_knows_of_an_organisation_what_the_directory_says() -> None:
    work = recipient_facts(an_organisation("vdab-wvl"), TODAY)
    welfare = recipient_facts(an_organisation("ocmw-kortrijk"), TODAY)
    mentors = recipient_facts(an_organisation("mentor-x"), TODAY)

    assert (work.type, work.in_eea, work.secrecy) == (
        OrganisationType.PUBLIC_EMPLOYMENT_SERVICE,
        True,
        False,
    )
    assert (work.hard_denies, work.only_sections) == (frozenset({Section.JUSTICE}), None)
    assert welfare.secrecy
    assert (mentors.accredited, mentors.in_eea) == (False, False)
    assert mentors.only_sections == frozenset({Section.GOALS})


def test_only_professional_secrecy_is_secrecy() -> None:
    regimes = ["beroepsgeheim", "discretieplicht", "ambtsgeheim", "none"]

    bound = [
        recipient_facts(an_organisation(secrecy_regime=each), TODAY).secrecy for each in regimes
    ]

    assert bound == [True, False, False, False]


def test_a_member_that_leaves_is_out_that_very_day() -> None:
    (partnership,) = directory().partnerships

    assert "clb-zuidwest" in partnership.members_at(date(2026, 8, 30))
    assert "clb-zuidwest" not in partnership.members_at(LEFT)
    assert "cvo-west" not in partnership.members_at(date(2026, 11, 30))
    assert "cvo-west" in partnership.members_at(JOINS)


def test_a_partnership_has_no_members_before_its_start_or_after_its_end() -> None:
    (partnership,) = directory().partnerships

    assert partnership.members_at(date(2023, 12, 31)) == frozenset()
    assert partnership.members_at(date(2029, 12, 31))
    assert partnership.members_at(date(2030, 1, 1)) == frozenset()


def test_ids_of_organisations_are_read_as_such() -> None:
    assert an_organisation().id == OrganisationId("vdab-wvl")
