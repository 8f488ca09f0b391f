from pathlib import Path

import pytest

from adapters.contract import Intake, Problem
from adapters.mapping import SHIPPED
from adapters.registration_csv import RegistrationCsv
from tests.adapters.exports import (
    A_CLIENT,
    A_CONTACT,
    A_SESSION,
    Cells,
    dropped,
    envelope,
    leerwinkel,
    problems,
    read,
    reason,
    the_client,
    value,
)


def one(tmp_path: Path, **cells: str) -> Intake:
    return the_client(leerwinkel(tmp_path, clienten=[A_CLIENT | cells]))


def test_letters_of_windows_1252_come_through(tmp_path: Path) -> None:
    intake = one(tmp_path, naam="Öztürk", voornaam="Chloé")

    assert intake.identity["family_name"] == "Öztürk"
    assert value(intake, "ident.given_name") == "Chloé"


def test_a_value_carries_source_day_and_that_nobody_verified_it(tmp_path: Path) -> None:
    intake = one(tmp_path, hoogste_diploma="LSO")

    assert envelope(intake, "educ.highest_level") == {
        "value": "2",
        "source": "counsellor",
        "observed_on": "2026-10-10",
        "verified": False,
    }


def test_an_empty_cell_is_a_question_that_was_not_asked(tmp_path: Path) -> None:
    intake = one(tmp_path, veilig_contact="")

    assert value(intake, "contact.safe_contact") is None
    assert reason(intake, "contact.safe_contact") == "not_asked"


def test_an_empty_cell_means_what_the_code_book_says_of_it(tmp_path: Path) -> None:
    assert value(one(tmp_path, verblijfsstatuut=""), "resid.status") == "unknown"


def test_a_value_in_no_code_book_becomes_unknown_and_is_reported_without_it(
    tmp_path: Path,
) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"moedertaal": "Klingon"}])

    intake = the_client(folder)

    assert value(intake, "demog.mother_tongue") is None
    assert reason(intake, "demog.mother_tongue") == "unknown"
    assert problems(folder) == [("clienten.csv:2", "unknown_code", "moedertaal")]


@pytest.mark.parametrize("typed", ["Nederlands", "NL", "Ned.", "nederlands ", " nl"])
def test_what_counsellors_typed_becomes_the_canonical_code(tmp_path: Path, typed: str) -> None:
    assert value(one(tmp_path, moedertaal=typed), "demog.mother_tongue") == "nld"


@pytest.mark.parametrize(
    ("cell", "barriers", "multiple"),
    [
        ("geen", [], False),
        ("kosten:2", [{"code": "cost", "severity": "2"}], False),
        (
            "gezondheid:3|taal:1",
            [{"code": "health", "severity": "3"}, {"code": "language", "severity": "1"}],
            True,
        ),
        ("", None, None),
    ],
)
def test_barriers_tell_none_from_not_asked(
    tmp_path: Path, cell: str, barriers: object, multiple: object
) -> None:
    intake = one(tmp_path, drempels=cell)

    assert value(intake, "barr.codes") == barriers
    assert value(intake, "barr.multi_problem") is multiple


def test_an_unknown_barrier_is_left_out_and_reported(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"drempels": "draken:2|taal:1"}])

    assert value(the_client(folder), "barr.codes") == [{"code": "language", "severity": "1"}]
    assert problems(folder) == [("clienten.csv:2", "unknown_code", "drempels")]


def test_an_impossible_date_is_reported_and_the_client_still_comes(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"werkloos_sinds": "31/2/2024"}])

    assert reason(the_client(folder), "work.unemployment_duration") == "unknown"
    assert problems(folder) == [("clienten.csv:2", "bad_date", "werkloos_sinds")]


def test_a_broken_e_mail_address_is_dropped_and_reported(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"email": "lotte@"}])

    assert value(the_client(folder), "contact.email") is None
    assert problems(folder) == [("clienten.csv:2", "bad_email", "email")]


def test_the_mobile_number_counts_before_the_land_line(tmp_path: Path) -> None:
    both = one(tmp_path, gsm="0450/00.10.50", telefoon="056 00 44 29")
    land = one(tmp_path, gsm="", telefoon="056 00 44 29")

    assert value(both, "contact.phone") == "+32450001050"
    assert value(land, "contact.phone") == "+3256004429"


@pytest.mark.parametrize(
    ("cell", "insz"),
    [
        ("72.68.04-286.30", "72680428630"),
        ("", None),
        ("onbekend", "onbekend"),
        ("6701665394", "6701665394"),
    ],
)
def test_the_national_number_is_passed_on_unchecked_and_is_no_summary_field(
    tmp_path: Path, cell: str, insz: str | None
) -> None:
    intake = one(tmp_path, INSZ=cell)

    assert intake.insz == insz
    assert "natid" not in intake.sections


