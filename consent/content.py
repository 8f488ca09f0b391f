"""What one consent says: frozen values, and the bytes they are kept as."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from consent.belgian_time import day_of
from policies.at_most import Levels
from policies.decision import Precision
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, GrantId, Operation, Section

_REMEMBERED = 8192
"""Parsed consents kept in memory; one takes some 5 kB."""

EVERY_SECTION = "all"
SECRECY_RELEASE = "secrecy_release"
FREE = "none"
"""Nothing hangs on the answer: what the client is told with every question, yes or no."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """In which capacity the client agreed. `adult_at` is set for whoever was a minor.

    Of a guardian: the SHA-256 of the document, when its power ends (an instant; without one it
    has no end), and for which purposes and sections (none named: all) it was given.
    """

    type: str
    assessed_by: str | None = None
    on: str | None = None
    parents: str | None = None
    adult_at: int | None = None
    mandate: str | None = None
    mandate_until: int | None = None
    mandate_purposes: tuple[str, ...] = ()
    mandate_sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """The notice as it was shown, and how.

    `sha256` is that of its file, `filled_sha256` that of the text with the client's own case
    filled in; consents from before it was kept have none.
    """

    id: str
    version: str
    lang: str
    channel: str
    sha256: str
    interpreter: str | None = None
    teach_back: str | None = None
    filled_sha256: str | None = None
    interpreter_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves that the client agreed. The proof itself stays with the controller."""

    method: str
    auth: str | None = None
    place: str | None = None
    witness: str | None = None
    sha256: str | None = None
    freedom_check: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """What a grant could let leave to these organisations on the day it was given.

    `levels` has every field, with the finest level that it could leave at.
    """

    recipients: tuple[str, ...]
    levels: Levels


@dataclass(frozen=True, slots=True)
class Grant:
    """One purpose, one recipient, some fields, from `start` to `end` (instants, half-open).

    `reads` are the fields it gave when the client agreed. They are kept, so that a later
    summary model that moves a field to a lower level widens nobody's consent.
    """

    id: GrantId
    purpose: str
    recipient: str
    sections: tuple[str, ...]
    ops: frozenset[Operation]
    reads: frozenset[FieldId]
    names: frozenset[str]
    start: int
    end: int | None = None
    until_event: str | None = None
    max_uses: int | None = None
    onward: bool = False
    fields: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    precision: Precision = ()
    withdrawn: bool = False
    bounds: tuple[Bound, ...] = ()
    teach_back: str | None = None
    conditionality: str = FREE


