from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from policies.reduction import Envelope, Release, reduced
from policies.summary_model import summary_model
from policies.vocabulary import FieldId, Section

MODEL = summary_model()
ALL = frozenset(MODEL.fields)
PSEUDONYM = "abcdefghijklmnopqrstuvwxyz"
TODAY = date(2026, 11, 2)

EVERYTHING = Release(
    fields=ALL,
    precision=tuple(sorted((each.id, each.precision[0]) for each in MODEL.fields.values())),
    high_risk=False,
    health=True,
    justice=True,
    explicit=ALL,
    masked_origin=False,
    recipient_type="guidance_service",
    at=TODAY,
    pseudonym=PSEUDONYM,
    organisation_types={"ocmw-kortrijk": "local_welfare_centre"},
)
PLAIN = replace(EVERYTHING, health=False, justice=False, explicit=frozenset())

Kept = dict[Section, dict[str, Envelope]]


def kept(fields: Mapping[str, Any]) -> Kept:
    """Values as they lie in the vault; bare ones come from the client."""
    sections: Kept = {}
    for field, value in fields.items():
        section, name = field.split(".")
        envelope = {"value": value, "source": "client", "verified": True}
        sections.setdefault(Section(section), {})[name] = envelope
    return sections


def at_level(release: Release, **levels: str) -> Release:
    precision = dict(release.precision)
    precision |= {FieldId(name.replace("__", ".")): level for name, level in levels.items()}
    return replace(release, precision=tuple(sorted(precision.items())))


def values(fields: Mapping[str, Any], release: Release) -> dict[str, Any]:
    out, _ = reduced(kept(fields), release)
    return {
        f"{section}.{name}": envelope["value"]
        for section, held in out.items()
        for name, envelope in held.items()
        if name != "pseudonym"
    }


def test_a_note_leaves_only_together_with_its_reading_back() -> None:
    note = {"note.text": "wil lasser worden", "note.read_back": True}
    only_text = replace(PLAIN, fields=frozenset({FieldId("note.text")}))

    assert values(note, PLAIN) == note
    assert values(note, only_text) == {}


def test_what_was_not_released_stays_behind() -> None:
    fields = {"educ.highest_level": "24", "educ.last_track": "BSO", "work.neet": True}
    release = replace(PLAIN, fields=frozenset({FieldId("educ.highest_level")}))

    assert values(fields, release) == {"educ.highest_level": "24"}


def test_the_pseudonym_goes_with_every_release_and_is_the_one_of_this_recipient() -> None:
    stored = kept({"ident.pseudonym": "z" * 26, "work.neet": True})

    out, used = reduced(stored, replace(PLAIN, fields=frozenset({FieldId("work.neet")})))

    assert out[Section.IDENT]["pseudonym"]["value"] == PSEUDONYM
    assert list(out) == [Section.IDENT, Section.WORK]
    assert used == {}


def test_an_envelope_keeps_its_provenance() -> None:
    stored = kept({"ident.birth_date": "1994-03-02"})

    out, used = reduced(stored, at_level(PLAIN, ident__birth_date="year"))

    assert out[Section.IDENT]["birth_date"] == {
        "value": 1994,
        "source": "client",
        "verified": True,
    }
    assert used == {"ident.birth_date": "year"}
    assert stored == kept({"ident.birth_date": "1994-03-02"})


def test_a_missing_value_stays_missing_at_every_level() -> None:
    missing = {"value": None, "source": "client", "missing_reason": "refused"}
    stored = {Section.IDENT: {"birth_date": missing}}

    out, used = reduced(stored, at_level(PLAIN, ident__birth_date="age_band"))

    assert out[Section.IDENT]["birth_date"] == missing
    assert used == {}


