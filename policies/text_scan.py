"""Finds in short texts what must not leave: people, numbers, money, illness, justice, belief.

A start, not a promise: names in small letters and names that are also words slip through.
"""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from policies.insz import adds_up
from policies.summary_model import ScanRule, Shape, SummaryModel, summary_model
from policies.vocabulary import Section

Check = Callable[[str], bool]

_INVISIBLE = regex.compile(
    r"[\p{Cf}\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180D\u3164\uFE00-\uFE0F]"
)
_DASHES = regex.compile(r"[\p{Pd}\u2212]")
_ACCENTS = regex.compile(r"\p{Mn}+")
_SHORTEST_IBAN = 15


@dataclass(frozen=True, slots=True)
class _Rule:
    id: str
    pattern: regex.Pattern[str]
    words: bool
    check: Check | None
    allows_names: bool


@dataclass(frozen=True, slots=True)
class Scanner:
    """The rules of the model with one list of names that are allowed.

    Two scanners with the same `fingerprint` (hex) find the same.
    """

    fingerprint: str
    _rules: tuple[_Rule, ...]
    _phrases: regex.Pattern[str]
    _names: frozenset[str]

    def hits(self, text: str) -> tuple[str, ...]:
        """The ids of the rules that the text breaks, sorted; it is looked at in NFKC."""
        clean = visible(text)
        plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", clean))
        return tuple(
            rule.id for rule in self._rules if self._breaks(rule, plain if rule.words else clean)
        )

    def _breaks(self, rule: _Rule, text: str) -> bool:
        if rule.allows_names:
            # Looking for hundreds of names costs most: only where something may be a name.
            if rule.pattern.search(text) is None:
                return False
            nameless = self._phrases.sub("·", text)
            found = (match[0] for match in rule.pattern.finditer(nameless, overlapped=True))
            return any(not self._allowed(each) for each in found)
        if rule.check is not None:
            return any(rule.check(match[0]) for match in rule.pattern.finditer(text))
        return rule.pattern.search(text) is not None

    def _allowed(self, found: str) -> bool:
        return self._names.issuperset(found.casefold().split())


def scanner(allow: Iterable[str] = ()) -> Scanner:
    """A scanner that lets these names pass: organisations, their sites, municipalities.

    The names of the model itself and the labels of its code lists pass with every scanner.
    """
    model = summary_model()
    names = {_name(each) for each in (*model.scan_allow, *_labels(model), *allow)} - {""}
    phrases = sorted((each for each in names if " " in each), key=lambda each: (-len(each), each))
    told = json.dumps([model.fingerprint, unicodedata.unidata_version, sorted(names)])
    return Scanner(
        fingerprint=hashlib.sha256(told.encode()).hexdigest(),
        _rules=tuple(_rule(each) for each in sorted(model.scan_rules, key=lambda each: each.id)),
        _phrases=regex.compile(rf"(?i)(?<!\w)(?:{'|'.join(map(_word, phrases))})(?!\w)"),
        _names=frozenset(each for each in names if " " not in each),
    )


def stopped_sections(
    sections: Mapping[Section, Mapping[str, Mapping[str, Any]]], by: Scanner
) -> frozenset[Section]:
    """The sections in which the scanner stops a text, in full value envelopes."""
    fields = summary_model().sections
    return frozenset(
        section
        for section, held in sections.items()
        for field in fields[section].fields
        if field.name in held
        and any(by.hits(text) for text in _texts(field, held[field.name]["value"]))
    )


def visible(text: str) -> str:
    """The text in NFKC, without what the eye does not see, with one kind of dash."""
    normal = unicodedata.normalize("NFKC", text)
    return normal if normal.isascii() else _DASHES.sub("-", _INVISIBLE.sub("", normal))


def _texts(shape: Shape, value: Any) -> Iterable[str]:
    if shape.scan and isinstance(value, str):
        yield value
    for each in value if isinstance(value, list) and shape.members else ():
        for name, member in shape.members.items():
            yield from _texts(member, each.get(name))


def _labels(model: SummaryModel) -> Iterable[str]:
    for codes in model.code_lists.values():
        for code in codes.codes.values():
            yield from code.labels.values()


def _name(text: str) -> str:
    return " ".join(visible(text).casefold().split())


def _rule(rule: ScanRule) -> _Rule:
    checks: Mapping[str | None, Check | None] = {None: None, "insz": _is_insz, "iban": _has_iban}
    pattern = rule.pattern or r"(?i)\b(?:" + "|".join(map(_word, rule.words)) + r")\b"
    return _Rule(
        rule.id, regex.compile(pattern), bool(rule.words), checks[rule.check], rule.allows_names
    )


def _word(word: str) -> str:
    return r"\s+".join(regex.escape(each) for each in word.split())


def _is_insz(found: str) -> bool:
    return adds_up("".join(each for each in found if each.isdecimal()))


def _has_iban(found: str) -> bool:
    """Whether some beginning is an account number: the pattern may have run on into words."""
    compact = "".join(found.split()).upper()
    return any(
        int("".join(str(int(each, 36)) for each in compact[4:end] + compact[:4])) % 97 == 1
        for end in range(_SHORTEST_IBAN, len(compact) + 1)
    )
