"""Both demonstration exports, counted: the figures that the project published."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

import pytest

from adapters.contract import Intake
from tests.adapters.exports import DEMO, dropped, read, value


@cache
def leerwinkel_clients() -> list[Intake]:
    return read(DEMO / "leerwinkel")[0]


@cache
def destap_clients() -> list[Intake]:
    return read(DEMO / "destap")[0]


def everybody() -> list[Intake]:
    return leerwinkel_clients() + destap_clients()


def how_many(clients: Iterable[Intake], test: Callable[[Intake], object]) -> int:
    return sum(1 for client in clients if test(client))


def spread(clients: Iterable[Intake], field: str) -> Counter[object]:
    section, _, name = field.partition(".")
    return Counter(each.sections[section].get(name, {"value": None})["value"] for each in clients)


def age_in_first_month(client: Intake) -> int:
    """The age on the last day of the month in which the first session was."""
    year, month = map(int, value(client, "traj.session_months")[0].split("-"))
    if "birth_year" in client.identity:
        return year - int(client.identity["birth_year"])
    born_year, born_month, _ = map(int, client.identity["birth_date"].split("-"))
    return year - born_year - (month < born_month)


def test_the_exports_hold_418_clients_and_85_thin_files() -> None:
    assert (len(leerwinkel_clients()), len(destap_clients())) == (218, 200)
    assert how_many(leerwinkel_clients(), lambda each: each.partial) == 38
    assert how_many(destap_clients(), lambda each: each.partial) == 47


def test_every_reference_comes_once() -> None:
    assert len({each.reference for each in everybody()}) == 418


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("demog.gender", {"f": 208, "m": 208, "x": 2}),
        ("educ.highest_level", {"0": 7, "1": 62, "2": 276, "3": 73}),
        ("educ.early_leaver", {True: 418}),
        (
            "work.status_detail",
            {
                "employed": 50,
                "jobseeker_with_benefit": 71,
                "jobseeker_no_benefit": 86,
                "sickness_invalidity": 17,
                "material_support": 9,
                "leefloon": 51,
                "inactive_student": 58,
                "inactive_other": 76,
            },
        ),
        ("work.status", {"employed": 50, "unemployed": 217, "inactive": 151}),
        ("traj.first_guidance", {True: 226, False: 192}),
        ("selfeff.score_start", {"1": 309, "2": 86, "3": 23}),
        (
            "selfeff.learning_attitude",
            {"positive": 323, "neutral": 8, "negative": 2, None: 85},
        ),
        (
            "outc.exit_reason",
            {
                "started_course": 35,
                "completed_course": 14,
                "found_job": 26,
                "planned_sessions_done": 31,
                "no_response": 21,
                "moved": 5,
                "other_service": 8,
                "other": 5,
                None: 273,
            },
        ),
        ("outc.goal_achieved", {"fully": 84, "partly": 50, "not": 25, None: 259}),
    ],
)
def test_codes_are_spread_as_published(field: str, expected: dict[object, int]) -> None:
    assert spread(everybody(), field) == expected


def test_referral_routes_are_as_published() -> None:
    routes = spread(everybody(), "refer.route")

    known = [routes.pop(name) for name in ("VDAB", "OCMW_CAW", "CLB", "integration")]

    assert known == [109, 67, 59, 54]
    assert sum(routes.values()) == 129
    assert None not in routes


def test_origin_is_as_published() -> None:
    tongues = spread(everybody(), "demog.mother_tongue")

    assert spread(everybody(), "demog.nationality")["BEL"] == 322
    assert (len(tongues), tongues["nld"]) == (26, 268)
    assert sorted(tongues.values())[-2] == 19


def test_305_clients_were_younger_than_26_of_whom_16_were_17() -> None:
    ages = [age_in_first_month(each) for each in everybody()]

    # An intake tells the month of the first session, not the day: a birthday may lie between.
    assert sum(age < 26 for age in ages) == pytest.approx(305, abs=3)
    assert sum(age <= 17 for age in ages) == pytest.approx(16, abs=3)


def test_barriers_and_goals_are_as_published() -> None:
    barriers = [value(each, "barr.codes") for each in everybody()]

    assert sum(1 for each in barriers if each) == 280
    assert sum(1 for each in barriers if each == []) == 53
    assert barriers.count(None) == 85
    assert how_many(everybody(), lambda each: value(each, "goals.learning")) == 326
    assert how_many(everybody(), lambda each: value(each, "goals.employment")) == 97
    assert spread(everybody(), "goals.reason")["explore_education"] == 178


def test_one_to_one_sessions_and_their_minutes_are_as_published() -> None:
    sessions = {
        name: [value(each, "traj.sessions") for each in clients]
        for name, clients in (("lw", leerwinkel_clients()), ("ds", destap_clients()))
    }
    minutes = {
        name: sum(value(each, "traj.minutes_total") for each in clients)
        for name, clients in (("lw", leerwinkel_clients()), ("ds", destap_clients()))
    }
    every = sessions["lw"] + sessions["ds"]

    assert (sum(every), sum(minutes.values())) == (925, 55_500)
    assert Counter(every)[1] == 184
    assert (Counter(every)[2], Counter(every)[3]) == (95, 68)
    assert [sum(1 for n in every if n > 3), sum(n for n in every if n > 3)] == [71, 347]
    assert round(minutes["lw"] / sum(sessions["lw"]), 2) == 45.98
    assert round(minutes["ds"] / sum(sessions["ds"]), 2) == 72.02


def test_one_session_only_is_more_frequent_with_another_home_language() -> None:
    once = [each for each in everybody() if value(each, "traj.sessions") == 1]

    assert how_many(once, lambda each: value(each, "demog.mother_tongue") == "nld") == 100
    assert how_many(once, lambda each: value(each, "demog.mother_tongue") != "nld") == 84


def test_contacts_are_as_published_and_social_media_stand_apart() -> None:
    total: Counter[str] = Counter()
    for each in everybody():
        total.update(value(each, "traj.microcontacts"))

    assert total == {"email": 2926, "sms": 3344, "call": 2090, "social": 23}
    assert not any("social" in value(each, "traj.microcontacts") for each in destap_clients())


def test_how_goals_were_reached_is_as_published() -> None:
    def reached(client: Intake, how: str, field: str = "achieved_via") -> bool:
        return how in (value(client, f"outc.{field}") or [])

    known = [each for each in everybody() if value(each, "outc.goal_achieved")]
    fully = [each for each in known if value(each, "outc.goal_achieved") == "fully"]
    partly = [each for each in known if value(each, "outc.goal_achieved") == "partly"]
    obstacles = Counter(each for client in known for each in value(client, "outc.obstacle") or [])

    assert how_many(known, lambda each: reached(each, "education_started")) == 83
    assert how_many(fully, lambda each: reached(each, "education_started")) == 63
    assert how_many(partly, lambda each: reached(each, "information")) == 44
    assert how_many(fully + partly, lambda each: reached(each, "confidence", "soft")) == 58
    assert (sum(obstacles.values()), obstacles.most_common(1)) == (75, [("motivation", 29)])


def test_own_follow_up_of_de_stap_is_as_published() -> None:
    enrolled = [value(each, "outc.enrolment") for each in destap_clients()]

    providers = Counter(each["provider_type"] for each in enrolled if each)

    assert providers == {
        "CVO": 37,
        "VDAB": 15,
        "Examencommissie": 14,
        "SO": 11,
        "SYNTRA": 9,
        "DBSO": 8,
        "CBE": 3,
    }


def test_20_clients_of_leerwinkel_have_no_national_number() -> None:
    assert how_many(leerwinkel_clients(), lambda each: each.insz is None) == 20


def test_what_was_rejected_in_leerwinkel_is_reported_row_by_row() -> None:
    _, problems = read(DEMO / "leerwinkel")

    assert Counter((each.where.partition(":")[0], each.code.value) for each in problems) == {
        ("clienten.csv", "duplicate"): 5,
        ("clienten.csv", "older_version"): 3,
        ("clienten.csv", "bad_email"): 3,
        ("clienten.csv", "bad_date"): 2,
        ("sessies.csv", "duplicate"): 6,
        ("sessies.csv", "orphan"): 2,
        ("contacten.csv", "duplicate"): 11,
        ("contacten.csv", "orphan"): 4,
        ("uitstroom.csv", "duplicate"): 1,
    }


def test_what_was_rejected_in_de_stap_is_reported_line_by_line() -> None:
    _, problems = read(DEMO / "destap")

    assert Counter(each.code.value for each in problems) == {
        "duplicate": 3,
        "not_json": 1,
        "empty_line": 1,
    }
    assert ("clients.jsonl:88", "not_json") in [(each.where, each.code.value) for each in problems]


@pytest.mark.parametrize(
    ("export", "columns"),
    [
        (
            "leerwinkel",
            [
                "clienten.notities",
                "clienten.roepnaam",
                "sessies.verslag",
                "contacten.inhoud",
                "contacten.onderwerp",
                "doelen.omschrijving",
                "uitstroom.opmerking",
                "clienten.toestemming_davinci",
            ],
        ),
        (
            "destap",
            [
                "clients.dossiernota",
                "clients.sessions[].note",
                "clients.doelen[].tekst",
                "clients.bijlagen",
                "clients.consents.sharing",
            ],
        ),
    ],
)
def test_free_text_and_consent_ticks_are_counted_and_never_read(
    export: str, columns: list[str]
) -> None:
    counts = dropped(DEMO / export)

    assert all(counts[column] > 0 for column in columns)