@pytest.mark.parametrize(
    ("field", "level", "value", "expected"),
    [
        ("ident.birth_date", "year", "1994-03-02", 1994),
        ("ident.birth_date", "age_band", "1994-03-02", "a26_35"),
        ("ident.birth_date", "year", 1999, 1999),
        ("contact.municipality", "province", "44021", "44"),
        ("demog.nationality", "nat_group", "SYR", "non_EU"),
        ("demog.mother_tongue", "lang_group", "ara", "other"),
        ("resid.arrival_year", "year_band5", 2024, "2020-2024"),
        ("work.status_detail", "ilo", "leefloon", "unknown"),
        ("work.skills", "count", ["http://data.europa.eu/esco/skill/a"], 1),
        ("educ.credentials", "count", [{"title": "x"}, {"title": "y"}], 2),
        ("benef.case_org", "category", "ocmw-kortrijk", "local_welfare_centre"),
        ("follow.contact_after", "month", "2027-02-14", "2027-02"),
        ("refer.from", "masked", "ocmw-kortrijk", "begeleidingsdienst (afgeschermd)"),
        (
            "agree.appointment",
            "day",
            {"start": "2026-11-09T10:00:00+01:00", "org": "vdab-wvl", "site": "Kortrijk"},
            {"start": "2026-11-09", "org": "vdab-wvl"},
        ),
    ],
)
def test_a_value_is_as_precise_as_was_decided(
    field: str, level: str, value: object, expected: object
) -> None:
    release = at_level(EVERYTHING, **{field.replace(".", "__"): level})

    out, used = reduced(kept({field: value}), release)

    section, name = field.split(".")
    assert out[Section(section)][name]["value"] == expected
    assert used == {field: level}


def test_no_level_decided_means_the_default_of_the_field() -> None:
    fields = {"demog.nationality": "SYR", "resid.arrival_year": 2024, "educ.highest_level": "24"}

    assert values(fields, replace(PLAIN, precision=())) == {
        "demog.nationality": "non_EU",
        "resid.arrival_year": "2020-2024",
        "educ.highest_level": "24",
    }


def test_an_organisation_of_unknown_type_has_no_category() -> None:
    release = at_level(PLAIN, benef__case_org="category")

    assert values({"benef.case_org": "somebody"}, release) == {}


def test_an_appointment_without_day_or_organisation_has_nothing_at_day_precision() -> None:
    release = at_level(PLAIN, agree__appointment="day")

    assert values({"agree.appointment": {"site": "Kortrijk"}}, release) == {}


def test_an_address_is_reduced_to_the_municipality_beside_it_or_stays_behind() -> None:
    fields = {"contact.address": "Stationsstraat 18", "contact.municipality": "34022"}
    only = replace(PLAIN, fields=frozenset({FieldId("contact.address")}))

    assert values(fields, at_level(only, contact__address="municipality")) == {
        "contact.address": "34022"
    }
    assert values(fields, at_level(only, contact__address="province")) == {"contact.address": "34"}
    alone = {"contact.address": "Stationsstraat 18"}
    assert values(alone, at_level(only, contact__address="province")) == {}
    unknown = alone | {"contact.municipality": None}
    assert values(unknown, at_level(only, contact__address="province")) == {}


def test_h5_undocumented_leaves_as_unknown_whatever_is_released() -> None:
    stored = kept({"resid.status": "undocumented"})

    out, _ = reduced(stored, EVERYTHING)
    unknown, _ = reduced(kept({"resid.status": "unknown"}), EVERYTHING)

    assert out[Section.RESID]["status"]["value"] == "unknown"
    assert out == unknown


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("house.type", "institution", "other"),
        ("house.type", "homeless", "other"),
        ("house.type", "single", "single"),
    ],
)
def test_an_institution_and_the_street_leave_as_other(field: str, value: str, told: str) -> None:
    assert values({field: value}, EVERYTHING) == {field: told}


def test_special_education_is_told_only_when_a_grant_names_it() -> None:
    fields = {"educ.last_track": "BuSO"}
    named = replace(PLAIN, explicit=frozenset({FieldId("educ.last_track")}))

    assert values(fields, PLAIN) == {"educ.last_track": "unknown"}
    assert values(fields, named) == {"educ.last_track": "BuSO"}
    assert values({"educ.last_track": "BSO"}, PLAIN) == {"educ.last_track": "BSO"}


def test_sickness_is_told_only_with_section_health() -> None:
    fields = {"work.status_detail": "sickness_invalidity"}

    assert values(fields, replace(EVERYTHING, health=False)) == {"work.status_detail": "unknown"}
    assert values(fields, replace(PLAIN, health=True)) == fields


def test_a_code_told_otherwise_cannot_be_told_from_a_real_one() -> None:
    sick, _ = reduced(kept({"work.status_detail": "sickness_invalidity"}), PLAIN)
    real = {"value": "unknown", "source": "client", "verified": False}
    unknown, _ = reduced({Section.WORK: {"status_detail": real}}, PLAIN)

    assert sick == unknown


