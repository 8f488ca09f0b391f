"""What the client keeps: who agreed to what, with whom, until when, and how to stop it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from consent.belgian_time import time_of
from consent.content import EVERY_SECTION, Denial, Grant, Refusal, Terms, grant_document
from policies.purposes import purpose, purpose_list
from policies.summary_model import summary_model
from policies.vocabulary import (
    ConsentId,
    ConsentState,
    FieldId,
    Handle,
    OrganisationId,
    Section,
)

CONFORMS_TO = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
RIGHTS = tuple(
    f"eu-gdpr:{article}" for article in ("A7-3", *(f"A{number}" for number in range(13, 23)))
)
"""The rights a client has, as terms of the DPV extension for the GDPR."""

_NO_CONSEQUENCE = {
    "nl": "Nee zeggen of stoppen heeft geen gevolgen voor de hulp die je krijgt.",
    "en": "Saying no or stopping has no consequence for the help you get.",
    "fr": "Dire non ou arrêter n'a aucune conséquence sur l'aide que vous recevez.",
}
_ELSE = "nl"
_NOTICE = ("id", "version", "lang", "sha256", "filled_sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt is made from. `names` gives organisations and partnerships by id."""

    issuer: str
    handle: Handle
    consent: ConsentId
    controller: OrganisationId
    state: ConsentState
    at: datetime
    withdraw_at: str
    """The address of the page on which the client withdraws."""
    names: Mapping[str, str]


def receipt_claims(receipt: Receipt, terms: Terms) -> dict[str, Any]:
    """The claims of the signed receipt: plain JSON values, and no name of the client.

    Labels are in the language of the notice where there are such, else in Dutch.
    """
    lang = _language(terms.notice.lang)
    state_term, _ = purpose_list().state_terms[receipt.state]
    return {
        "iss": receipt.issuer,
        "iat": int(receipt.at.timestamp()),
        "sub": receipt.handle,
        "conforms_to": CONFORMS_TO,
        "lang": lang,
        "consent": receipt.consent,
        "state": {"code": receipt.state.value, "term": state_term},
        "controller": _named(f"org:{receipt.controller}", receipt.names),
        "functions": list(terms.functions),
        "capacity": terms.capacity.type,
        "notice": {
            name: held for name in _NOTICE if (held := getattr(terms.notice, name)) is not None
        },
        "agreed": terms.agreed,
        "method": terms.evidence.method,
        "grants": [_grant(each, lang, receipt.names) for each in terms.grants],
        "denials": [_denial(each, lang, receipt.names) for each in terms.denials],
        "refused": [_refusal(each, lang, receipt.names) for each in terms.refused],
        "withdraw": {"address": receipt.withdraw_at, "consent": receipt.consent},
        "no_consequence": _NO_CONSEQUENCE[lang],
        **_provisional(terms),
        "rights": list(RIGHTS),
        "jurisdiction": "BE",
    }


def _provisional(terms: Terms) -> dict[str, str]:
    """Until when the client is asked to confirm it (RFC 3339, UTC)."""
    until = terms.confirm_by
    return {} if until is None else {"confirm_by": time_of(until).isoformat(timespec="seconds")}


def _language(lang: str) -> str:
    spoken = lang.partition("-")[0]
    return spoken if spoken in _NO_CONSEQUENCE else _ELSE


def _grant(grant: Grant, lang: str, names: Mapping[str, str]) -> dict[str, object]:
    shown = grant_document(grant)
    keep = ("id", "ops", "precision", "from", "until", "until_event", "max_uses", "onward")
    return {
        **{name: shown[name] for name in keep if name in shown},
        "purpose": _purpose(grant.purpose, lang),
        "conditionality": grant.conditionality,
        "recipient": _named(grant.recipient, names),
        "data": _data(grant.reads, lang),
    }


@lru_cache(maxsize=1024)
def _data(reads: frozenset[FieldId], lang: str) -> Sequence[Mapping[str, object]]:
    """What a grant gives, section by section. Grants are much alike: most give what others do."""
    fields: dict[str, list[str]] = {}
    for field in sorted(reads):
        fields.setdefault(field.partition(".")[0], []).append(field)
    return [
        {**_section(section, lang), "fields": fields[section]}
        for section in Section
        if section in fields
    ]


def _denial(denial: Denial, lang: str, names: Mapping[str, str]) -> dict[str, object]:
    sections = Section if EVERY_SECTION in denial.sections else map(Section, denial.sections)
    return {
        "recipient": _named(denial.recipient, names),
        "data": [_section(section, lang) for section in sections],
    }


def _refusal(refusal: Refusal, lang: str, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "purpose": _purpose(refusal.purpose, lang),
        "conditionality": refusal.conditionality,
        "recipient": _named(refusal.recipient, names),
    }


def _section(section: Section, lang: str) -> dict[str, object]:
    labels = summary_model().sections[section].labels
    terms = purpose_list().data_categories[section]
    return {"section": section.value, "label": labels[lang], "terms": list(terms)}


def _purpose(code: str, lang: str) -> dict[str, object]:
    use = purpose(code)
    if use is None:
        return {"code": code}
    return {"code": code, "label": use.labels[lang], "terms": list(use.dpv)}


def _named(recipient: str, names: Mapping[str, str]) -> dict[str, object]:
    key = recipient.partition(":")[2].partition("/")[0].partition("@")[0].rpartition(",")[2]
    named: dict[str, object] = {"id": recipient}
    return {**named, "name": names[key]} if key in names else named
