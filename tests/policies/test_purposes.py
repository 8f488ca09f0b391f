"""The closed list of purposes."""

from importlib.resources import files

import pytest

from policies.purposes import (
    InvalidPurposes,
    asked_by_default,
    implied_by,
    is_prohibited,
    may_use,
    profile,
    purpose,
    purpose_list,
    read_purposes,
)
from policies.vocabulary import ConsentState, Operation, OrganisationType, Section
from tests.policies import situations

SHIPPED = files("policies").joinpath("purposes.yaml").read_text("utf-8")
WELFARE = OrganisationType.LOCAL_WELFARE_CENTRE
GUIDANCE = OrganisationType.GUIDANCE_SERVICE
NONE: frozenset[str] = frozenset()


def test_there_are_ten_purposes_and_six_prohibited_uses() -> None:
    assert list(purpose_list().purposes) == [f"P{number}" for number in range(1, 11)]
    assert {each.code for each in purpose_list().prohibited.values()} == {
        f"P9{digit}" for digit in range(6)
    }


@pytest.mark.parametrize("code", ["P90", "P91", "P92", "P93", "P94", "P95", "benefit_control"])
def test_a_prohibited_use_is_no_purpose_under_any_name(code: str) -> None:
    assert is_prohibited(code)
    assert purpose(code) is None
    assert not may_use(code, frozenset(Section)) | profile(code)
    assert not asked_by_default(code)


def test_an_unknown_code_is_neither_a_purpose_nor_prohibited() -> None:
    assert purpose("P11") is None
    assert not is_prohibited("P11")


def test_a_purpose_uses_its_default_as_soon_as_it_is_granted() -> None:
    assert may_use("P5", NONE) == situations.fields("ident", "contact", "lang", "educ", "agree")


@pytest.mark.parametrize("named", ["benef", "benef.exemption_status"])
def test_an_optional_field_is_used_when_it_or_its_section_is_named(named: str) -> None:
    extra = may_use("P1", frozenset({named})) - may_use("P1", NONE)

    assert extra == {"benef.exemption_status"}


def test_naming_one_field_of_an_optional_section_opens_that_field_only() -> None:
    extra = may_use("P3", frozenset({"barr.codes"})) - may_use("P3", NONE)

    assert extra == {"barr.codes"}


def test_asking_without_a_word_asks_for_default_and_optional() -> None:
    assert {Section.IDENT, Section.BENEF, Section.HEALTH} <= asked_by_default("P1")
    assert Section.JUSTICE not in asked_by_default("P1")
    assert asked_by_default("P7") == asked_by_default("P10") == frozenset()


def test_no_purpose_may_use_the_national_number() -> None:
    assert all("natid.insz" not in profile(code) for code in purpose_list().purposes)


def test_a_purpose_accepts_the_kinds_of_recipient_it_lists() -> None:
    welfare, follow_up = purpose_list().purposes["P3"], purpose_list().purposes["P9"]

    assert welfare.accepts(WELFARE)
    assert not welfare.accepts(GUIDANCE)
    assert welfare.accepts(GUIDANCE, in_partnership=True)
    assert not purpose_list().purposes["P1"].accepts(WELFARE, in_partnership=True)
    assert follow_up.accepts(GUIDANCE, own=True)
    assert not follow_up.accepts(GUIDANCE)
    assert not follow_up.accepts(WELFARE, own=True)


def test_who_may_import_may_download_and_view() -> None:
    assert implied_by(Operation.VIEW) == {Operation.VIEW, Operation.DOWNLOAD, Operation.IMPORT}
    assert implied_by(Operation.DOWNLOAD) == {Operation.DOWNLOAD, Operation.IMPORT}
    assert implied_by(Operation.NOTIFY) == {Operation.NOTIFY}


def test_validity_is_a_number_of_months_where_it_is_a_duration() -> None:
    months = {code: each.months for code, each in purpose_list().purposes.items()}

    assert months["P1"] == 6
    assert months["P8"] == 24
    assert months["P7"] is months["P10"] is None
    assert purpose_list().purposes["P4"].until_event == "first_contact"


def test_every_term_has_a_known_prefix() -> None:
    book = purpose_list()
    terms = [
        *(term for each in book.purposes.values() for term in each.dpv),
        *(term for p in book.purposes.values() for some in p.legal_basis.values() for term in some),
        *(term for each in book.prohibited.values() for term in each.dpv),
        *(term for each in book.data_categories.values() for term in each),
        *(book.state_terms[state][0] for state in ConsentState),
        *(book.operation_terms[each] for each in Operation),
    ]

    assert {term.partition(":")[0] for term in terms} <= set(book.prefixes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("default: [contact, follow.contact_after]", "default: [contact, follow.nothing]"),
        ("default: [contact, follow.contact_after]", "default: [contact, diary]"),
        ("default: [contact, follow.contact_after]", "default: [contact, ident.given_name]"),
        ("org_types: [back_office]", "org_types: [employers]"),
        ("validity: P24M", "validity: two years"),
        ("aliases: [marketing]", "aliases: [P2]"),
        ("  aggregate: {", "  count: {"),
        ("  note: [pd:Opinion]", "  notes: [pd:Opinion]"),
        ("  unknown: {dpv", "  unclear: {dpv"),
        ("functions_needed: [tracking]", "functions: [tracking]"),
        ("\nprohibited:", "\nforbidden:"),
        (SHIPPED, "[]"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(old: str, new: str) -> None:
    assert old in SHIPPED

    with pytest.raises(InvalidPurposes):
        read_purposes(SHIPPED.replace(old, new).encode())
