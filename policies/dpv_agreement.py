"""An agreement in terms of DPV 2.2 (JSON-LD): one process for each flow, for registers of others.

Terms of our own (`urn:overdracht:term:`) say beside it what DPV has no word for.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

from policies.agreement_document import Agreement, Flow, Party
from policies.agreements import standing
from policies.linked_data import ORGANISATION, context, field_iri, purpose_iri, said_beside
from policies.purposes import Purpose, purpose, purpose_list
from policies.summary_model import summary_model
from policies.vocabulary import OrganisationId, Section

NOT_SAID = (
    "advice, signatures and publication",
    "consent of the client beside the agreement",
    "origin masking and precision: see the policy",
    "partnership",
    "persons a year: a number stands as `term:personsPerYear`",
    "recipient categories within an organisation",
    "sanctions",
)
"""What this form has no place for; the document names it too."""

_ROLES: Final[Mapping[str, str]] = {
    "controller": "dpv:DataController",
    "joint_controller": "dpv:DataController",
    "processor": "dpv:DataProcessor",
}


def dpv_agreement(agreement: Agreement, base_url: str, on: date) -> dict[str, Any]:
    """The agreement as it stands on a day, with the address of the same as an ODRL policy."""
    uid = f"{base_url}/agreements/{agreement.id}"
    known = {
        "dct:title": agreement.title,
        "term:version": agreement.version,
        "term:validFrom": agreement.valid_from and agreement.valid_from.isoformat(),
        "term:deliberation": agreement.legal.deliberation_no,
        "dct:description": agreement.transparency,
    }
    return {
        "@context": dict(context("dpv-agreement")),
        "@id": uid,
        "@type": "dpv:LegalAgreement",
        "dct:identifier": agreement.id,
        "dct:issued": on.isoformat(),
        "term:standing": standing(agreement, on).value,
        **{name: held for name, held in known.items() if held},
        "dpv:hasDuration": _lasts(agreement),
        "dpv:hasEntity": [_entity(each) for each in agreement.parties],
        "dpv:hasProcess": [
            _process(uid, number, flow, agreement) for number, flow in enumerate(agreement.flows, 1)
        ],
        "dpv:hasTechnicalOrganisationalMeasure": _measures(agreement),
        "dpv:hasProhibition": {"@type": "dpv:Prohibition", "dpv:hasPurpose": _prohibited()},
        "dpv:hasPolicy": uid,
        "term:lossy": True,
        "term:notSaid": list(NOT_SAID),
    }


def _lasts(agreement: Agreement) -> dict[str, Any]:
    if agreement.valid_until is None:
        return {"@type": "dpv:IndeterminateDuration"}
    return {"@type": "dpv:UntilTimeDuration", "rdf:value": agreement.valid_until.isoformat()}


def _entity(party: Party) -> dict[str, Any]:
    officer = {"@type": "dpv:DataProtectionOfficer", "dpv:hasContact": party.dpo_contact}
    return {
        "@id": f"{ORGANISATION}{party.org}",
        "@type": _ROLES.get(party.role or "", "dpv:LegalEntity"),
        "dct:identifier": party.org,
        **({"term:role": party.role} if party.role else {}),
        **({"dpv:hasContact": party.contact_function} if party.contact_function else {}),
        **({"dpv:hasDataProtectionOfficer": officer} if party.dpo_contact else {}),
    }


def _process(uid: str, number: int, flow: Flow, agreement: Agreement) -> dict[str, Any]:
    uses = [found for code in flow.purposes if (found := purpose(code))]
    sections = {Section(each.partition(".")[0]) for each in flow.fields}
    processors = {each.org for each in agreement.parties if each.role == "processor"}
    known = purpose_list()
    return {
        "@id": f"{uid}#process-{number}",
        "@type": "dpv:Process",
        "dpv:hasPurpose": _once(term for each in uses for term in each.dpv),
        "term:purpose": [purpose_iri(each) for each in flow.purposes],
        "dpv:hasProcessing": sorted({known.operation_terms[each] for each in flow.operations}),
        "term:operation": sorted(flow.operations),
        "dpv:hasPersonalData": _once(
            term for each in Section if each in sections for term in known.data_categories[each]
        ),
        "term:field": [field_iri(each) for each in sorted(flow.fields)],
        "dpv:hasDataSubject": "dpv:DataSubject",
        "dpv:hasDataExporter": [f"{ORGANISATION}{each}" for each in flow.from_],
        "dpv:hasDataController": _named(flow, lambda org: org not in processors),
        "dpv:hasDataProcessor": _named(flow, lambda org: org in processors),
        "dpv:hasRecipient": [f"{ORGANISATION}{each}" for each in flow.to],
        "dpv:hasLegalBasis": _once(term for each in uses for term in _bases(each, sections)),
        "dpv:hasStorageCondition": _stored(agreement),
        "term:onward": flow.onward,
        **said_beside(flow),
    }


def _named(flow: Flow, of: Callable[[OrganisationId], bool]) -> list[str]:
    return [f"{ORGANISATION}{each}" for each in dict.fromkeys(flow.from_ + flow.to) if of(each)]


def _bases(use: Purpose, sections: set[Section]) -> Iterable[str]:
    """What a release for the purpose may rest on: any of these, and each has its own conditions."""
    asked = {name for name, each in summary_model().sections.items() if each.explicit_consent}
    for kind, terms in use.legal_basis.items():
        if kind != "special" or asked & sections:
            yield from terms


def _stored(agreement: Agreement) -> dict[str, Any]:
    said = {"dct:description": agreement.retention} if agreement.retention else {}
    return {"@type": "dpv:StorageDuration"} | said


def _measures(agreement: Agreement) -> list[dict[str, Any]]:
    said = (*agreement.security_measures, *agreement.quality_measures)
    kind = "dpv:TechnicalOrganisationalMeasure"
    return [{"@type": kind, "dct:description": each} for each in said]


def _prohibited() -> list[str]:
    return _once(term for each in purpose_list().prohibited.values() for term in each.dpv)


def _once(terms: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(terms))
