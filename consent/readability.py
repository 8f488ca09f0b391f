"""How easy a text reads, by the formula made for its language. For the author, not a gate.

Flesch (1948) for English, Flesch-Douma (1960) for Dutch, Kandel and Moles (1958) for French,
Atesman (1997) for Turkish: about 0 to 100, higher is easier. There is none for Arabic that
counts what can be counted without its short vowels, so none is given. Syllables are counted
by the written vowels: a few in a hundred are off.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

_SENTENCE = re.compile(r"[^.!?؟…]+[.!?؟…]*")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_LINK = re.compile(r"https?://\S+")
_NAME = "Naam"
_LONGEST = 3

# In Dutch a vowel with a trema begins a syllable of its own: it counts for two groups.
_VOWELS: Mapping[str, re.Pattern[str]] = {
    "nl": re.compile(r"[ëïöü]|[aeiouyáàâéèêíìîóòôúùû]+"),
    "en": re.compile(r"[aeiouyáéíóúàèçêëïöü]+"),
    "fr": re.compile(r"[aeiouyàâéèêëîïôûùüœæ]+"),
    "tr": re.compile(r"[ae\u0131ioöuüâîû]"),
}
_SILENT: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"(?<=[^aeiouyl])e$|(?<=[^aeiouytd])ed$"),
    "fr": re.compile(r"(?<=[^aeiouyàâéèêëîïôûùü])(?:e|es)$"),
}
_FORMULAS: Mapping[str, tuple[float, float, float]] = {
    "nl": (206.84, 0.93, 77.0),
    "en": (206.835, 1.015, 84.6),
    "fr": (207.0, 1.015, 73.6),
    "tr": (198.825, 2.610, 40.175),
}
"""From what is taken off: for each word of a sentence, and for each syllable of a word."""

_EASY_ENOUGH: Mapping[str, float] = {"A1": 90, "A2": 80, "B1": 60, "B2": 50, "C1": 30, "C2": 0}
_EASY_ENOUGH_IN_TURKISH: Mapping[str, float] = {
    "A1": 90, "A2": 70, "B1": 50, "B2": 40, "C1": 30, "C2": 0
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How one text reads. `score` is nothing where there is no formula for the language.

    `least` is the score from which we call it right for the level that was aimed at: our own
    reading of the scale, which has no official counterpart. `longest` are its longest
    sentences, longest first, with their number of words.
    """

    score: float | None
    least: float | None
    words_a_sentence: float
    longest: tuple[tuple[int, str], ...]

    @property
    def too_hard(self) -> bool:
        return self.score is not None and self.least is not None and self.score < self.least


def reading(text: str, lang: str, target: str) -> Reading:
    """How the paragraphs of a text read, for a level aimed at (A1 to C2). Headings are left out."""
    language = lang.partition("-")[0]
    sentences = [(len(_WORD.findall(each)), each) for each in sentences_in(text)]
    sentences = [each for each in sentences if each[0]]
    words = [word for _, each in sentences for word in _WORD.findall(each)]
    average = len(words) / len(sentences) if sentences else 0.0
    scale = _EASY_ENOUGH_IN_TURKISH if language == "tr" else _EASY_ENOUGH
    return Reading(
        score=_score(words, average, language),
        least=scale.get(target) if language in _FORMULAS else None,
        words_a_sentence=round(average, 1),
        longest=tuple(sorted(sentences, key=lambda each: -each[0])[:_LONGEST]),
    )


def sentences_in(text: str) -> list[str]:
    """The sentences of the paragraphs. What is filled in counts as one short word."""
    lines = (line.lstrip("> ").strip() for line in text.splitlines() if not line.startswith("#"))
    plain = _LINK.sub(_NAME, _PLACEHOLDER.sub(_NAME, "\n".join(lines)))
    paragraphs = (" ".join(each.split()) for each in re.split(r"\n\s*\n", plain))
    return [found.strip() for each in paragraphs for found in _SENTENCE.findall(each)]


def syllables(word: str, language: str) -> int:
    """Syllables of a word by its written vowels; at least one."""
    lower = word.replace("İ", "i").replace("I", "\u0131") if language == "tr" else word
    plain = unicodedata.normalize("NFC", lower.lower())
    count = len(_VOWELS[language].findall(plain))
    if language in _SILENT and _SILENT[language].search(plain):
        count -= 1
    return max(1, count)


def _score(words: list[str], average: float, language: str) -> float | None:
    if language not in _FORMULAS or not words:
        return None
    most, a_word, a_syllable = _FORMULAS[language]
    a_mean = sum(syllables(each, language) for each in words) / len(words)
    return round(most - a_word * average - a_syllable * a_mean, 1)