def test_codes_of_health_and_justice_follow_their_section() -> None:
    fields = {
        "barr.codes": [{"code": "health"}, {"code": "cost"}, {"code": "justice"}],
        "barr.zrm": [
            {"domain": "substance_use", "score": 2},
            {"domain": "time", "score": 3},
            {"domain": "justice", "score": 1},
        ],
        "benef.types": ["sickness", "leefloon"],
        "educ.dropout_reason": ["conflict", "health"],
        "outc.obstacle": ["health", "work"],
    }

    plain = values(fields, PLAIN)

    assert plain["barr.codes"] == [{"code": "cost"}]
    assert plain["barr.zrm"] == [{"domain": "time", "score": 3}]
    assert plain["benef.types"] == ["leefloon"]
    assert plain["educ.dropout_reason"] == ["conflict"]
    assert plain["outc.obstacle"] == ["work"]
    assert values(fields, EVERYTHING) == fields
    with_health = values(fields, replace(PLAIN, health=True))
    assert with_health["barr.codes"] == [{"code": "health"}, {"code": "cost"}]


def test_a_list_of_nothing_else_stays_behind_and_does_not_say_none() -> None:
    assert values({"benef.types": ["sickness"], "outc.obstacle": []}, PLAIN) == {
        "outc.obstacle": []
    }


def test_only_what_may_be_seen_is_counted() -> None:
    fields = {"barr.codes": [{"code": "health"}, {"code": "cost"}]}

    assert values(fields, at_level(PLAIN, barr__codes="count")) == {"barr.codes": 1}
    assert values(fields, at_level(EVERYTHING, barr__codes="count")) == {"barr.codes": 2}


def test_two_or_more_barriers_counts_only_those_that_may_be_seen() -> None:
    hidden = {"barr.multi_problem": True, "barr.codes": [{"code": "health"}, {"code": "cost"}]}
    codes = [{"code": "debts"}, {"code": "cost"}]
    seen = {"barr.multi_problem": True, "barr.codes": codes}
    three = {"barr.multi_problem": True, "barr.codes": [*codes, {"code": "health"}]}
    alone = {"barr.multi_problem": True, "barr.codes": [{"code": "health"}]}

    told = [values(each, PLAIN)["barr.multi_problem"] for each in (hidden, seen, three, alone)]

    assert told == [False, True, True, False]
    assert values(hidden, EVERYTHING)["barr.multi_problem"] is True
    assert values({"barr.multi_problem": True}, PLAIN) == {"barr.multi_problem": True}
    as_it_was = {"barr.multi_problem": True, "barr.codes": [{"code": "cost"}]}
    assert values(as_it_was, PLAIN) == as_it_was
    unknown = {"barr.multi_problem": True, "barr.codes": None}
    assert values(unknown, PLAIN) == unknown


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("resid.integration_track", "mandatory", {"integration_agency"}),
        ("justice.expected_release", "2027-02", {"prison_service", "training_provider"}),
    ],
)
def test_some_fields_go_to_some_kinds_of_organisation_only(
    field: str, value: str, allowed: set[str]
) -> None:
    kinds = ["integration_agency", "prison_service", "training_provider", "guidance_service"]

    told = {
        kind for kind in kinds if values({field: value}, replace(EVERYTHING, recipient_type=kind))
    }

    assert told == allowed


def test_the_precision_of_a_hidden_section_is_not_told() -> None:
    release = replace(
        at_level(EVERYTHING, justice__expected_release="year"), recipient_type="prison_service"
    )

    out, used = reduced(kept({"justice.expected_release": "2027-02"}), release)

    assert out[Section.JUSTICE]["expected_release"]["value"] == 2027
    assert used == {}


@pytest.mark.parametrize("needed", [False, None])
def test_the_interpreters_language_goes_only_with_the_need(needed: bool | None) -> None:  # noqa: FBT001
    fields = {"lang.interpreter_language": "ara"}

    assert values(fields, PLAIN) == {}
    assert "lang.interpreter_language" not in values(
        fields | {"lang.interpreter_needed": needed}, PLAIN
    )
    with_need = fields | {"lang.interpreter_needed": True}
    only_language = replace(PLAIN, fields=frozenset({FieldId("lang.interpreter_language")}))
    assert values(with_need, only_language) == fields
