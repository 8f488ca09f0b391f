from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.deposit import ContentRefused, Deposited, Quarantined, read_deposit
from policies.summary_model import summary_model
from policies.text_scan import scanner
from policies.vocabulary import Section

SAMPLES = Path(__file__).parents[1] / "data" / "sample_summaries.yaml"
TODAY = date(2026, 11, 2)
SCANNER = scanner()


def deposited(sections: Mapping[str, Any]) -> Deposited:
    return read_deposit(sections, today=TODAY, scanner=SCANNER)


def problems(sections: Mapping[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ContentRefused) as caught:
        deposited(sections)
    return list(caught.value.problems)


def in_sections(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for field, value in fields.items():
        section, name = field.split(".")
        sections.setdefault(section, {})[name] = value
    return sections


def test_a_bare_value_is_the_counsellors_of_today_and_unverified() -> None:
    kept = deposited({"educ": {"highest_level": "24"}})

    assert kept.sections == {
        Section.EDUC: {
            "highest_level": {
                "value": "24",
                "source": "counsellor",
                "observed_on": "2026-11-02",
                "verified": False,
            }
        }
    }
    assert kept.stored == 1


def test_a_whole_envelope_is_kept_as_it_is() -> None:
    envelope = {
        "value": "24",
        "source": "register",
        "observed_on": "2025-01-31",
        "verified": True,
    }

    kept = deposited({"educ": {"highest_level": envelope}})

    assert kept.sections[Section.EDUC]["highest_level"] == envelope


def test_a_missing_value_says_why() -> None:
    missing = {"value": None, "source": "client", "missing_reason": "refused"}

    kept = deposited({"work": {"neet": missing}})

    assert kept.sections[Section.WORK]["neet"] == missing | {
        "observed_on": "2026-11-02",
        "verified": False,
    }
    assert problems({"work": {"neet": None}}) == [("work.neet", "missing_reason_needed")]


@pytest.mark.parametrize(
    ("envelope", "problem"),
    [
        ({"value": None, "source": "client"}, ("work.neet", "missing_reason_needed")),
        (
            {"value": True, "source": "client", "missing_reason": "unknown"},
            ("work.neet", "missing_reason_beside_value"),
        ),
        ({"value": True}, ("work.neet.source", "needed")),
        ({"value": True, "source": "gossip"}, ("work.neet.source", "not_a_code")),
        (
            {"value": None, "source": "client", "missing_reason": "no"},
            ("work.neet.missing_reason", "not_a_code"),
        ),
        (
            {"value": True, "source": "client", "observed_on": "yesterday"},
            ("work.neet.observed_on", "not_a_date"),
        ),
        (
            {"value": True, "source": "client", "verified": 1},
            ("work.neet.verified", "not_yes_or_no"),
        ),
        ({"value": True, "source": "client", "note": "x"}, ("work.neet", "unknown_member")),
        ({"value": True, "source": []}, ("work.neet.source", "not_a_code")),
    ],
)
def test_an_envelope_that_does_not_say_what_it_must_is_refused(
    envelope: dict[str, Any], problem: tuple[str, str]
) -> None:
    assert problems({"work": {"neet": envelope}}) == [problem]


@pytest.mark.parametrize(
    ("field", "value", "place", "code"),
    [
        ("educ.highest_level", "9", "", "not_a_code"),
        ("educ.highest_level", 24, "", "not_text"),
        ("educ.highest_level", {"code": "24"}, "", "not_text"),
        ("educ.last_year_left", "2026", "", "not_a_number"),
        ("educ.last_year_left", 1899, "", "not_a_year"),
        ("educ.last_year_left", 2101, "", "not_a_year"),
        ("educ.last_year_left", True, "", "not_a_number"),
        ("educ.early_leaver", "ja", "", "not_yes_or_no"),
        ("educ.early_leaver", 1, "", "not_yes_or_no"),
        ("traj.sessions", -1, "", "too_small"),
        ("traj.sessions", 2**53, "", "too_large"),
        ("traj.sessions", 1.5, "", "not_a_number"),
        ("ident.birth_date", "14/05/2009", "", "not_a_date"),
        ("ident.birth_date", "2009-02-30", "", "not_a_date"),
        ("ident.birth_date", "1809-02-03", "", "not_a_date"),
        ("ident.birth_date", "20090503", "", "not_a_date"),
        ("ident.birth_date", True, "", "not_a_number"),
        ("ident.given_name", "N" * 101, "", "too_long"),
        ("ident.given_name", "No\u200bor", "", "invisible_characters"),
        ("ident.given_name", "No\u202eor", "", "invisible_characters"),
        ("ident.given_name", "No\x00or", "", "invisible_characters"),
        ("ident.given_name", "No\ud800r", "", "invisible_characters"),
        ("contact.phone", "0450000001", "", "wrong_form"),
        ("contact.phone", "+32450000001\n", "", "wrong_form"),
        ("contact.email", "sofie@", "", "wrong_form"),
        ("natid.insz", "94630290494", "", "wrong_check_digits"),
        ("natid.insz", "94.63.02-904.93", "", "wrong_form"),
        ("justice.expected_release", "2027-13", "", "not_a_month"),
        ("justice.expected_release", "0027-12", "", "not_a_month"),
        ("educ.dropout_reason", "conflict", "", "not_a_list"),
        ("educ.dropout_reason", ["conflict", "ruzie"], ".1", "not_a_code"),
        ("educ.dropout_reason", ["conflict", "conflict"], "", "twice"),
        ("educ.dropout_reason", [["conflict"]], ".0", "not_text"),
        ("traj.session_months", ["2026-10", "2026-1"], ".1", "wrong_form"),
        ("goals.employment", [{"clarity": "clear"}] * 51, "", "too_many"),
        ("goals.employment", ["clear"], ".0", "not_an_object"),
        ("goals.employment", [{}], ".0", "empty"),
        ("goals.employment", [{"clarity": None}], ".0.clarity", "not_text"),
        ("goals.learning", [{"target_date": "soon"}], ".0.target_date", "not_a_date"),
        ("barr.codes", [{"code": "cost", "story": "x"}], ".0.story", "unknown_member"),
        ("barr.codes", [{"code": "cost", "zus Fatima": "x"}], ".0.?", "unknown_member"),
        ("barr.zrm", [{"domain": "time", "score": 6}], ".0.score", "too_large"),
        ("traj.microcontacts", {"email": -1}, ".email", "too_small"),
        ("traj.microcontacts", 4, "", "not_an_object"),
        ("agree.appointment", {"start": "2026-11-09"}, ".start", "not_a_time"),
        ("agree.appointment", {"start": "2026-11-09T10:00:00"}, ".start", "not_a_time"),
        ("agree.appointment", {"start": "2026-11-31T10:00:00Z"}, ".start", "not_a_time"),
        ("note.read_back", False, "", "must_be_yes"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_place_and_code(
    field: str, value: object, place: str, code: str
) -> None:
    assert problems(in_sections({field: value})) == [(field + place, code)]


def test_every_problem_is_named_and_no_value_is() -> None:
    wrong = {"educ": {"highest_level": "Fatima", "early_leaver": "Fatima"}, "work": "Fatima"}

    with pytest.raises(ContentRefused) as caught:
        deposited(wrong)

    assert [place for place, _ in caught.value.problems] == [
        "educ.highest_level",
        "educ.early_leaver",
        "work",
    ]
    assert "Fatima" not in str(caught.value) + repr(caught.value.problems)


def test_unknown_names_and_what_the_broker_makes_are_dropped_and_named() -> None:
    kept = deposited(
        {
            "hobby": {"a": 1},
            "x_notes": {"text": "secret"},
            "zus Fatima": {},
            "educ": {"old": 1, "Rita Claes": 1, "early_leaver": True},
            "ident": {"pseudonym": "not even checked"},
        }
    )

    assert kept.dropped == ("hobby", "x_notes", "?", "educ.old", "?", "ident.pseudonym")
    assert list(kept.sections) == [Section.EDUC]
    assert kept.stored == 1


def test_text_is_kept_in_one_normal_form() -> None:
    kept = deposited({"ident": {"given_name": "Zoe\u0308"}})

    assert kept.sections[Section.IDENT]["given_name"]["value"] == "Zo\u00eb"


def test_lines_and_tabs_may_stand_in_a_text() -> None:
    kept = deposited({"note": {"text": "wil\n\tlasser worden", "read_back": True}})

    assert kept.sections[Section.NOTE]["text"]["value"] == "wil\n\tlasser worden"


def test_of_a_birth_date_the_year_may_be_all_that_is_known() -> None:
    kept = deposited({"ident": {"birth_date": 1999}})

    assert kept.sections[Section.IDENT]["birth_date"]["value"] == 1999


def test_a_stopped_text_is_taken_out_of_its_action_and_named_by_rule() -> None:
    stopped = "bellen met zus Fatima Haddad 0450 00 99 01"
    actions = [
        {"what": "call_back", "text": stopped},
        {"what": "enrol", "text": "Inschrijven voor de module lassen"},
    ]

    kept = deposited({"agree": {"actions": actions}})

    assert kept.sections[Section.AGREE]["actions"]["value"] == [{"what": "call_back"}, actions[1]]
    assert kept.quarantined == (Quarantined("agree.actions.text", ("R-KIN", "R-NAME", "R-PHONE")),)
    assert actions[0]["text"] == stopped
    assert "Fatima" not in repr(kept)


def test_a_stopped_role_is_taken_out_with_what_holds_nothing_else() -> None:
    services = [{"role": "mijn broer"}, {"org": "ocmw-gent", "contact_function": "haar moeder"}]

    kept = deposited({"net": {"services": services}})

    assert kept.sections[Section.NET]["services"]["value"] == [{"org": "ocmw-gent"}]
    assert [each.path for each in kept.quarantined] == [
        "net.services.role",
        "net.services.contact_function",
    ]


def test_a_field_of_which_nothing_is_left_is_not_kept() -> None:
    kept = deposited({"agree": {"actions": [{"text": "bel Rita Claes"}]}})

    assert (kept.sections, kept.stored) == ({}, 0)


def test_an_empty_list_was_asked_and_is_kept() -> None:
    kept = deposited({"barr": {"codes": []}})

    assert kept.sections[Section.BARR]["codes"]["value"] == []


@pytest.mark.parametrize("order", [("text", "read_back"), ("read_back", "text")])
def test_a_stopped_note_goes_as_a_whole(order: tuple[str, str]) -> None:
    note = {"text": "Rita Claes belt terug", "read_back": True}

    kept = deposited({"note": {name: note[name] for name in order}})

    assert kept.sections == {}
    assert kept.quarantined == (Quarantined("note.text", ("R-NAME",)),)


def test_a_note_must_have_been_read_back() -> None:
    text = {"value": "wil lasser worden", "source": "counsellor"}
    unread = {"value": None, "source": "client", "missing_reason": "not_asked"}

    assert problems({"note": {"text": text}}) == [("note.text", "needs_read_back")]
    assert problems({"note": {"text": text, "read_back": unread}}) == [
        ("note.text", "needs_read_back")
    ]
    assert problems({"note": {"text": text, "read_back": False}}) == [
        ("note.read_back", "must_be_yes")
    ]


def test_a_note_that_was_not_written_needs_no_reading() -> None:
    missing = {"value": None, "source": "client", "missing_reason": "refused"}

    assert deposited({"note": {"text": missing}}).stored == 1


def test_an_interpreter_language_needs_an_interpreter() -> None:
    lang = {"interpreter_language": "ara"}

    expected = [("lang.interpreter_language", "needs_interpreter_needed")]
    assert problems({"lang": lang}) == expected
    assert problems({"lang": lang | {"interpreter_needed": False}}) == expected
    assert deposited({"lang": lang | {"interpreter_needed": True}}).stored == 2


@pytest.mark.parametrize("sample", [f"cl-000{number}" for number in range(1, 7)])
def test_the_sample_summaries_are_taken_over_whole(sample: str) -> None:
    fields = yaml.safe_load(SAMPLES.read_text())[sample]["fields"]

    kept = deposited(in_sections(fields))

    assert kept.stored == len(fields)
    assert (kept.dropped, kept.quarantined) == ((), ())


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(summary_model().fields)), json)
def test_whatever_is_deposited_is_kept_dropped_or_refused(field: str, value: object) -> None:
    given = in_sections({field: value})

    try:
        kept = deposited(given)
        places = [field] * (kept.stored + len(kept.dropped) + len(kept.quarantined))
    except ContentRefused as refused:
        places = [place[: len(field)] for place, _ in refused.problems]

    assert places == [field]