@dataclass(frozen=True, slots=True)
class Denial:
    """Sections that must not go to a recipient, whatever anybody grants."""

    sections: tuple[str, ...]
    recipient: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A purpose to which the client said no, for one recipient or for `any`."""

    purpose: str
    recipient: str
    conditionality: str = FREE


@dataclass(frozen=True, slots=True)
class Terms:
    """What a client agreed to and what not, on which notice, proved by what.

    `agreed` is the hash of what was shown (see `consent.agreed`); consents from before it was
    kept have none, and no bounds. `not_given`: what the client could not say back, and so did
    not give. `confirm_by`: until when (an instant) it must be confirmed. `detained`: asked of
    somebody who is not free to go.
    """

    functions: tuple[str, ...]
    capacity: Capacity
    notice: Shown
    evidence: Evidence
    grants: tuple[Grant, ...]
    denials: tuple[Denial, ...] = ()
    refused: tuple[Refusal, ...] = ()
    agreed: str | None = None
    not_given: tuple[Refusal, ...] = ()
    confirm_by: int | None = None
    detained: bool = False

    def without(self, ended: frozenset[GrantId]) -> "Terms":
        """The same with these grants marked as withdrawn."""
        grants = (replace(g, withdrawn=True) if g.id in ended else g for g in self.grants)
        return replace(self, grants=tuple(grants))


@lru_cache(maxsize=256)
def denied_fields(sections: tuple[str, ...]) -> frozenset[FieldId]:
    """Every field of these sections; `all` is every section there is or will be."""
    denied = Section if EVERY_SECTION in sections else map(Section, sections)
    return frozenset[FieldId]().union(*(fields_of(section) for section in denied))


def to_bytes(terms: Terms) -> bytes:
    """Canonical JSON: the same terms give the same bytes."""
    return canonical(terms)


def canonical(value: object) -> bytes:
    """UTF-8 JSON without spaces, members sorted; empty members and sets in one way only."""
    return _CANONICAL.encode(value).encode()


def _plain(value: Any) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    members = ((name, getattr(value, name)) for name in value.__slots__)
    return {
        name: held
        for name, held in members
        if held is not None and held is not False and held != ()
    }


_CANONICAL = json.JSONEncoder(
    default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False
)


@lru_cache(maxsize=_REMEMBERED)
def from_bytes(plain: bytes) -> Terms:
    """The terms behind canonical bytes. Remembered by the bytes: a fetch parses nothing.

    Raises `ValueError`, `KeyError` or `TypeError` for bytes that `to_bytes` did not make.
    """
    said: Mapping[str, Any] = json.loads(plain)
    return Terms(
        functions=tuple(said["functions"]),
        capacity=_capacity(said["capacity"]),
        notice=Shown(**said["notice"]),
        evidence=_evidence(said["evidence"]),
        grants=tuple(map(_grant, said.get("grants", ()))),
        denials=tuple(
            Denial(tuple(each["sections"]), each["recipient"]) for each in said.get("denials", ())
        ),
        refused=tuple(Refusal(**each) for each in said.get("refused", ())),
        agreed=said.get("agreed"),
        not_given=tuple(Refusal(**each) for each in said.get("not_given", ())),
        confirm_by=said.get("confirm_by"),
        detained=said.get("detained", False),
    )


def _capacity(said: Mapping[str, Any]) -> Capacity:
    lists = ("mandate_purposes", "mandate_sections")
    return Capacity(**{**said, **{name: tuple(said.get(name, ())) for name in lists}})


def _evidence(said: Mapping[str, Any]) -> Evidence:
    checks = tuple((name, held) for name, held in said.get("freedom_check", ()))
    return Evidence(**{**said, "freedom_check": checks})


def _grant(said: Mapping[str, Any]) -> Grant:
    lists = ("sections", "fields", "include", "exclude")
    return Grant(
        **{
            **said,
            **{name: tuple(said.get(name, ())) for name in lists},
            "ops": frozenset(map(Operation, said["ops"])),
            "reads": frozenset(said.get("reads", ())),
            "names": frozenset(said.get("names", ())),
            "precision": tuple((FieldId(f), level) for f, level in said.get("precision", ())),
            "bounds": tuple(map(_bound, said.get("bounds", ()))),
        }
    )


def _bound(said: Mapping[str, Any]) -> Bound:
    levels = frozenset((FieldId(field), level) for field, level in said["levels"])
    return Bound(tuple(said["recipients"]), levels)


def grant_document(grant: Grant) -> dict[str, object]:
    """The grant as it is shown to who may see it: the members of a consent record."""
    document: dict[str, object] = {
        "id": grant.id,
        "purpose": grant.purpose,
        "recipient": grant.recipient,
        "sections": list(grant.sections),
        "fields": list(grant.fields),
        "include": list(grant.include),
        "exclude": list(grant.exclude),
        "ops": sorted(grant.ops),
        "precision": dict(grant.precision),
        "from": day_of(grant.start).isoformat(),
        # The end is the midnight after: the last day is the one before it.
        "until": None if grant.end is None else day_of(grant.end - 1).isoformat(),
        "until_event": grant.until_event,
        "max_uses": grant.max_uses,
        "onward": grant.onward,
        "withdrawn": grant.withdrawn,
        "teach_back": grant.teach_back,
        "conditionality": grant.conditionality,
    }
    return {name: held for name, held in document.items() if held not in (None, [], {})}
