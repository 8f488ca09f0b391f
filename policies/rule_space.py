"""Every question that a rule can tell apart: the inputs are finite, so it can be tried out.

Two names that a rule does not write down, and whose class is the same, are one to it: one of
them stands for all. Only a pattern (`like`) looks inside a name; with one, all are tried.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import Any

from policies.decision import RecipientFacts
from policies.purposes import purpose_list
from policies.summary_model import summary_model
from policies.vocabulary import OrganisationType, Section

FOREIGN = "x_notes"
"""Stands for every name that is no section: of class X, which never leaves."""
_FLAGS = ("accredited", "in_eea", "insz_authorised")
_CIRCUMSTANCES = {"consent_older_than_24_months": "old_consent", "real_number": "real_number"}


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a section may be released or, with a `field`, this code of it be written out."""

    recipient: RecipientFacts
    purpose: str = ""
    section: str = ""
    old_consent: bool = False
    real_number: bool = False
    field: str = ""
    code: str = ""

    def __str__(self) -> str:
        what = f"{self.field}={self.code}" if self.field else f"{self.section} for {self.purpose}"
        facts = [name for name in _FLAGS if not getattr(self.recipient, name)]
        said = [f"not {name}" for name in facts]
        said += [name for name in _CIRCUMSTANCES.values() if getattr(self, name)]
        return f"{what} to {self.recipient.type}" + (f" ({', '.join(said)})" if said else "")


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a rule writes down: entities (type, id), texts, attributes.

    And whether it looks inside a text, or at a whole record.
    """

    entities: frozenset[tuple[str, str]] = frozenset()
    texts: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    patterns: bool = False
    records: bool = False

    def __or__(self, other: "Mentions") -> "Mentions":
        return Mentions(
            self.entities | other.entities,
            self.texts | other.texts,
            self.attributes | other.attributes,
            self.patterns or other.patterns,
            self.records or other.records,
        )


def mentions_in(parsed: Mapping[str, Any]) -> Mentions:
    """What one parsed policy (Cedar's JSON form) writes down."""
    nodes = list(_nodes({key: each for key, each in parsed.items() if key != "annotations"}))
    values = [each["Value"] for each in nodes if "Value" in each]
    return Mentions(
        frozenset((each["type"], each["id"]) for each in nodes if _is_entity(each)),
        frozenset(each for each in values if isinstance(each, str)),
        frozenset(each["attr"] for each in nodes if isinstance(each.get("attr"), str)),
        any("like" in each for each in nodes),
        any("Record" in each for each in nodes),
    )


def space(mentions: Mentions) -> Iterator[Question]:
    """Every question that rules with these mentions can tell apart."""
    for recipient in _recipients(mentions):
        plain = Question(recipient)
        for purpose, section, old, real in product(
            _purposes(mentions),
            _sections(mentions),
            _either(mentions, "consent_older_than_24_months"),
            _either(mentions, "real_number"),
        ):
            yield replace(
                plain, purpose=purpose, section=section, old_consent=old, real_number=real
            )
        for field, code in _codes(mentions):
            yield replace(plain, field=field, code=code)


@cache
def purposes() -> tuple[str, ...]:
    """The code of every purpose, the prohibited ones too."""
    known = purpose_list()
    return (*known.purposes, *dict.fromkeys(each.code for each in known.prohibited.values()))


@cache
def codes() -> tuple[tuple[str, str], ...]:
    """Every field with codes of our own, and every such code."""
    fields = summary_model().fields.values()
    lists = [(str(each.id), each.codes) for each in fields if each.codes is not None]
    return tuple((field, code) for field, known in lists for code in known.codes)


@lru_cache(maxsize=256)
def class_of(section: str) -> str:
    """The class of a section; a name that is none is of class X."""
    known = section in Section.__members__.values()
    return summary_model().sections[Section(section)].cls if known else "X"


def is_text_of_ours(text: str) -> bool:
    """Whether a rule that writes this down can ever meet it."""
    known = {*purposes(), *map(class_of, (*Section, FOREIGN))}
    return text in known or any(text in pair for pair in codes())


def _recipients(mentions: Mentions) -> Iterator[RecipientFacts]:
    named = {id for kind, id in mentions.entities if kind == "Recipient"}
    flags = [_either(mentions, name, usual=True) for name in _FLAGS]
    kinds = _told_apart(OrganisationType, named)
    for kind, accredited, in_eea, authorised in product(kinds, *flags):
        yield RecipientFacts(kind, accredited, in_eea, authorised, secrecy=False)


def _purposes(mentions: Mentions) -> Iterator[str]:
    return iter(purposes()) if mentions.patterns else _told_apart(purposes(), mentions.texts)


def _sections(mentions: Mentions) -> Iterator[str]:
    named = {id for kind, id in mentions.entities if kind == "Section"}
    yield from (each.value for each in Section if each in named)
    rest = [each.value for each in Section if each not in named]
    yield from {class_of(each): each for each in rest}.values()
    yield FOREIGN


def _codes(mentions: Mentions) -> Iterator[tuple[str, str]]:
    if mentions.patterns:
        yield from codes()
        return
    named = [each for each in codes() if not mentions.texts.isdisjoint(each)]
    yield from named
    others = (each for each in codes() if each not in named)
    yield from (each for each, _ in zip(others, range(1), strict=False))


def _told_apart(all_of_them: Iterable[Any], named: Iterable[str]) -> Iterator[Any]:
    """Those that are named, and one that stands for the others."""
    names, other = set(named), True
    for each in all_of_them:
        if str(each) in names:
            yield each
        elif other:
            other = False
            yield each


def _either(mentions: Mentions, attribute: str, *, usual: bool = False) -> tuple[bool, ...]:
    looked_at = attribute in mentions.attributes or mentions.records
    return (usual, not usual) if looked_at else (usual,)


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from _nodes(each)
    elif isinstance(node, list):
        for each in node:
            yield from _nodes(each)


def _is_entity(node: Mapping[str, Any]) -> bool:
    return isinstance(node.get("type"), str) and isinstance(node.get("id"), str)
