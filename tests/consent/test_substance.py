"""What of a notice matters is told by its words, and by nothing else."""

import pytest

from consent.notices import Notice, NoticeLibrary, changes_in, lagging, read_notice
from consent.substance import words_of
from tests.consent.builders import DATA

DUTCH = (DATA / "notices" / "N-P2.nl.md").read_text("utf-8")
ARABIC = (DATA / "notices" / "N-P1P5.ar.md").read_text("utf-8")


def edition(text: str, version: str, *changes: tuple[str, str], says: bool = False) -> Notice:
    """The notice as a later version with these changes, whose author says what it `says`."""
    before = "version: '2.1'" if "version: '2.1'" in text else "version: '2.0'"
    flag = "substantive_change_since_previous: "
    for old, new in (
        (before, f"version: '{version}'"),
        (f"{flag}true", f"{flag}{str(says).lower()}"),
        *changes,
    ):
        assert old in text
        text = text.replace(old, new, 1)
    return read_notice(text.encode())


def first(text: str = DUTCH) -> Notice:
    return read_notice(text.encode())


def stale(later: Notice, before: Notice | None = None) -> bool:
    """Whether who agreed to the version before is asked again."""
    before = before or first()
    return NoticeLibrary([before, later]).stale(before.id, before.version, before.lang)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("recipient_types: [public", "recipient_types: [training_provider, public"),
        ("purposes: [P2]", "purposes: [P2, P3]"),
        ("je bemiddelaar bij {ontvanger}", "iedereen bij {ontvanger}"),
        ("Je naam en geboortejaar.", "Je naam en geboortedatum."),
        ("Geen bedragen.", ""),
        ("6 maanden", "9 maanden"),
    ],
    ids=["types", "purposes", "recipients", "passed-on", "never", "how-long"],
)
def test_a5_another_recipient_purpose_section_or_duration_asks_again_whatever_is_declared(
    old: str, new: str
) -> None:
    later = edition(DUTCH, "2.2", (old, new), says=False)

    assert stale(later)
    (change,) = changes_in([first(), later])
    assert change.undeclared


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Je naam en geboortejaar.", "Je naam, en geboortejaar;"),
        ("Je naam en geboortejaar.", "je  Naam\nen GEBOORTEJAAR."),
        ("Dan helpen we je gewoon verder.", "Dan helpen wij je gewoon verder."),
        ("native_review: pending legal review", "native_review: done"),
    ],
    ids=["comma", "case-and-lines", "a-word-that-binds-nobody", "review"],
)
def test_a5_a_slip_of_the_pen_put_right_asks_nobody_again(old: str, new: str) -> None:
    later = edition(DUTCH, "2.2", (old, new), says=False)

    assert not stale(later)
    assert stale(edition(DUTCH, "2.2", (old, new), says=True))


def test_what_is_declared_counts_though_no_word_that_matters_is_another() -> None:
    assert stale(edition(DUTCH, "2.2", says=True))
    assert not stale(edition(DUTCH, "2.2", says=False))


def test_vowel_signs_and_lengthening_strokes_are_no_other_words() -> None:
    assert words_of("لا نَنقُل") == words_of("لا ننـقل")
    assert words_of("l'école, 6 mois") == words_of("L\u2019ÉCOLE 6 mois!")
    assert words_of("geen bedragen") != words_of("een bedragen")


def test_the_words_of_another_script_matter_as_much() -> None:
    before = first(ARABIC)
    later = edition(ARABIC, "2.1", ("{einddatum}", "{einddatum} {einddatum}"), says=False)

    assert stale(later, before)


def test_a_notice_without_the_sections_of_one_matters_word_for_word() -> None:
    bare = DUTCH.replace("## ", "### ")
    later = edition(bare, "2.2", ("gewoon verder", "graag verder"), says=False)

    assert stale(later, first(bare))


def test_a_translation_that_lags_behind_is_out_of_date_and_named() -> None:
    french = DUTCH.replace("lang: nl", "lang: fr")
    later = edition(DUTCH, "2.2", ("6 maanden", "9 maanden"))
    known = [first(), first(french), later]

    library = NoticeLibrary(known)

    assert library.stale("N-P2", "2.1", "fr")
    assert [(each.version, langs) for each, langs in lagging(known)] == [("2.2", ("fr",))]
    followed = edition(french, "2.2", ("6 maanden", "9 maanden"))
    assert not NoticeLibrary([*known, followed]).stale("N-P2", "2.2", "fr")
    assert list(lagging([*known, followed])) == []


def test_a_correction_in_one_language_makes_no_translation_out_of_date() -> None:
    french = DUTCH.replace("lang: nl", "lang: fr")
    known = [first(), first(french), edition(DUTCH, "2.2", ("Geen bedragen.", "Geen, bedragen."))]

    assert not NoticeLibrary(known).stale("N-P2", "2.1", "fr")
    assert list(lagging(known)) == []


def test_versions_are_compared_in_order_whatever_the_order_they_came_in() -> None:
    changed = edition(DUTCH, "2.2", ("6 maanden", "9 maanden"))
    back = edition(DUTCH, "2.10", says=False)
    library = NoticeLibrary([back, changed, first()])

    assert library.stale("N-P2", "2.1", "nl")
    assert library.stale("N-P2", "2.2", "nl")
    assert not library.stale("N-P2", "2.10", "nl")
