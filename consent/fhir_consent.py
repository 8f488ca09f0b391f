"""A consent as FHIR R4 Consent: the core in the elements of the resource, the rest in extensions.

Everything is denied but what a provision permits. A denial is a provision that denies, though the
resource denies already: it counts against other consents too.
"""

from collections.abc import Mapping
from typing import Any

from consent.belgian_time import day_of
from consent.content import Capacity, Denial, Evidence, Grant, Refusal, Shown
from consent.recorded import Recorded, Setting, last_day
from policies.vocabulary import ConsentState

OURS = "urn:overdracht:"
EXTENSION = OURS + "extension"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
RECIPIENT = {"system": _TERMINOLOGY + "v3-ParticipationType", "code": "IRCP"}
SCOPE = {"system": _TERMINOLOGY + "consentscope", "code": "patient-privacy"}
DISCLOSURE = {"system": _TERMINOLOGY + "v3-ActCode", "code": "IDSCL"}
_STATUS: Mapping[ConsentState, str] = {
    ConsentState.REQUESTED: "proposed",
    ConsentState.DEFERRED: "proposed",
    ConsentState.GIVEN: "active",
    ConsentState.RENEWED: "active",
    ConsentState.NARROWED: "active",
    ConsentState.REFUSED: "rejected",
    ConsentState.WITHDRAWN: "inactive",
    ConsentState.EXPIRED: "inactive",
    ConsentState.INVALIDATED: "entered-in-error",
    ConsentState.REVOKED_BY_OTHER: "inactive",
    ConsentState.UNKNOWN: "draft",
}
UNSAID = ("evidence.auth", "evidence.place", "evidence.witness", "grants.withdrawn", "suspended")
"""What is left out: words about a third person or place, and what no longer permits anything.

A suspended consent is told as inactive. Of the time a grant begins only the day is told.
"""


def fhir_consent(recorded: Recorded, setting: Setting) -> dict[str, Any]:
    """The resource. It names the client by the controller's handle alone."""
    terms, notice = recorded.terms, recorded.terms.notice
    standing = [grant for grant in terms.grants if not grant.withdrawn]
    permits = _STATUS[recorded.state] == "active"
    return {
        "resourceType": "Consent",
        "id": recorded.consent,
        "extension": [
            _extension(
                "consent",
                {
                    "functions": list(terms.functions),
                    "capacity": _capacity(terms.capacity),
                    "notice": _shown(notice),
                    "evidence": _evidence(terms.evidence),
                    "state": recorded.state.value,
                    "unsaid": list(UNSAID),
                },
            )
        ],
        "status": "inactive" if permits and recorded.suspended else _STATUS[recorded.state],
        "scope": {"coding": [dict(SCOPE)]},
        "category": [{"coding": [dict(DISCLOSURE)]}],
        "patient": _reference("handle", setting.handle),
        "dateTime": recorded.given_at.isoformat(),
        "organization": [_reference("organisation", recorded.controller)],
        "sourceReference": _reference("consent", recorded.consent),
        "policyRule": {"coding": [_coding("notice", notice.id) | {"version": notice.version}]},
        "provision": {
            "type": "deny",
            **_list(
                "provision",
                [
                    *map(_permitted, standing),
                    *map(_denied, terms.denials),
                    *map(_refused, terms.refused),
                ],
            ),
        },
    }


def _capacity(capacity: Capacity) -> dict[str, Any]:
    ends = capacity.mandate_until
    mandate = _present(
        sha256=capacity.mandate,
        until=None if ends is None else day_of(ends - 1).isoformat(),
        purposes=list(capacity.mandate_purposes) or None,
        sections=list(capacity.mandate_sections) or None,
    )
    names = ("type", "assessed_by", "on", "parents")
    said = {name: getattr(capacity, name) for name in names}
    return _present(**said, mandate=mandate or None)


def _shown(notice: Shown) -> dict[str, Any]:
    names = ("lang", "channel", "sha256", "interpreter", "interpreter_kind", "teach_back")
    return _present(**{name: getattr(notice, name) for name in names})


def _evidence(evidence: Evidence) -> dict[str, Any]:
    checks = dict(evidence.freedom_check)
    return _present(method=evidence.method, sha256=evidence.sha256, freedom_check=checks or None)


def _permitted(grant: Grant) -> dict[str, Any]:
    more = _present(
        until_event=grant.until_event,
        max_uses=grant.max_uses,
        onward=grant.onward or None,
        teach_back=grant.teach_back,
        precision=dict(grant.precision) or None,
        fields=list(grant.fields) or None,
        include=list(grant.include) or None,
        exclude=list(grant.exclude) or None,
    )
    return {
        "id": grant.id,
        **({"extension": [_extension("grant", more)]} if more else {}),
        "type": "permit",
        "period": _present(start=_first_day(grant), end=last_day(grant)),
        "actor": [_actor(grant.recipient)],
        "action": [{"coding": [_coding("operation", each)]} for each in sorted(grant.ops)],
        "purpose": [_coding("purpose", grant.purpose)],
        "class": [_coding("section", each) for each in grant.sections],
    }


def _denied(denial: Denial) -> dict[str, Any]:
    return {
        "type": "deny",
        "actor": [_actor(denial.recipient)],
        "class": [_coding("section", each) for each in denial.sections],
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "type": "deny",
        "actor": [_actor(refusal.recipient)],
        "purpose": [_coding("purpose", refusal.purpose)],
    }


def _first_day(grant: Grant) -> str:
    return day_of(grant.start).isoformat()


def _actor(recipient: str) -> dict[str, Any]:
    return {
        "role": {"coding": [dict(RECIPIENT)]},
        "reference": _reference("recipient", recipient),
    }


def _reference(kind: str, value: str) -> dict[str, Any]:
    return {"identifier": {"system": OURS + kind, "value": value}}


def _coding(kind: str, code: str) -> dict[str, str]:
    return {"system": OURS + kind, "code": str(code)}


def _present(**members: Any) -> dict[str, Any]:
    return {name: held for name, held in members.items() if held is not None}


def _list(name: str, held: list[Any]) -> dict[str, list[Any]]:
    return {name: held} if held else {}


def _extension(name: str, members: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": f"{EXTENSION}:{name}", "extension": _nested(members)}


def _nested(members: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Members as extensions: a list is the same one several times, an object one with more."""
    return [
        {"url": name, **_value(each)}
        for name, held in members.items()
        for each in (held if isinstance(held, list) else [held])
    ]


def _value(held: Any) -> dict[str, Any]:
    match held:
        case bool():
            return {"valueBoolean": held}
        case int():
            return {"valueInteger": held}
        case Mapping():
            return {"extension": _nested(held)}
    return {"valueString": held}
