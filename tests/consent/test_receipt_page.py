"""The page that a client keeps: plain words, in the client's language, alone on its paper."""

import re
from html.parser import HTMLParser

import pytest
import segno

from consent.belgian_time import time_of
from consent.receipt_page import LANGUAGES, language_of, receipt_page, words
from consent.recorded import Change, Recorded
from policies.purposes import purpose_list
from policies.summary_model import summary_model
from policies.vocabulary import ConsentState, Operation, OrganisationType, Section
from tests.consent.builders import NOON, grant, terms
from tests.consent.recording import SAMPLES, SETTING, nobody_in, of_sample, recorded_as

EVENTS = {"first_contact", "trajectory_closed", "age_18", "release"}
LONGEST_SENTENCE = 20
"""Words: what a B1 reader takes in at once."""


class Text(HTMLParser):
    """What is read on the page, and the elements and attributes that it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.attributes |= {f"{tag}.{name}": value for name, value in attrs}

    def handle_endtag(self, tag: str) -> None:
        self.closed.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip() and self.opened[-1] != "style":
            self.said.append(data.strip())


def read(recorded: Recorded, language: str = "nl") -> str:
    return "\n".join(Text(receipt_page(recorded, SETTING, language)).said)


def test_it_says_in_words_what_goes_to_whom_for_what_until_when_and_how_to_stop() -> None:
    page = read(recorded_as(terms(grants=[grant(ops=["view", "download"], max_uses=2)])))

    for said in (
        "Wat jij goedkeurde",
        "Gevraagd door: De Stap",
        "Datum: 2 november 2026",
        "Je zei ja.",
        "VDAB Gent",
        "Doorverwijzing naar werkbegeleiding",
        "Identiteit, ",
        "bekijken, bewaren",
        "tot en met 1 april 2027, hoogstens 2 keer",
        "Scan de code of ga naar https://broker.example/my-file.",
        "Nee zeggen of stoppen heeft geen gevolgen voor de hulp die je krijgt.",
        "Vraag het aan De Stap.",
        "Nummer van dit bewijs: c-0001",
    ):
        assert said in page


def test_it_says_what_was_denied_and_refused() -> None:
    noes = terms(
        denials=[
            {"sections": ["health"], "recipient": "any"},
            {"sections": "all", "recipient": "relation:parent"},
            {"sections": ["net"], "recipient": "category:employer"},
        ],
        refused=[{"purpose": "P8", "recipient": "any"}],
    )

    page = read(recorded_as(noes), "en")

    assert "This is not allowed" in page
    for said in ("everybody", "your parents", "everything", "employers"):
        assert f"\n{said}\n" in page
    assert "Following results in the education database" in page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_has_its_page_in_every_language_alone_on_its_paper(
    sample: str, language: str
) -> None:
    page = receipt_page(of_sample(sample), SETTING, language)

    text = Text(page)
    assert text.attributes["html.lang"] == language
    assert text.attributes["html.dir"] == ("rtl" if language == "ar" else "ltr")
    void = {"meta", "br", "path"}
    assert sorted(each for each in text.opened if each not in void) == sorted(
        each for each in text.closed if each not in void
    )
    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & set(text.opened)
    assert re.findall(r"(?:src|href|url)\s*[=(]", page) == []
    assert "size:A4" in page
    assert nobody_in(page)
    assert SETTING.handle not in page
    assert [each for each in re.findall(r"\{\w+\}|None", " ".join(text.said)) if each] == []


def test_the_code_holds_the_address_of_the_page_and_nothing_of_the_person() -> None:
    page = receipt_page(recorded_as(), SETTING, "nl")

    drawn = segno.make("https://broker.example/my-file", error="m", micro=False)
    path = re.findall(r' d="([^"]+)"', drawn.svg_inline(omitsize=True))
    assert re.findall(r' d="([^"]+)"', page) == path


@pytest.mark.parametrize("state", ConsentState)
def test_it_says_how_the_consent_stands(state: ConsentState) -> None:
    page = read(recorded_as(None, Change(ConsentState.GIVEN, NOON), Change(state, NOON)), "fr")

    assert words("fr")["state"][state] in page


def test_it_says_that_a_consent_is_on_hold_and_that_a_part_was_stopped() -> None:
    said = terms(grants=[grant(), grant(recipient="org:vdab-wvl", sections=["educ"])])
    left = said.without(frozenset({said.grants[0].id}))

    page = read(recorded_as(left, suspended=True), "tr")

    assert words("tr")["on_hold"] in page
    assert page.count(words("tr")["stopped"]) == 1


def test_less_than_a_section_is_told_as_a_part_of_it() -> None:
    whole = read(recorded_as(terms(grants=[grant(sections=["educ"])])), "en")
    part = read(
        recorded_as(terms(grants=[grant(sections=["educ"], exclude=["educ.early_leaver"])])), "en"
    )

    assert "Education (a part)" not in whole
    assert "(a part)" in part


def test_names_from_the_directory_are_text_and_never_markup() -> None:
    said = terms(grants=[grant(purpose="P4", recipient="org:cvo-west")])

    page = receipt_page(recorded_as(said), SETTING, "nl")

    assert "CVO West &amp; Co" in page


def test_somebody_who_agreed_to_nothing_reads_that_nobody_may_know_anything() -> None:
    said = terms(grants=[], refused=[{"purpose": "P2", "recipient": "any"}])

    page = read(recorded_as(said, Change(ConsentState.REFUSED, NOON)), "nl")

    assert "Je zei nee." in page
    assert "Niemand mag iets weten." in page


@pytest.mark.parametrize(
    ("notice", "page"),
    [("nl-easy", "nl"), ("ar", "ar"), ("tr", "tr"), ("fr", "fr"), ("en", "en"), ("so", "nl")],
)
def test_the_page_speaks_the_language_of_the_notice_where_it_can(notice: str, page: str) -> None:
    assert language_of(notice) == page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    said, dutch = words(language), words("nl")

    assert said.keys() - {"purposes", "sections"} == dutch.keys()
    assert said["state"].keys() == {each.value for each in ConsentState}
    assert said["ops"].keys() == {each.value for each in Operation}
    assert said["types"].keys() == {each.value for each in OrganisationType}
    assert said["events"].keys() == EVENTS
    assert said["recipients"].keys() == {"any", "parent", "family", "employer"}
    assert len(said["months"]) == 12
    purposes = said.get("purposes", {}).keys() | {
        code for code, each in purpose_list().purposes.items() if language in each.labels
    }
    assert purposes == purpose_list().purposes.keys()
    sections = said.get("sections", {}).keys() | {
        name.value for name, each in summary_model().sections.items() if language in each.labels
    }
    assert sections == {each.value for each in Section}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentences_are_short(language: str) -> None:
    told = [words(language)[name] for name in ("intro", "stop", "no_consequence", "ask", "on_hold")]
    told += words(language)["state"].values()

    sentences = [each for text in told for each in re.split(r"(?<=[.?!])\s", text) if each]
    assert [each for each in sentences if len(each.split()) > LONGEST_SENTENCE] == []


def test_the_last_day_is_a_belgian_day() -> None:
    until = terms(grants=[grant(until="2027-03-28")]).grants[0].end
    assert until is not None

    page = read(recorded_as(terms(grants=[grant(until="2027-03-28")])), "en")

    assert time_of(until).isoformat() == "2027-03-28T22:00:00+00:00"
    assert "until 28 March 2027, that day included" in page
