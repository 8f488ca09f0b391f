import pytest

from policies.grants import InvalidGrant, base_set, read_grant
from policies.summary_model import summary_model
from policies.vocabulary import Section


def test_a_section_gives_its_fields_at_the_lowest_level_present() -> None:
    assert base_set(Section.EDUC) == {"educ.highest_level", "educ.early_leaver"}
    assert base_set(Section.DEMOG) == {"demog.gender"}
    assert base_set(Section.HOUSE) == {"house.childcare_need"}
    assert base_set(Section.NET) == {"net.services"}
    assert base_set(Section.BENEF) == {
        "benef.types",
        "benef.exemption_status",
        "benef.case_org",
    }
    assert base_set(Section.FOLLOW) == {"follow.tracking_consent", "follow.contact_after"}


def test_the_birth_date_is_in_the_base_set_though_it_is_optional() -> None:
    assert base_set(Section.IDENT) == {
        "ident.pseudonym",
        "ident.given_name",
        "ident.family_name",
        "ident.birth_date",
    }


@pytest.mark.parametrize("section", Section)
def test_no_base_set_is_empty(section: Section) -> None:
    assert base_set(section)


def test_fields_replace_the_base_set_of_their_section_and_of_no_other() -> None:
    given, named = read_grant(sections=["goals", "benef"], fields=["benef.exemption_status"])

    assert given == base_set(Section.GOALS) | {"benef.exemption_status"}
    assert named == {"goals", "benef", "benef.exemption_status"}


def test_include_adds_above_the_base_level() -> None:
    given, named = read_grant(sections=["educ"], include=["educ.last_track"])

    assert given == base_set(Section.EDUC) | {"educ.last_track"}
    assert named == {"educ", "educ.last_track"}


def test_exclude_wins_over_fields_and_include() -> None:
    given, named = read_grant(
        sections=["educ"],
        fields=["educ.highest_level", "educ.last_track"],
        include=["work.status"],
        exclude=["educ.last_track", "work.status"],
    )

    assert given == {"educ.highest_level"}
    assert named == {"educ", "educ.highest_level"}


def test_a_grant_of_nothing_gives_nothing() -> None:
    assert read_grant(sections=[]) == (frozenset(), frozenset())


@pytest.mark.parametrize("where", ["sections", "fields", "include", "exclude"])
@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("x_notes", "class_x", "x_notes"),
        ("hobby", "unknown_name", "hobby"),
        ("zus Fatima", "unknown_name", "?"),
    ],
)
def test_a_grant_that_names_class_x_or_the_unknown_is_invalid(
    where: str, name: str, code: str, told: str
) -> None:
    names = {"sections": ["educ"]} | {where: [name]}

    with pytest.raises(InvalidGrant) as caught:
        read_grant(**names)

    assert (caught.value.code, caught.value.name) == (code, told)
    assert "Fatima" not in str(caught.value)


def test_a_field_of_class_x_is_told_from_an_unknown_one() -> None:
    with pytest.raises(InvalidGrant, match="class_x"):
        read_grant(sections=["educ"], include=["x_notes.text"])


def test_base_sets_hold_only_fields_of_the_model() -> None:
    given, _ = read_grant(sections=[each.value for each in Section])

    assert given <= set(summary_model().fields)
    assert "educ.last_track" not in given