def test_an_identical_row_counts_once(tmp_path: Path) -> None:
    folder = leerwinkel(
        tmp_path,
        clienten=[A_CLIENT, A_CLIENT],
        sessies=[A_SESSION, A_SESSION],
        contacten=[A_CONTACT, A_CONTACT],
    )

    intake = the_client(folder)

    assert value(intake, "traj.sessions") == 1
    assert value(intake, "traj.microcontacts")["sms"] == 1
    assert problems(folder) == [
        ("clienten.csv:3", "duplicate", None),
        ("sessies.csv:3", "duplicate", None),
        ("contacten.csv:3", "duplicate", None),
    ]


def test_rows_that_differ_only_in_an_unread_column_are_not_identical(tmp_path: Path) -> None:
    contacts = [A_CONTACT | {"contact_id": "C1"}, A_CONTACT | {"contact_id": "C2"}]
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT], contacten=contacts))

    assert value(intake, "traj.microcontacts")["sms"] == 2


@pytest.mark.parametrize("order", ["newest first", "newest last"])
def test_the_latest_version_of_a_client_wins_wherever_it_stands(tmp_path: Path, order: str) -> None:
    newest_first = order == "newest first"
    rows: list[Cells] = [
        A_CLIENT | {"laatst_gewijzigd": "9/10/2026", "fase": "1"},
        A_CLIENT | {"laatst_gewijzigd": "10/10/2026", "fase": "2"},
    ]
    folder = leerwinkel(tmp_path, clienten=rows[::-1] if newest_first else rows)

    assert value(the_client(folder), "traj.phase") == "2_guidance"
    older = "clienten.csv:3" if newest_first else "clienten.csv:2"
    assert problems(folder) == [(older, "older_version", None)]


def test_rows_of_an_unknown_client_are_rejected_one_by_one(tmp_path: Path) -> None:
    stray = {"client_nr": "LW-9999"}
    folder = leerwinkel(
        tmp_path,
        clienten=[A_CLIENT],
        sessies=[A_SESSION | stray],
        contacten=[A_CONTACT, A_CONTACT | stray],
    )

    assert [each.reference for each in read(folder)[0]] == ["LW-1"]
    assert problems(folder) == [
        ("sessies.csv:2", "orphan", None),
        ("contacten.csv:3", "orphan", None),
    ]


def test_a_group_session_informs_but_is_no_session_with_the_client(tmp_path: Path) -> None:
    group = A_SESSION | {"type": "groep", "duur_uren": "2,00", "thema_formeel": "x"}
    alone = A_SESSION | {"datum": "3/9/2026", "thema_rechten": "1", "thema_evc": "0"}
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT], sessies=[group, alone]))

    assert value(intake, "traj.sessions") == 1
    assert value(intake, "traj.minutes_total") == 45
    assert value(intake, "traj.session_months") == ["2026-09"]
    assert value(intake, "traj.info_given") == ["formal_courses", "rights"]


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        ({"datum": "32/1/2026"}, "bad_date", "datum"),
        ({"datum": ""}, "bad_date", "datum"),
        ({"duur_uren": "lang"}, "bad_number", "duur_uren"),
        ({"duur_uren": "25,00"}, "bad_number", "duur_uren"),
        ({"type": "duo"}, "unknown_code", "type"),
    ],
)
def test_a_session_that_can_not_be_read_counts_for_nothing(
    tmp_path: Path, cells: Cells, code: str, column: str
) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT], sessies=[A_SESSION | cells])

    assert value(the_client(folder), "traj.sessions") == 0
    assert problems(folder) == [("sessies.csv:2", code, column)]


def test_an_agreement_becomes_an_open_action_of_the_client(tmp_path: Path) -> None:
    sessions = [
        A_SESSION | {"afspraken": "terugbellen"},
        A_SESSION | {"afspraken": "=SOM(1;2)", "datum": "6/10/2026"},
        A_SESSION | {"afspraken": "terugbellen", "datum": "7/10/2026"},
    ]
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT], sessies=sessions))

    assert value(intake, "agree.actions") == [
        {"what": "other", "text": text, "who": "client", "status": "open"}
        for text in ("terugbellen", "=SOM(1;2)")
    ]
    assert envelope(intake, "agree.actions")["observed_on"] == "2026-10-07"


def test_an_agreement_that_is_too_long_is_refused_and_not_cut(tmp_path: Path) -> None:
    folder = leerwinkel(
        tmp_path, clienten=[A_CLIENT], sessies=[A_SESSION | {"afspraken": "x" * 141}]
    )

    assert reason(the_client(folder), "agree.actions") == "not_asked"
    assert problems(folder) == [("sessies.csv:2", "too_long", "afspraken")]


def test_contacts_count_by_channel_and_social_media_stand_apart(tmp_path: Path) -> None:
    channels = ["e-mail", "mail", "SMS", "tel.", "telefoon", "whatsapp", "duif"]
    contacts = [A_CONTACT | {"kanaal": each, "aantal": "2"} for each in channels]
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT], contacten=contacts)

    counted = value(the_client(folder), "traj.microcontacts")

    assert counted == {"email": 4, "sms": 2, "call": 4, "social": 2}
    assert problems(folder) == [("contacten.csv:8", "unknown_code", "kanaal")]


