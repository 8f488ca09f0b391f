"""What an author is told of a set of notices."""

from dataclasses import replace
from pathlib import Path

from consent.notice_report import HEADINGS, report_on
from consent.notices import Notice, read_notice
from consent.substance import PARTS
from exchange.samples import DATA

ALL = [read_notice(path.read_bytes()) for path in sorted(Path(DATA / "notices").glob("*.md"))]


def changed(notice: Notice, old: str, new: str) -> Notice:
    assert old in notice.text
    return replace(notice, text=notice.text.replace(old, new))


def only(id: str, lang: str) -> Notice:
    return next(each for each in ALL if (each.id, each.lang) == (id, lang))


def test_the_notices_that_ship_read_as_easily_as_they_aim_to_and_are_whole() -> None:
    report = report_on(ALL)

    assert len(report.notices) == 30
    assert not [each.name for each in report.notices if each.reading.too_hard]
    assert not [each.name for each in report.notices if each.headings or each.placeholders]
    assert {each.name for each in report.notices if each.reading.score is None} == {
        "N-P1/2.0/ar",
        "N-P1P5/2.0/ar",
    }
    assert not report.undeclared
    assert not report.lagging


def test_the_matrix_says_which_purpose_is_told_in_which_language_and_what_is_missing() -> None:
    report = report_on(ALL)

    assert report.matrix["P1"] == ("ar", "en", "fr", "nl", "nl-easy", "tr")
    assert report.matrix["P2"] == ("en", "fr", "nl")
    assert "P7" not in report.matrix  # nobody is asked: it rests on a public task
    assert report.missing == (("P6", "nl"), ("P6", "en"), ("P6", "fr"))
    assert not report.good


def test_a_section_that_is_missing_or_empty_is_named() -> None:
    dutch = only("N-P2", "nl")
    gone = changed(dutch, "## Jij kiest", "Jij kiest")
    empty = changed(dutch, "## Jij kiest\n", "## Jij kiest\n\n## Nog iets\n")

    for each in (gone, empty):
        (found,) = report_on([each]).notices
        assert found.headings == ("Jij kiest",)


def test_a_placeholder_that_front_matter_and_text_do_not_agree_on_is_named() -> None:
    dutch = only("N-P2", "nl")

    (unnamed,) = report_on([changed(dutch, "Hoe lang?\n", "Hoe lang?\n\n{duur}\n")]).notices
    (unused,) = report_on([changed(dutch, "{contact}", "ons")]).notices

    assert unnamed.placeholders == ("duur",)
    assert unused.placeholders == ("contact",)


def test_an_undeclared_change_and_a_lagging_translation_are_something_to_do() -> None:
    dutch = only("N-P2", "nl")
    later = replace(changed(dutch, "6 maanden", "9 maanden"), version="2.2", substantive=False)

    report = report_on([*ALL, later])

    assert report.undeclared == ("N-P2/2.2/nl",)
    assert report.lagging == {"N-P2/2.2": ("en", "fr")}


def test_every_language_has_a_heading_for_each_part() -> None:
    assert {len(each) for each in HEADINGS.values()} == {len(PARTS)}
