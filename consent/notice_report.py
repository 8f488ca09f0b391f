"""What is wrong or missing in a set of notices, for their author. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from consent.notices import Notice, changes_in, front_and_body, in_order, lagging
from consent.readability import Reading, reading
from consent.substance import sections_of
from policies.purposes import purpose_list

REQUIRED_LANGUAGES = ("nl", "en", "fr")
"""Every purpose that consent is asked for has a notice in these."""

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "nl": (
        "Wat vragen we?", "Wie krijgt de informatie?", "Wat geven we door?",
        "Wat geven we nooit door?", "Hoe lang?", "Jij kiest", "Je kan altijd stoppen",
        "Vragen of een klacht?",
    ),
    "en": (
        "What are we asking?", "Who gets the information?", "What do we pass on?",
        "What do we never pass on?", "For how long?", "It is your choice",
        "You can stop at any time", "Questions or a complaint?",
    ),
    "fr": (
        "Que demandons-nous ?", "Qui reçoit les informations ?", "Que transmettons-nous ?",
        "Que ne transmettons-nous jamais ?", "Pendant combien de temps ?", "Vous choisissez",
        "Vous pouvez arrêter à tout moment", "Questions ou plainte ?",
    ),
    "ar": (
        "ماذا نطلب منك؟", "من سيحصل على المعلومات؟", "ما الذي ننقله؟", "ما الذي لا ننقله أبدًا؟",
        "لكم من الوقت؟", "القرار لك", "يمكنك التوقف في أي وقت", "أسئلة أو شكوى؟",
    ),
    "tr": (
        "Ne soruyoruz?", "Bilgileri kim al\u0131r?", "Neyi iletiyoruz?", "Neyi asla iletmiyoruz?",
        "Ne kadar süreyle?", "Karar sizin", "İstediğiniz zaman durdurabilirsiniz",
        "Sorunuz veya şikâyetiniz mi var?",
    ),
}  # fmt: skip
"""The sections that a notice must have, in this order; the easy form has those of its language."""


@dataclass(frozen=True, slots=True)
class NoticeReport:
    """One notice. `headings` are those that are missing, `placeholders` those that do not agree.

    A placeholder does not agree when the text has it and the front matter does not name it, or
    the other way about.
    """

    name: str
    target: str
    reading: Reading
    headings: tuple[str, ...]
    placeholders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LibraryReport:
    """A set of notices. `missing` has purpose and language, in the order of the purposes.

    `matrix`: for each purpose that consent is asked for, the languages that it is told in.
    `undeclared` are new versions that change what matters and say they do not; `lagging` says
    which translations are behind the last change.
    """

    notices: tuple[NoticeReport, ...]
    matrix: Mapping[str, tuple[str, ...]]
    missing: tuple[tuple[str, str], ...]
    undeclared: tuple[str, ...]
    lagging: Mapping[str, tuple[str, ...]]

    @property
    def good(self) -> bool:
        """Whether there is nothing to do."""
        faulty = any(e.headings or e.placeholders or e.reading.too_hard for e in self.notices)
        return not (faulty or self.missing or self.undeclared or self.lagging)


def report_on(notices: Sequence[Notice]) -> LibraryReport:
    """What there is to say of these notices."""
    matrix = languages_by_purpose(notices)
    return LibraryReport(
        notices=tuple(_one(each) for each in sorted(notices, key=_order)),
        matrix=matrix,
        missing=tuple(
            (purpose, lang)
            for purpose, langs in matrix.items()
            for lang in REQUIRED_LANGUAGES
            if lang not in langs
        ),
        undeclared=tuple(name_of(each.notice) for each in changes_in(notices) if each.undeclared),
        lagging={f"{each.id}/{each.version}": langs for each, langs in lagging(notices)},
    )


def languages_by_purpose(notices: Iterable[Notice]) -> dict[str, tuple[str, ...]]:
    """In which languages each purpose is told that consent is asked for."""
    langs: dict[str, set[str]] = {
        code: set()
        for code, each in purpose_list().purposes.items()
        if "consent_based" in each.legal_basis
    }
    for each in notices:
        front, _ = front_and_body(each.text)
        for purpose in front.get("purposes", ()):
            langs.setdefault(purpose, set()).add(each.lang)
    return {code: tuple(sorted(found)) for code, found in langs.items()}


def name_of(notice: Notice) -> str:
    """A notice as it is named in the log: id, version, language."""
    return f"{notice.id}/{notice.version}/{notice.lang}"


def _one(notice: Notice) -> NoticeReport:
    front, body = front_and_body(notice.text)
    wanted = HEADINGS.get(notice.lang.partition("-")[0], ())
    there = [heading for heading, text in sections_of(body) if text]
    used = set(re.findall(r"\{([a-z_]+)\}", body))
    return NoticeReport(
        name=name_of(notice),
        target=front.get("reading_level_target", ""),
        reading=reading(body, notice.lang, front.get("reading_level_target", "")),
        headings=tuple(each for each in wanted if each not in there),
        placeholders=tuple(sorted(used ^ set(front.get("placeholders", ())))),
    )


def _order(notice: Notice) -> tuple[str, tuple[int, ...], str]:
    return notice.id, in_order(notice.version), notice.lang
