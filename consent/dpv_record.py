"""A consent as a record of ISO/IEC TS 27560, in the profile that DPV 2.2 makes of it (JSON-LD).

The context stands in the document: whoever reads it fetches nothing. What DPV has no word for is
said beside it in terms of our own (`urn:overdracht:term:`), so that the record is whole.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from consent.content import EVERY_SECTION, Denial, Evidence, Grant, Refusal, grant_document
from consent.receipts import RIGHTS
from consent.recorded import Change, Recorded, Setting, is_special, last_day
from policies.purposes import profile, purpose, purpose_list
from policies.vocabulary import ConsentState, Section

CONFORMS_TO = "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"
_URN = "urn:overdracht:"
_NOBODYS_WORD = frozenset(
    {ConsentState.EXPIRED, ConsentState.INVALIDATED, ConsentState.REVOKED_BY_OTHER}
)
"""Changes that no client made: time, or the controller."""

_DECIDES = {"guardian": "dpv:GuardianOfDataSubject"}
_JURISDICTION, _STORED_IN = "loc:BE", "loc:EEA"


@cache
def context(name: str) -> Mapping[str, Any]:
    """A JSON-LD context of ours, read once."""
    text = files("consent").joinpath(f"contexts/{name}.json").read_text("utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


def dpv_record(recorded: Recorded, setting: Setting) -> dict[str, Any]:
    """The record: a JSON-LD document. It names the client by the controller's handle alone."""
    terms, consent = recorded.terms, recorded.consent
    said: list[tuple[str, Grant | Denial | Refusal]] = [
        *((grant.id, grant) for grant in terms.grants),
        *((f"d{n}", denial) for n, denial in enumerate(terms.denials, 1)),
        *((f"r{n}", refusal) for n, refusal in enumerate(terms.refused, 1)),
    ]
    return {
        "@context": dict(context("dpv-27560")),
        "@id": f"{_URN}consent:{consent}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": CONFORMS_TO,
        "dct:identifier": consent,
        "dct:created": recorded.at.isoformat(),
        "dct:language": terms.notice.lang.partition("-")[0],
        "dpv:hasDataSubject": _data_subject(setting),
        "dpv:hasNotice": _notice(recorded),
        "dpv:hasProcess": [_process(id, each, recorded, setting) for id, each in said],
        "dpv:hasEntity": _entities(recorded, setting, [each for _, each in said]),
        "dpv:hasConsentStatus": [_event(each, recorded, setting) for each in recorded.changes],
        "term:functions": list(terms.functions),
        "term:capacity": terms.capacity.type,
        "term:evidence": _evidence(terms.evidence),
        "term:suspended": recorded.suspended,
    }


def _data_subject(setting: Setting) -> dict[str, Any]:
    return {
        "@id": f"{_URN}handle:{setting.handle}",
        "@type": "dpv:DataSubject",
        "dct:identifier": setting.handle,
    }


def _notice(recorded: Recorded) -> dict[str, Any]:
    notice = recorded.terms.notice
    said = {
        "@id": f"{_URN}notice:{notice.id}/{notice.version}/{notice.lang}",
        "@type": "dpv:ConsentNotice",
        "dct:identifier": notice.id,
        "dct:language": notice.lang,
        "term:version": notice.version,
        "term:channel": notice.channel,
        "term:sha256": notice.sha256,
        "term:teach_back": notice.teach_back,
    }
    return {name: held for name, held in said.items() if held is not None}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    """How it is proved; who witnessed it and where stays with the controller."""
    said = {"term:method": evidence.method, "term:sha256": evidence.sha256}
    checks = {f"term:{name}": held for name, held in evidence.freedom_check}
    return {name: held for name, held in said.items() if held is not None} | checks


def _process(
    id: str, said: Grant | Denial | Refusal, recorded: Recorded, setting: Setting
) -> dict[str, Any]:
    """One grant, denial or refusal. A no is a process that was refused: it must be on record."""
    match said:
        case Grant():
            specific = _granted(said, recorded)
        case Denial():
            specific = _denied(said)
        case Refusal():
            specific = _refused(said)
    return {
        "@id": f"{_URN}consent:{recorded.consent}:{id}",
        "@type": "dpv:Process",
        "dct:identifier": id,
        "term:says": type(said).__name__.lower(),
        **specific,
        "dpv:hasDataController": _organisation(f"org:{recorded.controller}"),
        "dpv:hasRecipient": _organisation(said.recipient),
        "term:recipient": said.recipient,
        "dpv:hasConsentControl": {
            "@type": ["dpv:WithdrawConsent", "dpv:ManageConsent"],
            "dpv:isExercisedAt": setting.page,
        },
        "dpv:hasJurisdiction": _JURISDICTION,
        "dpv:hasRight": [
            {"@type": ["dpv:DataSubjectRight", right], "dpv:isExercisedAt": setting.page}
            for right in RIGHTS
        ],
    }


