"""What a client agreed to and what not, as a policy of ODRL 2.2 (JSON-LD): a view for others.

A set: an offer would permit nothing, and for an agreement the recipients would have to agree too.
Whatever the client denied or refused is a prohibition, and prohibitions win.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from consent.belgian_time import day_of, instant, time_of
from consent.content import EVERY_SECTION, Denial, Grant, Refusal
from consent.lifecycle import releases
from consent.recorded import Recorded, Setting
from policies.linked_data import (
    PROFILE,
    SUMMARY,
    action_iri,
    assets,
    context,
    for_purposes,
    limit,
    precision_iri,
    vocabulary,
)
from policies.purposes import profile
from policies.summary_model import fields_of
from policies.vocabulary import Section

NOT_SAID = (
    "capacity",
    "evidence",
    "functions",
    "notice",
    "state: whatever releases nothing is one prohibition",
    "teach-back",
    "that an agreement between holder and recipient is needed beside the consent",
)
"""What this form has no place for; the document names it too."""

_URN = "urn:overdracht:"


def odrl_consent(recorded: Recorded, setting: Setting) -> dict[str, Any]:
    """The policy; the client, by the controller's handle alone, is who permits and prohibits."""
    uid, terms = f"{_URN}consent:{recorded.consent}", recorded.terms
    standing = [each for each in terms.grants if not each.withdrawn]
    client = f"{_URN}handle:{setting.handle}"
    permissions = [_permitted(uid, client, grant) for grant in standing]
    prohibitions = [
        *(_kept(uid, client, grant) for grant in standing if not grant.onward),
        *(_denied(f"{uid}:d{n}", client, each) for n, each in enumerate(terms.denials, 1)),
        *(_refused(f"{uid}:r{n}", client, each) for n, each in enumerate(terms.refused, 1)),
        *_stopped(uid, client, recorded),
    ]
    rules = [*permissions, *prohibitions]
    parties = dict.fromkeys([client, *(each["assignee"] for each in rules)])
    return {
        "@context": dict(context("odrl")),
        "@id": uid,
        "@type": "Set",
        "uid": uid,
        "profile": PROFILE,
        "conflict": "prohibit",
        "dct:identifier": recorded.consent,
        "dct:issued": day_of(instant(recorded.at)).isoformat(),
        **({"permission": permissions} if permissions else {}),
        **({"prohibition": prohibitions} if prohibitions else {}),
        "term:vocabulary": [
            *vocabulary(rules),
            *({"@id": each, "@type": "Party"} for each in parties),
        ],
        "term:lossy": True,
        "term:notSaid": list(NOT_SAID),
    }


def _permitted(uid: str, client: str, grant: Grant) -> dict[str, Any]:
    return {
        "@id": f"{uid}:{grant.id}",
        "@type": "Permission",
        **_between(client, grant.recipient),
        "target": assets(grant.reads),
        "action": [action_iri(each) for each in sorted(grant.ops)],
        "constraint": [for_purposes([grant.purpose]), *_limits(grant)],
    }


def _limits(grant: Grant) -> Iterator[dict[str, Any]]:
    for operator, moment in (("gteq", grant.start), ("lt", grant.end)):
        if moment is not None:
            at = {"@value": time_of(moment).isoformat(), "@type": "xsd:dateTime"}
            yield limit("dateTime", operator, at)
    if grant.max_uses is not None:
        yield limit("count", "lteq", grant.max_uses)
    if grant.until_event is not None:
        yield limit("event", "lt", {"@id": f"{_URN}event:{grant.until_event}"})
    for field, level in grant.precision:
        yield limit(precision_iri(field), "lteq", level)


def _kept(uid: str, client: str, grant: Grant) -> dict[str, Any]:
    """That what this grant gives is passed on to nobody."""
    return {
        "@id": f"{uid}:{grant.id}:onward",
        "@type": "Prohibition",
        **_between(client, grant.recipient),
        "target": assets(grant.reads),
        "action": "distribute",
        "constraint": [for_purposes([grant.purpose])],
    }


def _denied(rule: str, client: str, denial: Denial) -> dict[str, Any]:
    return {
        "@id": rule,
        "@type": "Prohibition",
        **_between(client, denial.recipient),
        "target": _sections(denial.sections),
        "action": "use",
    }


def _refused(rule: str, client: str, refusal: Refusal) -> dict[str, Any]:
    return {
        "@id": rule,
        "@type": "Prohibition",
        **_between(client, refusal.recipient),
        "target": assets(profile(refusal.purpose)) or SUMMARY,
        "action": "use",
        "constraint": [for_purposes([refusal.purpose])],
    }


def _stopped(uid: str, client: str, recorded: Recorded) -> list[dict[str, Any]]:
    """All that the grants gave, where the consent releases nothing any more, or for a time."""
    if releases(recorded.state) and not recorded.suspended:
        return []
    return [
        {
            "@id": f"{uid}:{grant.id}:stopped",
            "@type": "Prohibition",
            **_between(client, grant.recipient),
            "target": assets(grant.reads),
            "action": "use",
            "constraint": [for_purposes([grant.purpose])],
            "term:state": recorded.state.value,
            "term:suspended": recorded.suspended,
        }
        for grant in recorded.terms.grants
    ]


def _between(client: str, recipient: str) -> dict[str, str]:
    return {"assigner": client, "assignee": f"{_URN}recipient:{recipient}"}


def _sections(names: Iterable[str]) -> list[str] | str:
    if EVERY_SECTION in names:
        return SUMMARY
    return assets(frozenset().union(*(fields_of(Section(each)) for each in names)))
