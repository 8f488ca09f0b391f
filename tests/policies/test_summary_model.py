import hashlib
from pathlib import Path

import pytest
import yaml

from policies import summary_model as module
from policies.summary_model import (
    InvalidModel,
    fields_of,
    hidden,
    read_summary_model,
    summary_model,
    told_name,
)
from policies.vocabulary import FieldId, Section

SHIPPED = Path(module.__file__).with_name("summary_model.yaml").read_bytes()


def changed(before: str, after: str) -> bytes:
    text = SHIPPED.decode()
    assert before in text
    return text.replace(before, after, 1).encode()


def test_the_model_has_every_section_in_display_order_and_nothing_of_class_x() -> None:
    model = summary_model()

    assert list(model.sections) == list(Section)
    assert len(model.fields) == 85
    assert model.never_leaves == {"x_notes"}
    assert not any(each.cls == "X" for each in model.fields.values())


def test_the_fingerprint_is_that_of_the_file() -> None:
    assert summary_model().fingerprint == hashlib.sha256(SHIPPED).hexdigest()
    assert read_summary_model(SHIPPED + b"\n").fingerprint != summary_model().fingerprint


def test_every_section_and_code_has_a_label_in_three_languages() -> None:
    model = summary_model()
    labels = [each.labels for each in model.sections.values()]
    labels += [code.labels for each in model.code_lists.values() for code in each.codes.values()]

    assert all({"nl", "en", "fr"} == set(each) and all(each.values()) for each in labels)


def test_only_health_and_justice_hide_that_they_are_withheld() -> None:
    assert {each for each in Section if hidden(each)} == {Section.HEALTH, Section.JUSTICE}


def test_the_fields_of_a_section_are_known_by_their_full_names() -> None:
    assert fields_of(Section.JUSTICE) == {"justice.in_detention", "justice.expected_release"}


def test_an_outside_code_list_knows_its_codes_by_their_form() -> None:
    countries = summary_model().code_lists["country_alpha3"]

    assert "BEL" in countries
    assert "BEL\n" not in countries
    assert 5 not in countries


def test_what_may_be_scanned_are_the_fields_for_free_text() -> None:
    fields = summary_model().fields
    members = {
        f"{each.id}.{name}"
        for each in fields.values()
        for name, member in each.members.items()
        if member.scan
    }

    assert {each.id for each in fields.values() if each.scan} == {"note.text"}
    assert members == {
        "agree.actions.text",
        "net.services.role",
        "net.services.contact_function",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  - id: natid", "  - id: hobby"),
        ("never_leaves: [x_notes]", "never_leaves: [x_notes, note]"),
        ("type: boolean", "type: story"),
        ("codes: gender", "codes: sex"),
        ("class: C", "class: X"),
        ("default: optional,", "default: always,"),
        ("precision: [exact]", "precision: [exactly]"),
        ("precision: [exact]", "precision: []"),
        ("default_precision: year", "default_precision: exact"),
        ("only_when: interpreter_needed", "only_when: interpreter"),
        ("{code: client,", "{code: counsellor,"),
        ("{code: client,", "{code: 1,"),
        ("emit_as: other", "emit_as: house"),
        ("{id: given_name,", "{id: family_name,"),
        ("{id: given_name,", "{id: given_name, story: true,"),
        ("'^[0-9]{11}$'", "'^[0-9{11}$('"),
        ("version:", "edition:"),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(before: str, after: str) -> None:
    with pytest.raises(InvalidModel):
        read_summary_model(changed(before, after))


def test_a_model_without_a_section_is_refused() -> None:
    raw = yaml.safe_load(SHIPPED)
    del raw["sections"][3]

    with pytest.raises(InvalidModel):
        read_summary_model(yaml.safe_dump(raw).encode())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hobby", "hobby"),
        ("educ.old_code2", "educ.old_code2"),
        ("Zus Fatima", "?"),
        ("x94630290493", "?"),
        ("0450009901", "?"),
        ("a" * 41, "?"),
        ("", "?"),
        (7, "?"),
    ],
)
def test_an_unknown_name_is_repeated_only_when_it_can_hardly_hold_a_person(
    name: object, told: str
) -> None:
    assert told_name(name) == told


def test_a_field_says_how_it_is_treated() -> None:
    birth = summary_model().fields[FieldId("ident.birth_date")]
    track = summary_model().fields[FieldId("resid.integration_track")]

    assert birth.precision == ("day", "year", "age_band")
    assert birth.base_precision == birth.default_precision == "year"
    assert track.only_types == {"integration_agency"}