def test_goals_of_learning_and_work_stand_apart_and_their_text_is_not_read(
    tmp_path: Path,
) -> None:
    learning = {"client_nr": "LW-1", "type_doel": "L", "doelcode": "taal", "isced_f": "0231"}
    work = {"client_nr": "LW-1", "type_doel": "werk", "doelcode": "job"}
    rows = [
        learning | {"streefdatum": "15/11/2026", "omschrijving": "zelfde als zus Fatima"},
        work,
    ]
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"loopbaanbeeld": "ongeveer"}], doelen=rows)

    intake = the_client(folder)

    assert value(intake, "goals.learning") == [
        {"type": "language", "subject": "0231", "target_date": "2026-11-15"}
    ]
    assert value(intake, "goals.employment") == [{"clarity": "rough_idea"}]
    assert "Fatima" not in str(intake)


def test_an_exit_tells_its_own_day(tmp_path: Path) -> None:
    leaving = {
        "client_nr": "LW-1",
        "einddatum": "30/06/2026",
        "reden_einde": "job",
        "hoe_bereikt": "opleiding|info",
        "ingeschreven_bij": "Syntra",
        "diplomagericht": "ja",
    }
    intake = the_client(leerwinkel(tmp_path, clienten=[A_CLIENT], uitstroom=[leaving]))

    assert value(intake, "outc.exit_reason") == "found_job"
    assert value(intake, "outc.achieved_via") == ["education_started", "information"]
    assert value(intake, "outc.enrolment") == {"provider_type": "SYNTRA", "leads_to_diploma": True}
    assert envelope(intake, "outc.exit_reason")["observed_on"] == "2026-06-30"
    assert reason(intake, "outc.soft") == "not_asked"


def test_a_thin_file_keeps_what_it_has_and_was_asked_nothing_else(tmp_path: Path) -> None:
    thin = one(tmp_path, reden_aanmelding="", zelfeff_begin="1")
    full = one(tmp_path, reden_aanmelding="werk")

    assert thin.partial
    assert value(thin, "selfeff.score_start") == "1"
    assert reason(thin, "goals.learning") == "not_asked"
    assert not full.partial
    assert value(full, "goals.learning") == []


def test_a_foreign_diploma_is_listed_with_its_recognition(tmp_path: Path) -> None:
    some = one(tmp_path, diploma_buitenland="J", diploma_land="SYR", erkenning="deels")
    none = one(tmp_path, diploma_buitenland="N")

    assert value(some, "educ.foreign_credentials") == [
        {"country": "SYR", "recognition": "partially"}
    ]
    assert value(none, "educ.foreign_credentials") == []


def test_ticks_for_consent_are_no_consent_and_no_field(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"toestemming_delen": "J"}])

    assert "follow" not in the_client(folder).sections
    assert dropped(folder)["clienten.toestemming_delen"] == 1


def test_a_column_outside_the_mapping_is_counted_and_never_read(tmp_path: Path) -> None:
    canary = "Fatima Haddad 0450 00 99 01"
    folder = leerwinkel(
        tmp_path,
        clienten=[A_CLIENT | {"notities": f"{canary}\nmet een tweede regel"}],
        sessies=[A_SESSION | {"verslag": canary}, A_SESSION | {"datum": "6/10/2026"}],
    )

    found = read(folder)

    assert canary not in str(found)
    counts = dropped(folder)
    assert (counts["clienten.notities"], counts["sessies.verslag"]) == (1, 1)


def test_rows_keep_their_numbers_after_a_cell_with_line_breaks(tmp_path: Path) -> None:
    rows = [A_CLIENT | {"notities": "een\ntwee\ndrie"}, A_CLIENT | {"client_nr": "LW-2"}]

    intakes, _ = read(leerwinkel(tmp_path, clienten=rows))

    assert [each.where for each in intakes] == ["clienten.csv:2", "clienten.csv:3"]


def test_an_alias_and_year_are_read_where_a_mapping_names_them(tmp_path: Path) -> None:
    mapping = (SHIPPED / "leerwinkel.yaml").read_text("utf-8")
    file = tmp_path / "ours.yaml"
    keys = "  insz: INSZ\n  alias: roepnaam\n  birth_year: jaar_aankomst\n"
    file.write_text(mapping.replace("  insz: INSZ\n", keys), "utf-8")
    rows = [
        A_CLIENT | {"geboortedatum": "", "roepnaam": "L.", "jaar_aankomst": "2002"},
        A_CLIENT | {"client_nr": "LW-2", "jaar_aankomst": "ooit"},
    ]

    found = RegistrationCsv({"mapping": str(file)}).intakes(leerwinkel(tmp_path, clienten=rows))
    first, *others = found

    assert isinstance(first, Intake)
    assert first.identity["birth_year"] == "2002"
    assert first.identity["alias"] == "L."
    reported = [(each.code.value, each.column) for each in others if isinstance(each, Problem)]
    # The same column is a field of the summary as well, and reported for it too.
    assert reported == [("bad_number", "jaar_aankomst")] * 2