def _granted(grant: Grant, recorded: Recorded) -> dict[str, Any]:
    use = purpose(grant.purpose)
    operations = purpose_list().operation_terms
    keep = ("fields", "include", "exclude", "ops", "from", "until", "until_event", "max_uses")
    shown = grant_document(grant)
    basis = use.legal_basis.get("consent_based", ()) if use else ()
    if use and is_special(recorded.terms):
        basis = (*basis, *use.legal_basis.get("special", ()))
    levels = [f"{field}={level}" for field, level in grant.precision]
    state = ConsentState.WITHDRAWN if grant.withdrawn else recorded.state
    return {
        "dpv:hasPurpose": list(use.dpv) if use else ["dpv:Purpose"],
        "dpv:hasPersonalData": _data(field.partition(".")[0] for field in sorted(grant.reads)),
        "dpv:hasProcessing": sorted({operations[op] for op in grant.ops}),
        **({"dpv:hasLegalBasis": list(basis)} if "gdpr_basis" in recorded.terms.functions else {}),
        "dpv:hasStorageCondition": _storage(_durations(grant)),
        "dpv:hasConsentStatus": {"@type": _state(state)},
        "term:purpose": grant.purpose,
        "term:section": list(grant.sections),
        **{f"term:{name}": shown[name] for name in keep if name in shown},
        **({"term:onward": True} if grant.onward else {}),
        **({"term:precision": levels} if levels else {}),
    }


def _denied(denial: Denial) -> dict[str, Any]:
    sections = Section if EVERY_SECTION in denial.sections else denial.sections
    return {
        "dpv:hasPurpose": ["dpv:Purpose"],
        "dpv:hasPersonalData": _data(sections),
        "dpv:hasStorageCondition": _storage([]),
        "dpv:hasConsentStatus": {"@type": "dpv:ConsentRefused"},
        "term:section": list(denial.sections),
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    use = purpose(refusal.purpose)
    data = _data(field.partition(".")[0] for field in sorted(profile(refusal.purpose)))
    return {
        "dpv:hasPurpose": list(use.dpv) if use else ["dpv:Purpose"],
        "dpv:hasPersonalData": data or ["dpv:PersonalData"],
        "dpv:hasStorageCondition": _storage([]),
        "dpv:hasConsentStatus": {"@type": "dpv:ConsentRefused"},
        "term:purpose": refusal.purpose,
    }


def _data(sections: Iterable[str]) -> list[str]:
    terms = purpose_list().data_categories
    return list(dict.fromkeys(term for each in sections for term in terms[Section(each)]))


def _durations(grant: Grant) -> list[dict[str, Any]]:
    said = (
        ("dpv:UntilTimeDuration", last_day(grant)),
        ("dpv:UntilEventDuration", grant.until_event),
        ("dpv:FixedOccurrencesDuration", grant.max_uses),
    )
    return [{"@type": kind, "rdf:value": held} for kind, held in said if held is not None]


def _storage(durations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where, and how long; of what was refused nothing is stored: no time at all."""
    none = [{"@type": "dpv:FixedOccurrencesDuration", "rdf:value": 0}]
    return [
        {"@type": "dpv:StorageLocation", "dpv:hasLocation": _STORED_IN},
        {"@type": "dpv:StorageDuration", "dpv:hasDuration": durations or none},
    ]


def _event(change: Change, recorded: Recorded, setting: Setting) -> dict[str, Any]:
    terms = recorded.terms
    kind = "dpv:ExplicitlyExpressedConsent" if is_special(terms) else "dpv:ExpressedConsent"
    by = _organisation(f"org:{recorded.controller}")
    if change.state not in _NOBODYS_WORD:
        by = _DECIDES.get(terms.capacity.type, f"{_URN}handle:{setting.handle}")
    ends = [last_day(grant) for grant in terms.grants]
    until = None if None in ends else max(filter(None, ends), default=None)
    lasts = {"@type": "dpv:UntilTimeDuration", "rdf:value": until}
    return {
        "@type": [_state(change.state), kind],
        "dpv:isIndicatedAtTime": change.at.isoformat(),
        "dpv:hasDuration": lasts if until else {"@type": "dpv:IndeterminateDuration"},
        "dpv:isIndicatedBy": by,
        "dpv:hasIndicationMethod": change.via or terms.evidence.method,
        "term:state": change.state.value,
    }


def _state(state: ConsentState) -> str:
    term, _ = purpose_list().state_terms[state]
    return term


def _organisation(recipient: str) -> str:
    return f"{_URN}recipient:{recipient}"


def _entities(
    recorded: Recorded, setting: Setting, said: Iterable[Grant | Denial | Refusal]
) -> list[dict[str, Any]]:
    """Everybody who plays a part, once, with the roles that they play."""
    roles: dict[str, list[str]] = {f"org:{recorded.controller}": ["dpv:DataController"]}
    for each in said:
        has = roles.setdefault(each.recipient, [])
        has += [] if "dpv:Recipient" in has else ["dpv:Recipient"]
    return [
        {
            "@id": _organisation(recipient),
            "@type": has,
            "dpv:hasName": setting.names.get(named(recipient), recipient),
            "dct:identifier": recipient,
            # The broker's page is where all of them are reached: the directory has no telephones.
            "schema:contactPoint": {"@type": "schema:ContactPoint", "schema:url": setting.page},
        }
        for recipient, has in roles.items()
    ]


def named(recipient: str) -> str:
    """The id of the organisation or partnership that a recipient names, or what stands there."""
    name = recipient.partition(":")[2].partition("/")[0].partition("@")[0]
    return name.rpartition(",")[2]
