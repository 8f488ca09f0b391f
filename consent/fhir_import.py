"""From a FHIR R4 Consent to the body of a consent record, or to what stands in the way.

What the resource says that a consent of ours has no place for is refused, never dropped: a
restriction that is not understood must not get lost.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from consent.fhir_consent import DISCLOSURE, EXTENSION, OURS, RECIPIENT, SCOPE
from consent.shape import (
    Member,
    Problems,
    a_day,
    below,
    listed,
    matching,
    nested,
    one_of,
    words,
)
from consent.terms import TermsRefused

_GIVEN = frozenset({"active", "rejected"})
_LISTS = frozenset({"functions", "fields", "include", "exclude", "unsaid", "purposes", "sections"})
_OURS: Mapping[str, Collection[str]] = {
    "consent": {"functions", "capacity", "notice", "evidence", "state", "unsaid", "preview"},
    "grant": {"fields", "include", "exclude", "precision", "until_event", "max_uses", "onward"}
    | {"teach_back"},
}
"""What our extensions may say: nothing that an element of the resource says already."""

_VALUES = ("valueBoolean", "valueInteger", "valueString", "valueCode")
_DEEPEST = 4

_RESOURCE: Mapping[str, Member] = {
    "resourceType": (one_of({"Consent"}), True),
    "id": (words(64), False),
    "meta": (nested, False),
    "text": (nested, False),
    "identifier": (listed, False),
    "extension": (listed, True),
    "status": (one_of(_GIVEN), True),
    "scope": (nested, True),
    "category": (listed, True),
    "patient": (nested, True),
    "dateTime": (words(40), False),
    "organization": (listed, True),
    "sourceReference": (nested, False),
    "policyRule": (nested, True),
    "provision": (nested, True),
}
_BASE: Mapping[str, Member] = {"type": (one_of({"deny"}), True), "provision": (listed, False)}
_PROVISION: Mapping[str, Member] = {
    "id": (words(20), False),
    "extension": (listed, False),
    "type": (one_of({"deny", "permit"}), True),
    "period": (nested, False),
    "actor": (listed, True),
    "action": (listed, False),
    "purpose": (listed, False),
    "class": (listed, False),
}
_PERIOD: Mapping[str, Member] = {"start": (a_day, False), "end": (a_day, False)}
_ACTOR: Mapping[str, Member] = {"role": (nested, True), "reference": (nested, True)}
_REFERENCE: Mapping[str, Member] = {"identifier": (nested, True)}
_IDENTIFIER: Mapping[str, Member] = {"system": (words(100), True), "value": (words(100), True)}
_CODING: Mapping[str, Member] = {
    "system": (words(100), True),
    "code": (words(100), True),
    "version": (words(20), False),
    "display": (words(200), False),
}
_CONCEPT: Mapping[str, Member] = {"coding": (listed, True)}
_SIMPLE: Mapping[str, Member] = {"url": (matching(r"[a-z0-9_.]+", 80), True)}


def body_of(resource: Any, *, handle: str, controller: str) -> dict[str, Any]:
    """The body that `read_terms` takes, of a consent of this client given to this controller.

    Raises `TermsRefused` with the places in the resource and codes. When it was given, and by
    whom it was asked, is not taken over: it counts from when it is recorded.
    """
    problems = Problems()
    if not problems.shaped(resource, "", _RESOURCE):
        raise TermsRefused(problems.found)
    if _value_of(resource["patient"], "handle", "patient", problems) != handle:
        problems.add("patient", "not_this_client")
    asked_by = [
        _value_of(each, "organisation", f"organization.{n}", problems)
        for n, each in enumerate(resource["organization"])
    ]
    if asked_by != [controller]:
        problems.add("organization", "not_yours")
    _meant(resource["scope"], SCOPE, "scope", problems)
    if len(resource["category"]) != 1:
        problems.add("category", "unknown")
    for each in resource["category"]:
        _meant(each, DISCLOSURE, "category", problems)
    body = _record(resource, problems)
    if problems.found:
        raise TermsRefused(problems.found)
    return body


def _record(resource: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    ours = _extended(resource["extension"], "consent", "extension", problems)
    for name in ("state", "unsaid"):
        ours.pop(name, None)
    notice = _codings(resource["policyRule"], "notice", "policyRule", problems)
    if len(notice) != 1:
        problems.add("policyRule.coding", "exactly_one")
    elif isinstance(ours.get("notice"), dict):
        _apart(ours["notice"], {"id", "version"}, "extension.0", problems)
        named = {"id": notice[0]["code"], "version": notice[0].get("version", "")}
        ours["notice"] |= named
    lists = _provisions(resource["provision"], problems)
    if problems.found:
        return {}
    if resource["status"] == "active" and not lists["grants"]:
        problems.add("status", "nothing_permitted")
    if resource["status"] == "rejected" and lists["grants"]:
        problems.add("status", "something_permitted")
    return {**ours, **lists}


def _provisions(base: Mapping[str, Any], problems: Problems) -> dict[str, list[dict[str, Any]]]:
    lists: dict[str, list[dict[str, Any]]] = {"grants": [], "denials": [], "refused": []}
    if not problems.shaped(base, "provision", _BASE):
        return lists
    for n, each in enumerate(base.get("provision", ())):
        place = f"provision.provision.{n}"
        if not problems.shaped(each, place, _PROVISION):
            continue
        recipient = _recipient(each["actor"], place, problems)
        if each["type"] == "permit":
            lists["grants"].append(_grant(each, recipient, place, problems))
        elif "purpose" in each:
            _only(each, {"type", "actor", "purpose", "id"}, place, problems)
            if not each["purpose"]:
                problems.add(f"{place}.purpose", "required")
            for purpose in _codes(each["purpose"], "purpose", f"{place}.purpose", problems):
                lists["refused"].append({"purpose": purpose, "recipient": recipient})
        else:
            _only(each, {"type", "actor", "class", "id"}, place, problems)
            sections = _codes(each.get("class", ()), "section", f"{place}.class", problems)
            said = "all" if sections == ["all"] else sections
            lists["denials"].append({"sections": said, "recipient": recipient})
    return lists


def _grant(
    said: Mapping[str, Any], recipient: str, place: str, problems: Problems
) -> dict[str, Any]:
    more = _extended(said.get("extension", ()), "grant", f"{place}.extension", problems)
    period = said.get("period", {})
    if not problems.shaped(period, f"{place}.period", _PERIOD):
        period = {}
    operations = [
        coding["code"]
        for n, each in enumerate(said.get("action", ()))
        for coding in _codings(each, "operation", f"{place}.action.{n}", problems)
    ]
    purposes = _codes(said.get("purpose", ()), "purpose", f"{place}.purpose", problems)
    if len(purposes) != 1:
        problems.add(f"{place}.purpose", "exactly_one")
    days = (("from", period.get("start")), ("until", period.get("end")))
    return {
        **({"id": said["id"]} if "id" in said else {}),
        "purpose": "".join(purposes[:1]),
        "recipient": recipient,
        "sections": _codes(said.get("class", ()), "section", f"{place}.class", problems),
        "ops": operations,
        **{name: day for name, day in days if day is not None},
        **more,
    }


def _only(said: Mapping[str, Any], known: Collection[str], place: str, problems: Problems) -> None:
    """What narrows a denial in a way that ours have no place for is told, not dropped."""
    for name in sorted(said.keys() - known):
        problems.add(f"{place}.{name}", "unknown")


def _apart(
    said: Mapping[str, Any], elsewhere: Collection[str], place: str, problems: Problems
) -> None:
    """What an element of the resource says is said there alone: no reader may see another."""
    for name in sorted(said.keys() & elsewhere):
        problems.add(f"{place}.{name}", "unknown")


def _meant(concept: Any, known: Mapping[str, str], place: str, problems: Problems) -> None:
    """A concept that is this one and no other; any other would say what is not understood."""
    if problems.shaped(concept, place, _CONCEPT):
        codings = [each for each in concept["coding"] if isinstance(each, Mapping)]
        told = [(each.get("system"), each.get("code")) for each in codings]
        if told != [(known["system"], known["code"])] or len(concept["coding"]) != 1:
            problems.add(place, "unknown")


def _recipient(actors: Sequence[Any], place: str, problems: Problems) -> str:
    if len(actors) != 1:
        problems.add(f"{place}.actor", "exactly_one")
        return ""
    if not problems.shaped(actors[0], f"{place}.actor.0", _ACTOR):
        return ""
    _meant(actors[0]["role"], RECIPIENT, f"{place}.actor.0.role", problems)
    return _value_of(actors[0]["reference"], "recipient", f"{place}.actor.0.reference", problems)


def _value_of(reference: Any, kind: str, place: str, problems: Problems) -> str:
    """The value of a logical reference in our own system of that kind."""
    if not problems.shaped(reference, place, _REFERENCE):
        return ""
    identifier = reference["identifier"]
    if not problems.shaped(identifier, f"{place}.identifier", _IDENTIFIER):
        return ""
    if identifier["system"] != OURS + kind:
        problems.add(f"{place}.identifier.system", "unknown")
    value: str = identifier["value"]
    return value


def _codings(concept: Any, kind: str, place: str, problems: Problems) -> list[Mapping[str, Any]]:
    if not problems.shaped(concept, place, _CONCEPT):
        return []
    return _of_kind(concept["coding"], kind, f"{place}.coding", problems)


def _codes(codings: Any, kind: str, place: str, problems: Problems) -> list[str]:
    return [each["code"] for each in _of_kind(codings, kind, place, problems)]


def _of_kind(codings: Any, kind: str, place: str, problems: Problems) -> list[Mapping[str, Any]]:
    found = []
    for n, each in enumerate(codings):
        if problems.shaped(each, f"{place}.{n}", _CODING):
            if each["system"] != OURS + kind:
                problems.add(f"{place}.{n}.system", "unknown")
            found.append(each)
    return found


def _extended(said: Any, name: str, place: str, problems: Problems) -> dict[str, Any]:
    """The members in our extension of that name; an extension of others is not understood."""
    members: dict[str, Any] = {}
    for n, each in enumerate(said):
        if not isinstance(each, Mapping) or each.get("url") != f"{EXTENSION}:{name}":
            problems.add(f"{place}.{n}", "unknown")
        else:
            found = _members(each.get("extension"), f"{place}.{n}", problems)
            _apart(found, found.keys() - _OURS[name], f"{place}.{n}", problems)
            members |= found
    return members


def _members(said: Any, place: str, problems: Problems, depth: int = 0) -> dict[str, Any]:
    if not listed(said) or depth > _DEEPEST:
        problems.add(below(place, "extension"), "invalid")
        return {}
    members: dict[str, Any] = {}
    for n, each in enumerate(said):
        inside = f"{place}.extension.{n}"
        url = each.get("url") if isinstance(each, Mapping) else None
        if not problems.shaped({"url": url}, inside, _SIMPLE):
            continue
        values = [each[kind] for kind in _VALUES if kind in each]
        if "extension" in each:
            values.append(_members(each["extension"], inside, problems, depth + 1))
        if len(values) != 1 or len(each) != 2:  # noqa: PLR2004 - its url and its value
            problems.add(inside, "invalid")
        elif url in _LISTS:
            members.setdefault(url, []).append(values[0])
        elif url in members:
            problems.add(inside, "twice")
        else:
            members[str(url)] = values[0]
    return members
