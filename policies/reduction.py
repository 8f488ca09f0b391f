"""What really leaves of the fields that were released: precision, codes told otherwise, masks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from policies.decision import Precision
from policies.levels import age_band, day_of, lang_group, nat_group, year_band, year_of
from policies.summary_model import CodeList, Field, SummaryModel, summary_model
from policies.vocabulary import FieldId, Section

Envelope = Mapping[str, Any]
Sections = Mapping[Section, Mapping[str, Envelope]]

_TWO = 2
_HOW_TO_REACH = FieldId("contact.safe_contact")
"""Where this is known and stays behind, nothing by which the client could be reached leaves."""


@dataclass(frozen=True, slots=True)
class Release:
    """What one release may hold, and what is known of client and recipient.

    `precision` has the level decided for a field, where one was. `health` and `justice`:
    that section is released too. `explicit`: the fields that a grant names itself.
    `origin` is the organisation that is not told when the origin is masked, beside the one
    in `refer.from`. `organisation_types` has the type of every organisation by id.
    """

    fields: frozenset[FieldId]
    precision: Precision
    high_risk: bool
    health: bool
    justice: bool
    explicit: frozenset[FieldId]
    masked_origin: bool
    recipient_type: str
    at: date
    pseudonym: str
    organisation_types: Mapping[str, str]
    origin: str = ""


Change = Callable[[Envelope, Sections, Release], Envelope | None]
"""The envelope as it leaves, or nothing when the field stays behind."""

Step = tuple[str, FieldId, Change | None, str | None]
"""Short name, id, what is done to the envelope, and the level to tell when it was."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What is done for one section. Of a pair, the first does not leave without the second."""

    section: Section
    steps: tuple[Step, ...]
    pairs: tuple[tuple[str, str], ...]


def reduced(
    sections: Sections, release: Release
) -> tuple[dict[Section, dict[str, Envelope]], dict[FieldId, str]]:
    """What leaves, in display order, and the precision of the fields that were reduced.

    Never holds a field that is not released, nor a section without one; the pseudonym is
    always in it. Envelopes that need no change are those that were given, not copies: leave
    them as they are. The precision of hidden sections is not told.
    """
    out: dict[Section, dict[str, Envelope]] = {
        Section.IDENT: {"pseudonym": {"value": release.pseudonym, "source": "register"}}
    }
    used: dict[FieldId, str] = {}
    contact = sections.get(Section.CONTACT, {}).get("safe_contact")
    warning = None if contact is None else contact["value"]
    unwarned = warning is not None and _HOW_TO_REACH not in release.fields
    for part in _plan(
        release.fields,
        release.precision,
        release.explicit,
        _circumstances(release, via_service=warning == "only_via_service", unwarned=unwarned),
        release.recipient_type,
    ):
        if part.section in sections:
            kept = _leaving(part, sections, release, used)
            if kept:
                out[part.section] = out.get(part.section, {}) | kept
    return out, used


def _leaving(
    part: _Part, sections: Sections, release: Release, used: dict[FieldId, str]
) -> dict[str, Envelope]:
    held, kept = sections[part.section], dict[str, Envelope]()
    for name, field, change, level in part.steps:
        envelope = held.get(name)
        if envelope is None:
            continue
        if change is not None and envelope["value"] is not None:
            envelope = change(envelope, sections, release)
            if envelope is None:
                continue
            if level is not None:
                used[field] = level
        kept[name] = envelope
    for name, other in part.pairs:
        if name in kept and other not in kept:
            del kept[name]
    return kept


def effective_precision(field: FieldId, asked: Iterable[str | None], cap: str | None) -> str:
    """The finest level among the grants, but never finer than the cap of the agreement.

    `asked` has one entry for each grant, nothing where it is silent: that means the default
    precision of the field. A level that the field does not know counts as its coarsest.
    """
    shape = summary_model().fields[field]
    default = shape.default_precision or shape.precision[0]
    finest = min((_rank(shape, each or default) for each in asked), default=_rank(shape, default))
    return shape.precision[max(finest, 0 if cap is None else _rank(shape, cap))]


def _rank(field: Field, level: str) -> int:
    return field.precision.index(level) if level in field.precision else len(field.precision) - 1


