"""The protocol that people read says what the document says, in Dutch, and nothing more."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from policies.agreement_document import SUSPENSION_REASONS, Agreement
from policies.agreements import Standing
from policies.legal_references import legal_references, place_of
from policies.organisations import read_directory
from policies.protocol import Protocol, Table
from policies.protocol_text import element_label, how_it_stands, protocol
from policies.protocol_words import field_label, words
from policies.summary_model import summary_model
from policies.vocabulary import Operation
from policies.yaml_files import read_yaml
from tests.policies.test_agreements import AGREEMENTS, DOCUMENTS, MANDATORY, TODAY, an_agreement

ROOT = Path(__file__).parents[2]
NAMES = {
    str(each.id): each.name
    for each in read_directory(
        read_yaml((ROOT / "tests/data/organisations.yaml").read_bytes())
    ).organisations
}


def told(name: str = "PR-2026-001", **changes: Any) -> Protocol:
    return shown(an_agreement(name, **changes))


def shown(agreement: Agreement, on: date = TODAY, **more: Any) -> Protocol:
    stands = how_it_stands(agreement, on=on, names=NAMES)
    return protocol(agreement, names=NAMES, stands=stands, **more)


def everything(shown: Protocol) -> str:
    return "\n".join(str(each) for chapter in shown.chapters for each in chapter.blocks)


def table(shown: Protocol, caption: str) -> tuple[tuple[str, ...], ...]:
    (found,) = (
        each.rows
        for chapter in shown.chapters
        for each in chapter.blocks
        if isinstance(each, Table) and each.caption == caption
    )
    return found


def test_every_field_precision_operation_and_standing_has_a_dutch_word() -> None:
    fields = summary_model().fields

    assert set(words()["fields"]) == set(fields)
    assert all(field_label(each) != each for each in fields)
    assert {level for each in fields.values() for level in each.precision} <= set(
        words()["precision"]
    )
    assert set(words()["operations"]) == set(Operation)
    assert set(words()["standings"]) == {*Standing, "superseded"}
    assert set(SUSPENSION_REASONS) <= set(words()["reasons"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_protocol_tells_all_that_its_document_holds(name: str) -> None:
    document, shown = DOCUMENTS[name], told(name)
    text = everything(shown)

    for party in document["parties"]:
        assert NAMES[party["org"]] in text
        assert party["contact_function"] in text
        assert party["dpo_contact"] in text
    for key in [
        *document["legal"]["basis_of_communication"],
        *document["legal"]["basis_of_collection"],
    ]:
        assert place_of(key) in text
        assert key in text
    for element in ("third_party_onward", "sanctions", "transparency", "retention"):
        assert document[element] in text
    for element in ("security_measures", "quality_measures", "recipient_categories"):
        assert all(each in text for each in document[element])
    assert f"{document['volume']['persons_per_year']} personen per jaar" in text
    assert len([each for each in shown.chapters if each.deeper]) == len(document["flows"])


def test_a_flow_names_each_field_in_words_and_how_fine_it_may_be() -> None:
    rows = {row[0]: row[1] for row in table(told(), "Gegevens in stroom 2")}

    assert rows["Identiteit"] == (
        "pseudoniem, voornaam, familienaam, geboortedatum (alleen het jaar)"
    )
    assert rows["Drempels"] == "drempels"
    assert rows["Uitkering en statuut"] == "vrijstelling van beschikbaarheid"
    assert "Functionele beperkingen" not in rows


def test_what_is_special_says_what_law_asks_for_it() -> None:
    flow = DOCUMENTS["PR-2026-001"]["flows"][0] | {"extra_fields": ["health.functional_limits"]}

    shown = told(flows=[flow])

    assert "alleen met uitdrukkelijke toestemming" in everything(shown)
    assert shown.standing == "incomplete"
    assert ("geregistreerde risicoanalyse voor P1, health", place_of("gdpr-dpia"), "gdpr-dpia") in (
        table(shown, "Verplichte onderdelen die er nog niet zijn")
    )


def test_benefits_without_a_deliberation_are_what_the_client_said() -> None:
    legal = DOCUMENTS["PR-2026-001"]["legal"] | {"deliberation_no": "24/001"}

    assert "Er is geen beraadslaging" in everything(told())
    assert "Er is geen beraadslaging" not in everything(told("PR-2026-004"))
    assert "Beraadslaging: 24/001." in everything(told(legal=legal))


@pytest.mark.parametrize("element", MANDATORY)
def test_every_element_that_may_lack_has_a_name(element: str) -> None:
    missing: dict[str, Any] = {element: ...}

    shown = told(**missing)

    (row,) = table(shown, "Verplichte onderdelen die er nog niet zijn")
    assert row[0] == words()["elements"][element]


def test_an_element_of_a_party_is_named_with_the_party() -> None:
    assert element_label("parties.cbe-gent.dpo_advice", NAMES) == (
        "advies van de functionaris (Centrum Basiseducatie Gent)"
    )


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("PR-2026-001", {}, "Van kracht. Het geldt van 25 maart 2025 tot en met 31 maart 2028."),
        ("PR-2026-008", {}, "Beëindigd. De laatste dag was 1 november 2026."),
        ("PR-2026-008", {"valid_until": "2027-01-01"}, "Het werd voor zijn laatste dag beëindigd."),
        ("PR-2026-009", {}, "Onvolledig, niet van kracht."),
        ("PR-2026-010", {}, "Opgeschort sinds 12 oktober 2026 door CAW Oost-Vlaanderen"),
        ("PR-2026-010", {"suspended": ...}, "Opgeschort. Zolang gaat er niets door."),
        ("PR-2026-001", {"state": "signed"}, "Nog niet van kracht."),
        ("PR-2026-001", {"state": "in_review"}, "In herziening, niet van kracht."),
    ],
)
def test_how_it_stands_is_one_sentence(name: str, changes: dict[str, Any], says: str) -> None:
    assert says in told(name, **changes).stands


def test_a_version_that_was_replaced_says_by_which() -> None:
    ended: dict[str, Any] = {"on": TODAY, "names": NAMES, "ended_on": date(2026, 5, 3)}
    old = an_agreement(state="ended")

    code, sentence = how_it_stands(old, **ended, replaced_by="2.1")

    assert code == "superseded"
    assert sentence.startswith("Vervangen op 3 mei 2026 door versie 2.1.")
    assert "beëindigd op 3 mei 2026, voor zijn laatste dag" in how_it_stands(old, **ended)[1]


def test_what_happened_is_told_in_its_order_with_what_else_is_known() -> None:
    later = (date(2026, 1, 5), "in herziening")

    rows = table(shown(AGREEMENTS[5], steps=[later]), "Wat er gebeurde")
    assert rows[0] == ("20 februari 2025", "advies van de toezichthouder: VTC")
    assert rows[-1] == ("5 januari 2026", "in herziening")
    assert len(rows) == 6


def test_nothing_but_its_standing_depends_on_the_day() -> None:
    for each in AGREEMENTS:
        assert shown(each) == shown(each, TODAY + timedelta(days=30))


def test_every_rule_of_the_page_of_law_is_in_the_register_with_its_article() -> None:
    page = (ROOT / "docs/law.md").read_text("utf-8").partition("\n## Rules\n")[2]
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    keys = [row[0].strip("| ") for row in rows if "-" in row[0]]

    assert len(keys) > 25
    for key in keys:
        assert legal_references()[key].place.endswith(legal_references()[key].article)
    assert place_of("vl-egov-protocol").endswith("artikel 8, § 1")
    assert place_of("no-such-key") == "no-such-key"


def test_a_place_that_nobody_checked_says_so() -> None:
    checked = {"basis_of_communication": ["vl-egov-mandate"], "basis_of_collection": ["gdpr-basis"]}

    assert "nagelezen door een functionaris: vl-egov-protocol." in everything(told())
    assert "nagelezen" not in everything(told(legal=checked))
