"""The formulas, worked out by hand on sentences whose syllables one can count."""

import pytest

from consent.readability import reading, sentences_in, syllables


@pytest.mark.parametrize(
    ("lang", "text", "score"),
    [
        # words a sentence 3, syllables a word 4/3: 206.84 - 0.93 * 3 - 77 * 4/3
        ("nl", "Je mag kiezen.", 101.4),
        # 3 and 4/3: 206.835 - 1.015 * 3 - 84.6 * 4/3
        ("en", "You may decide.", 91.0),
        # 3 and 4/3: 207 - 1.015 * 3 - 73.6 * 4/3
        ("fr", "Vous pouvez lire.", 105.8),
        # 2 and 7/2: 198.825 - 2.610 * 2 - 40.175 * 7/2
        ("tr", "Siz seçebilirsiniz.", 53.0),
    ],
)
def test_a_text_is_scored_by_the_formula_of_its_language(
    lang: str, text: str, score: float
) -> None:
    assert reading(text, lang, "B1").score == pytest.approx(score, abs=0.06)


@pytest.mark.parametrize(
    ("word", "language", "count"),
    [
        ("vragen", "nl", 2),
        ("mijn", "nl", 1),
        ("coördinator", "nl", 5),
        ("begeleider", "nl", 4),
        ("information", "en", 4),
        ("change", "en", 1),
        ("the", "en", 1),
        ("transmettre", "fr", 2),
        ("données", "fr", 2),
        ("bilgilerinizi", "tr", 6),
        ("IŞIK", "tr", 2),
        ("12", "nl", 1),
    ],
)
def test_syllables_are_counted_by_the_vowels_that_are_written(
    word: str, language: str, count: int
) -> None:
    assert syllables(word, language) == count


def test_no_score_is_made_up_for_a_language_without_a_formula() -> None:
    arabic = reading("هل تسمح لنا؟ القرار لك.", "ar", "B1")

    assert (arabic.score, arabic.least, arabic.too_hard) == (None, None, False)
    assert arabic.words_a_sentence == 2.5


def test_the_longest_sentences_come_first_and_headings_are_none() -> None:
    text = "# Een titel van zes lange woorden\n\nKort.\n\n> Dit is een langere zin. Nee? Ja dus!\n"

    read = reading(text, "nl", "B1")

    assert [words for words, _ in read.longest] == [5, 2, 1]
    assert read.longest[0][1] == "Dit is een langere zin."
    assert len(sentences_in(text)) == 4


def test_long_words_and_sentences_are_too_hard_for_who_was_aimed_at() -> None:
    hard = "Desbetreffende persoonsgegevensverwerkingsverantwoordelijken communiceren proactief."

    assert reading(hard, "nl", "B1").too_hard
    assert not reading("Je mag ja zeggen.", "nl", "A2").too_hard
    assert not reading(hard, "nl", "no level").too_hard


def test_what_is_filled_in_and_addresses_count_as_one_short_word() -> None:
    assert sentences_in("Bel {contact}. Zie https://www.example.org/a.b?c=d nu.") == [
        "Bel Naam.",
        "Zie Naam nu.",
    ]


def test_a_text_without_words_has_no_score() -> None:
    nothing = reading("# Titel\n", "nl", "B1")

    assert (nothing.score, nothing.words_a_sentence, nothing.longest) == (None, 0.0, ())