def _circumstances(release: Release, *, via_service: bool, unwarned: bool) -> tuple[str, ...]:
    """What holds, in the words that the model uses for it."""
    masked = release.masked_origin or release.high_risk
    return tuple(
        word
        for word, holds in (
            ("only_via_service", via_service),
            ("unwarned", unwarned),
            ("high_risk", release.high_risk),
            ("masked_origin", masked),
            ("health", release.health),
            ("justice", release.justice),
        )
        if holds
    )


@lru_cache(maxsize=1024)
def _plan(
    fields: frozenset[FieldId],
    precision: Precision,
    explicit: frozenset[FieldId],
    circumstances: tuple[str, ...],
    recipient_type: str,
) -> tuple[_Part, ...]:
    levels, holds = dict(precision), frozenset(circumstances)
    model = summary_model()
    plan = []
    for section, shape in model.sections.items():
        steps = tuple(
            _step(model, field, levels.get(field.id), holds, named=field.id in explicit)
            for field in shape.fields
            if field.id in fields
            and not field.made_by_broker
            and not field.withheld_when & holds
            and (not field.only_types or recipient_type in field.only_types)
        )
        if steps:
            pairs = tuple((each.name, each.needs) for each in shape.fields if each.needs)
            plan.append(_Part(section, steps, pairs))
    return tuple(plan)


def _step(
    model: SummaryModel, field: Field, asked: str | None, holds: frozenset[str], *, named: bool
) -> Step:
    level = effective_precision(field.id, (asked,), None)
    if field.id == "refer.from" and "masked_origin" in holds:
        level = "masked"
    let_go = holds | {"named"} if named else holds
    changes = [
        each
        for each in (
            _only_when(field),
            _without_origin(field) if "masked_origin" in holds else None,
            _told_otherwise(field, let_go),
            _without_codes(field, let_go),
            _counted(field, let_go),
            _REDUCTIONS[level](field) if level != field.precision[0] else None,
        )
        if each is not None
    ]
    hidden = model.sections[field.section].hidden
    told = None if hidden or level == field.precision[0] else level
    return field.name, field.id, _in_turn(changes), told


def _in_turn(changes: list[Change]) -> Change | None:
    if len(changes) <= 1:
        return changes[0] if changes else None

    def change(envelope: Envelope, sections: Sections, release: Release) -> Envelope | None:
        for each in changes:
            changed = each(envelope, sections, release)
            if changed is None:
                return None
            envelope = changed
        return envelope

    return change


def _to(value_of: Callable[[Any], Any]) -> Change:
    def change(envelope: Envelope, _: Sections, __: Release) -> Envelope:
        return {**envelope, "value": value_of(envelope["value"])}

    return change


def _only_when(field: Field) -> Change | None:
    if field.only_when is None:
        return None
    other = field.only_when

    def change(envelope: Envelope, sections: Sections, _: Release) -> Envelope | None:
        condition = sections[field.section].get(other)
        return envelope if condition is not None and condition["value"] is True else None

    return change


def _told_otherwise(field: Field, let_go: frozenset[str]) -> Change | None:
    if field.codes is None:
        return None
    known = field.codes.codes.values()
    # Without this even a rare emission would stand out: only it would never be verified.
    targets = {each.emit_as for each in known if each.emit_as}
    instead = {each.code: each.emit_as for each in known if each.emit_as}
    for each in known:
        if each.unless in let_go:
            instead.pop(each.code, None)
    if not instead:
        return None

    def change(envelope: Envelope, _: Sections, __: Release) -> Envelope:
        value = instead.get(envelope["value"], envelope["value"])
        if value not in targets:
            return envelope
        return {**envelope, "value": value, "verified": False}

    return change


def _followers(codes: CodeList | None, let_go: frozenset[str]) -> frozenset[str]:
    if codes is None:
        return frozenset()
    return frozenset(
        each.code
        for each in codes.codes.values()
        if each.follows is not None and each.follows not in let_go
    )


def _without_codes(field: Field, let_go: frozenset[str]) -> Change | None:
    """Takes codes of health and justice out of a list; a list of nothing else stays behind.

    An empty list would say «asked, and none», which is not true.
    """
    dropped = {name: _followers(each.codes, let_go) for name, each in field.members.items()}
    if field.type == "code_list":
        dropped = {"": _followers(field.codes, let_go)}
    watched = [(name, codes) for name, codes in dropped.items() if codes]
    if not watched:
        return None

    def stays(item: Any) -> bool:
        return any((item.get(name) if name else item) in codes for name, codes in watched)

    def change(envelope: Envelope, _: Sections, __: Release) -> Envelope | None:
        value = envelope["value"]
        left = [each for each in value if not stays(each)]
        if len(left) == len(value):
            return envelope
        return {**envelope, "value": left} if left else None

    return change


