"""A consent as an OSLO Toestemming (JSON-LD, Flemish vocabulary): lossy, and it says so.

OSLO knows three codes for how a consent stands; ours stays inside as the term of DPV. The terms
of the vocabulary are pinned in our own context and were not checked against a published list.
"""

from typing import Any

from consent.content import Grant
from consent.dpv_record import context
from consent.recorded import Recorded, Setting, last_day
from policies.purposes import purpose, purpose_list
from policies.vocabulary import Section

NOT_SAID = (
    "capacity",
    "denials",
    "evidence",
    "fields",
    "functions",
    "max_uses",
    "notice.sha256",
    "onward",
    "operations beyond their DPV term",
    "precision",
    "refused",
    "state: one of three codes",
    "until_event",
)
"""What this form has no place for; the document names it too."""


def oslo_consent(recorded: Recorded, setting: Setting) -> dict[str, Any]:
    """The consent and what it was given for; whoever needs the rest asks for the record."""
    terms = recorded.terms
    state, status = purpose_list().state_terms[recorded.state]
    notice = terms.notice
    return {
        "@context": dict(context("oslo-toestemming")),
        "@id": f"urn:overdracht:consent:{recorded.consent}",
        "@type": "Toestemming",
        "dct:identifier": recorded.consent,
        "gegevenOp": recorded.given_at.isoformat(),
        "toestemmingStatus": f"status:{status}",
        "dpv:hasConsentStatus": state,
        "dpv:hasDataSubject": f"urn:overdracht:handle:{setting.handle}",
        "dpv:hasDataController": f"urn:overdracht:recipient:org:{recorded.controller}",
        "toestemmingsvraag": f"urn:overdracht:notice:{notice.id}/{notice.version}/{notice.lang}",
        "gegevenVoor": [_handling(each) for each in terms.grants if not each.withdrawn],
        "term:lossy": True,
        "term:notSaid": list(NOT_SAID),
    }


def _handling(grant: Grant) -> dict[str, Any]:
    use = purpose(grant.purpose)
    operations, categories = purpose_list().operation_terms, purpose_list().data_categories
    read = {Section(field.partition(".")[0]) for field in grant.reads}
    until = last_day(grant)
    return {
        "@type": "dpv:PersonalDataHandling",
        "dct:identifier": grant.id,
        "dpv:hasPurpose": list(use.dpv) if use else ["dpv:Purpose"],
        "dpv:hasProcessing": sorted({operations[op] for op in grant.ops}),
        "dpv:hasPersonalData": sorted({term for each in read for term in categories[each]}),
        "dpv:hasRecipient": f"urn:overdracht:recipient:{grant.recipient}",
        **({"beperking": {"@type": "dct:PeriodOfTime", "term:until": until}} if until else {}),
    }
