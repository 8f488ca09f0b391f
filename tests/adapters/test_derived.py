from pathlib import Path

import pytest

from tests.adapters.exports import A_CLIENT, leerwinkel, problems, reason, the_client, value


@pytest.mark.parametrize(
    ("typed", "status", "neet"),
    [
        ("werknemer", "employed", False),
        ("student", "inactive", False),
        ("andere inactief", "inactive", True),
        ("UVW", "unemployed", True),
        ("WZ zonder uitk.", "unemployed", True),
        ("Leefloon OCMW", "unemployed", True),
        ("mat. steun", "unemployed", True),
        ("ziekte", "inactive", True),
    ],
)
def test_the_status_of_work_follows_from_its_detail(
    tmp_path: Path, typed: str, status: str, neet: object
) -> None:
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT | {"statuut_detail": typed}]))

    assert value(intake, "work.status") == status
    assert value(intake, "work.neet") is neet


@pytest.mark.parametrize(("typed", "why"), [("", "not_asked"), ("astronaut", "unknown")])
def test_what_follows_from_a_missing_value_is_missing_for_the_same_reason(
    tmp_path: Path, typed: str, why: str
) -> None:
    cells = {"statuut_detail": typed, "hoogste_diploma": typed}
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT | cells]))

    for field in ("work.status", "work.neet", "educ.early_leaver"):
        assert value(intake, field) is None
        assert reason(intake, field) == why


@pytest.mark.parametrize("typed", ["geen", "LO", "LSO", "6 BSO zonder 7e jaar"])
def test_upper_secondary_without_the_diploma_is_early_leaving(tmp_path: Path, typed: str) -> None:
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT | {"hoogste_diploma": typed}]))

    assert value(intake, "educ.early_leaver") is True


def test_unemployment_that_begins_after_the_record_is_reported(tmp_path: Path) -> None:
    cells = {"laatst_gewijzigd": "10/10/2026", "werkloos_sinds": "11/10/2026"}
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | cells])

    assert reason(the_client(folder), "work.unemployment_duration") == "unknown"
    assert problems(folder) == [("clienten.csv:2", "bad_date", "werkloos_sinds")]


def test_a_record_without_a_day_tells_no_day(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"laatst_gewijzigd": "ooit"}])

    envelopes = [
        each for section in the_client(folder).sections.values() for each in section.values()
    ]

    assert not any("observed_on" in each for each in envelopes)
    assert problems(folder) == [("clienten.csv:2", "bad_date", "laatst_gewijzigd")]
