import json
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Intake, Unreadable
from adapters.registration_jsonl import RegistrationJsonl
from tests.adapters.exports import (
    A_RECORD,
    destap,
    dropped,
    envelope,
    problems,
    read,
    reason,
    the_client,
    value,
)

PERSON = A_RECORD["persoon"]


def one(tmp_path: Path, **members: Any) -> Intake:
    return the_client(destap(tmp_path, {**A_RECORD, **members}))


def test_numbers_as_text_and_yes_in_two_languages_are_the_same(tmp_path: Path) -> None:
    text = one(tmp_path, first_guidance="ja", school={"hoogste": "2", "last_year": "2022"})
    typed = one(tmp_path, first_guidance=True, school={"hoogste": 2, "last_year": 2022})

    for field in ("traj.first_guidance", "educ.highest_level", "educ.last_year_left"):
        assert value(text, field) == value(typed, field)
    assert value(typed, "traj.first_guidance") is True
    assert value(typed, "educ.last_year_left") == 2022


@pytest.mark.parametrize("key", ["gsm", "mobile"])
def test_either_key_holds_the_mobile_number(tmp_path: Path, key: str) -> None:
    assert value(one(tmp_path, contact={key: "+32450003818"}), "contact.phone") == "+32450003818"


@pytest.mark.parametrize("key", ["email", "e-mail"])
def test_either_key_holds_the_e_mail_address(tmp_path: Path, key: str) -> None:
    intake = one(tmp_path, contact={key: "lotte@client.example"})

    assert value(intake, "contact.email") == "lotte@client.example"


def test_counts_of_contacts_leave_out_what_was_not_registered(tmp_path: Path) -> None:
    micro = {"email": 3, "sms": "4", "tel": 0, "sociale_media": None}

    intake = one(tmp_path, micro=micro)

    assert value(intake, "traj.microcontacts") == {"email": 3, "sms": 4, "call": 0}


def test_an_anonymous_client_has_an_alias_and_a_year_of_birth(tmp_path: Path) -> None:
    intake = one(tmp_path, persoon={"alias": "L.", "geboortejaar": 2002, "gender": "v"})

    assert intake.identity == {"alias": "L.", "birth_year": "2002"}
    assert value(intake, "ident.birth_date") == 2002
    assert reason(intake, "ident.given_name") == "not_asked"
    assert intake.insz is None


def test_a_line_that_is_no_json_object_is_rejected_with_its_number(tmp_path: Path) -> None:
    whole = json.dumps(A_RECORD)
    folder = destap(tmp_path, whole[:40], "", "[1]", "[" * 100_000, whole)

    assert problems(folder) == [
        ("clients.jsonl:1", "not_json", None),
        ("clients.jsonl:2", "empty_line", None),
        ("clients.jsonl:3", "not_json", None),
        ("clients.jsonl:4", "not_json", None),
    ]
    assert the_client(folder).where == "clients.jsonl:5"


def test_identical_lines_count_once_and_the_latest_moment_wins(tmp_path: Path) -> None:
    # In summer time 10:30 comes before 09:45 in winter time, whatever the text says.
    older = {**A_RECORD, "updated": "2026-10-25T10:30:00+02:00", "first_guidance": True}
    newer = {**A_RECORD, "updated": "2026-10-25T09:45:00+01:00", "first_guidance": False}
    folder = destap(tmp_path, newer, older, older)

    assert value(the_client(folder), "traj.first_guidance") is False
    assert problems(folder) == [
        ("clients.jsonl:3", "duplicate", None),
        ("clients.jsonl:2", "older_version", None),
    ]