def _counted(field: Field, let_go: frozenset[str]) -> Change | None:
    """A yes that says «two or more» counts only what the recipient could be told."""
    fields = summary_model().fields
    other = fields.get(FieldId(f"{field.section}.{field.at_least_two_of}"))
    without = _without_codes(other, let_go) if other is not None else None
    if other is None or without is None:
        return None
    name, thin = other.name, without

    def change(envelope: Envelope, sections: Sections, release: Release) -> Envelope:
        items = sections[field.section].get(name)
        if items is None or items["value"] is None:
            return envelope
        left = thin(items, sections, release)
        if left is items:
            return envelope
        many = left is not None and len(left["value"]) >= _TWO
        return {**envelope, "value": envelope["value"] and many}

    return change


def _without_origin(field: Field) -> Change | None:
    """Takes out whatever names the organisation that is not to be told."""
    if field.codes is not None and field.codes.name == "org_id" and field.name != "from":
        return _unless_origin
    if "org" not in field.members:
        return None
    return _items_not_of_origin if field.type == "object_list" else _neutral_appointment


def _origins(sections: Sections, release: Release) -> tuple[str | None, ...]:
    told = sections.get(Section.REFER, {}).get("from")
    return (None, release.origin, told["value"] if told is not None else None)


def _unless_origin(envelope: Envelope, sections: Sections, release: Release) -> Envelope | None:
    return None if envelope["value"] in _origins(sections, release) else envelope


def _items_not_of_origin(
    envelope: Envelope, sections: Sections, release: Release
) -> Envelope | None:
    origins = _origins(sections, release)
    left = [each for each in envelope["value"] if each.get("org") not in origins]
    return {**envelope, "value": left} if left else None


def _neutral_appointment(
    envelope: Envelope, sections: Sections, release: Release
) -> Envelope | None:
    """Without place and calendar id when it is at the origin, or nobody knows where."""
    value = envelope["value"]
    if value.get("org") not in _origins(sections, release):
        return envelope
    left = {name: value[name] for name in ("start", "duration_minutes") if name in value}
    return {**envelope, "value": left} if left else None


def _age_band(_: Field) -> Change:
    def change(envelope: Envelope, _: Sections, release: Release) -> Envelope:
        return {**envelope, "value": age_band(envelope["value"], release.at)}

    return change


def _place(length: int) -> Callable[[Field], Change]:
    """An address cannot be cut down: the municipality beside it stands in for it."""

    def build(field: Field) -> Change:
        def change(envelope: Envelope, sections: Sections, _: Release) -> Envelope | None:
            place: Envelope | None = envelope
            if field.codes is None:
                place = sections[field.section].get("municipality")
            if place is None or place["value"] is None:
                return None
            return {**envelope, "value": place["value"][:length]}

        return change

    return build


def _category(_: Field) -> Change:
    def change(envelope: Envelope, _: Sections, release: Release) -> Envelope | None:
        kind = release.organisation_types.get(envelope["value"])
        return None if kind is None else {**envelope, "value": str(kind)}

    return change


def _day(field: Field) -> Change:
    def change(envelope: Envelope, _: Sections, __: Release) -> Envelope | None:
        value = day_of(envelope["value"])
        return {**envelope, "value": value} if value else None

    return change


_REDUCTIONS: Mapping[str, Callable[[Field], Change]] = {
    "month": lambda _: _to(lambda value: value[:7]),
    "year": lambda _: _to(year_of),
    "year_band5": lambda _: _to(year_band),
    "age_band": _age_band,
    "day": _day,
    "province": _place(2),
    "municipality": _place(5),
    "nat_group": lambda _: _to(nat_group),
    "lang_group": lambda _: _to(lang_group),
    "ilo": lambda _: _to(lambda _: "unknown"),
    "count": lambda _: _to(len),
    "category": _category,
    "masked": lambda _: _to(lambda _: summary_model().masked_as),
}
