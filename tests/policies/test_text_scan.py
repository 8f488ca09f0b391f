from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.text_scan import scanner, stopped_sections, visible
from policies.vocabulary import Section

SAMPLES = Path(__file__).parents[1] / "data" / "sample_summaries.yaml"
SCANNER = scanner(["Leerwinkel", "Brugge", "Gent", "OCMW Kortrijk"])


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("bellen met zus Fatima Haddad 0450 00 99 01", {"R-KIN", "R-NAME", "R-PHONE"}),
        ("mijn buurvrouw komt mee", {"R-KIN"}),
        ("Moeder weet het niet", {"R-KIN"}),
        ("Gesprek met Rita Claes", {"R-NAME"}),
        ("Gesprek met Noor El Amrani", {"R-NAME"}),
        ("Bel Word Wijs Fatima Haddad", {"R-NAME"}),
        ("Jan Brugge komt mee", {"R-NAME"}),
        ("nummer 94.63.02-904.93", {"R-RRN"}),
        ("nummer 946302 90493", {"R-RRN"}),
        ("tel +32 (0) 450 00 99 01", {"R-PHONE"}),
        ("tel 0450\u201300\u201399\u201301", {"R-PHONE"}),
        ("mail sofie@client.example", {"R-EMAIL"}),
        ("rekening BE68 5390 0754 7034 voor terugbetaling", {"R-IBAN"}),
        ("rekening nl91abna0417164300", {"R-IBAN", "R-PHONE"}),
        ("schuld van 3.450 euro", {"R-AMOUNT"}),
        ("schuld van € 3.450", {"R-AMOUNT"}),
        ("Neemt antidepressiva", {"R-HEALTH"}),
        ("Dépression en burn-out", {"R-HEALTH"}),
        ("vader zit  vast", {"R-JUST"}),
        ("is zonder papieren", {"R-STATUS"}),
        ("gaat naar de moskee", {"R-BELIEF"}),
        ("lid van ABVV", {"R-UNION"}),
    ],
)
def test_what_must_not_leave_is_found(text: str, rules: set[str]) -> None:
    assert SCANNER.hits(text) == tuple(sorted(rules))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "contactpersoon (familie) belt terug",
        "Niveautest NT2 afleggen",
        "Afspraak op 01/12/2026 10:00",
        "Gesprek bij Leerwinkel Brugge",
        "Afspraak in het Huis van het Nederlands",
        "naar het Sociaal  Huis",
        "Dossier bij OCMW Kortrijk aanvullen",
        "nummer 94.63.02-904.94",
        "code BE68 5390 0754 7035",
        "amateur 3",
        "celtheorie en slagenwisseling",
        "Info over 7e jaar en Examencommissie",
    ],
)
def test_what_is_about_work_and_courses_passes(text: str) -> None:
    assert SCANNER.hits(text) == ()


def test_the_texts_of_the_sample_summaries_pass() -> None:
    samples = yaml.safe_load(SAMPLES.read_text())
    texts = [
        text
        for sample in samples.values()
        for field in ("agree.actions", "net.services")
        for item in sample["fields"].get(field, [])
        for name, text in item.items()
        if name in ("text", "role", "contact_function")
    ]

    assert len(texts) >= 8
    assert [text for text in texts if SCANNER.hits(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Rita\u200b \u202eClaes",
        "R\u00adita Cl\u2060aes",
        "Rita\u00a0Claes",
        "".join(chr(ord(each) + 0xFEE0) for each in "Rita") + " Claes",
        "Ri\ufe0fta Claes",
    ],
)
def test_characters_nobody_sees_hide_nothing(text: str) -> None:
    assert SCANNER.hits(text) == ("R-NAME",)


def test_what_is_looked_at_is_plain() -> None:
    assert visible("\uff10450\u200b\u201100") == "0450-00"
    assert visible("plain") == "plain"


def test_only_names_that_are_allowed_pass() -> None:
    text = "Gesprek bij Groene Ster"

    assert scanner().hits(text) == ("R-NAME",)
    assert scanner(["Groene  Ster"]).hits(text) == ()
    assert scanner(["Ster"]).hits(text) == ("R-NAME",)


def test_an_allowed_name_does_not_let_a_number_pass() -> None:
    assert scanner(["0450 00 99 01"]).hits("bel 0450 00 99 01") == ("R-PHONE",)


def test_scanners_that_find_the_same_have_one_fingerprint() -> None:
    assert scanner(["b b", "a", ""]).fingerprint == scanner(["a", "B  b"]).fingerprint
    assert scanner(["a"]).fingerprint != scanner(["b"]).fingerprint


def test_a_section_is_stopped_by_any_of_its_texts_and_by_no_code() -> None:
    actions = [{"what": "other"}, {"text": "bellen"}, {"text": "bellen met zus Fatima"}]
    kept: dict[Section, dict[str, dict[str, Any]]] = {
        Section.AGREE: {"actions": {"value": actions}},
        Section.NET: {"services": {"value": [{"role": "budgetbegeleiding"}]}},
        Section.NOTE: {"text": {"value": None}, "read_back": {"value": True}},
        Section.BARR: {"codes": {"value": [{"code": "justice"}]}},
        Section.GOALS: {"learning": {"value": None}},
    }

    assert stopped_sections(kept, SCANNER) == {Section.AGREE}
    noted = {Section.NOTE: {"text": {"value": "Rita Claes belt"}}}
    assert stopped_sections(noted, SCANNER) == {Section.NOTE}


@given(st.text(max_size=600))
def test_no_text_makes_the_scanner_fail(text: str) -> None:
    assert set(SCANNER.hits(text)) == set(SCANNER.hits(visible(text)))