def test_sessions_hold_topics_and_minutes_and_no_notes(tmp_path: Path) -> None:
    canary = "Fatima Haddad 0450 00 99 01"
    sessions = [
        {"date": "2026-09-28", "minutes": 95, "topics": ["RPL", "finance"], "note": canary},
        {"date": "2026-10-12", "minutes": "50", "topics": []},
    ]
    folder = destap(tmp_path, {**A_RECORD, "sessions": sessions, "dossiernota": canary})

    intake = the_client(folder)

    assert value(intake, "traj.sessions") == 2
    assert value(intake, "traj.minutes_total") == 145
    assert value(intake, "traj.session_months") == ["2026-09", "2026-10"]
    assert value(intake, "traj.info_given") == ["RPL", "finance"]
    assert envelope(intake, "traj.sessions")["observed_on"] == "2026-10-12"
    assert canary not in str(read(folder))
    assert dropped(folder) == {"clients.dossiernota": 1, "clients.sessions[].note": 1}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [([], []), ([{"code": "taal", "ernst": 1}], None), (None, None)],
)
def test_an_empty_list_of_barriers_means_asked_and_none(
    tmp_path: Path, listed: object, expected: object
) -> None:
    point = {"reason": "explore", "barriers": listed}

    assert value(one(tmp_path, vertrekpunt=point), "barr.codes") == expected


def test_barriers_keep_their_severity(tmp_path: Path) -> None:
    listed = [{"code": "cost", "ernst": 2}, {"code": "health", "ernst": "3", "uitleg": "astma"}]
    folder = destap(tmp_path, {**A_RECORD, "vertrekpunt": {"reason": "job", "barriers": listed}})

    assert value(the_client(folder), "barr.codes") == [
        {"code": "cost", "severity": "2"},
        {"code": "health", "severity": "3"},
    ]
    assert dropped(folder) == {"clients.vertrekpunt.barriers[].uitleg": 1}


def test_a_file_without_starting_point_is_thin(tmp_path: Path) -> None:
    record = {key: part for key, part in A_RECORD.items() if key != "vertrekpunt"}

    intake = the_client(destap(tmp_path, record))

    assert intake.partial
    assert reason(intake, "barr.codes") == "not_asked"


@pytest.mark.parametrize(
    ("members", "column"),
    [
        ({"first_guidance": ["ja"]}, "first_guidance"),
        ({"persoon": {**PERSON, "voornaam": ["Lotte"]}}, "persoon.voornaam"),
        ({"sessions": "3"}, "sessions"),
        ({"vertrekpunt": {"reason": "job", "barriers": ["cost"]}}, "vertrekpunt.barriers"),
    ],
)
def test_a_list_where_one_value_belongs_is_reported_and_not_read(
    tmp_path: Path, members: dict[str, Any], column: str
) -> None:
    folder = destap(tmp_path, {**A_RECORD, **members})

    assert problems(folder) == [("clients.jsonl:1", "wrong_type", column)]


def test_half_a_letter_does_no_harm(tmp_path: Path) -> None:
    intake = one(tmp_path, persoon={**PERSON, "voornaam": "Lo\ud800tte"})

    assert value(intake, "ident.given_name") == "Lo?tte"


def test_a_key_that_is_no_plain_name_is_counted_without_it(tmp_path: Path) -> None:
    folder = destap(tmp_path, {**A_RECORD, "Fatima Haddad": "zus"})

    assert dropped(folder) == {"clients.(other)": 1}


def test_more_unknown_keys_than_a_report_can_hold_are_counted_together(tmp_path: Path) -> None:
    folder = destap(tmp_path, {**A_RECORD, **{f"key{n}": 1 for n in range(600)}})

    counts = dropped(folder)

    assert len(counts) == 501
    assert counts["clients.(other)"] == 100


def test_the_file_may_be_named_itself(tmp_path: Path) -> None:
    file = destap(tmp_path, A_RECORD) / "clients.jsonl"
    renamed = file.rename(file.with_name("oktober.jsonl"))

    (intake,) = RegistrationJsonl({}).intakes(renamed)

    assert intake.where == "oktober.jsonl:1"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"clients\.jsonl: the file is missing"):
        next(RegistrationJsonl({}).intakes(tmp_path))
