"""The framework agreements: whether one is complete and in force, and what it lets go."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any

from policies.agreement_document import Agreement, AgreementState, Flow, read_agreement
from policies.decision import FlowFacts
from policies.purposes import profile
from policies.summary_model import SPECIAL, fields_of
from policies.vocabulary import OrganisationId

__all__ = [
    "Agreement",
    "AgreementState",
    "Standing",
    "any_in_force",
    "facts_of_flow",
    "flows_between",
    "in_force",
    "incomplete",
    "missing_risk_analysis",
    "read_agreement",
    "standing",
]


class Standing(StrEnum):
    """What an agreement is worth on a day, in the words of the public register."""

    IN_FORCE = "in force"
    NOT_YET = "not yet"
    INCOMPLETE = "incomplete"
    IN_REVIEW = "in review"
    SUSPENDED = "suspended"
    ENDED = "ended"


_OF_THE_AGREEMENT = {
    "title": "vl-egov-protocol",
    "version": "vl-egov-protocol",
    "parties": "vl-egov-protocol",
    "flows": "gdpr-minimise",
    "legal.basis_of_communication": "vl-egov-protocol",
    "legal.basis_of_collection": "gdpr-basis",
    "volume": "vl-egov-protocol",
    "recipient_categories": "vl-egov-protocol",
    "third_party_onward": "vl-egov-protocol",
    "periodicity": "vl-egov-protocol",
    "security_measures": "gdpr-security",
    "quality_measures": "gdpr-accuracy",
    "sanctions": "vl-egov-protocol",
    "transparency": "gdpr-lawfulness",
    "retention": "gdpr-retention",
    "valid_from": "vl-egov-protocol",
    "valid_until": "vl-egov-protocol",
    "review_on": "gdpr-accountability",
}
_OF_EACH_PARTY = {
    "role": "vl-egov-protocol",
    "contact_function": "vl-egov-protocol",
    "dpo_contact": "gdpr-dpo",
    "dpo_advice": "gdpr-dpo",
    "signed_on": "vl-egov-protocol",
    "published": "vl-egov-protocol",
}
_BEFORE = frozenset(
    {
        AgreementState.DRAFT,
        AgreementState.DPO_ADVICE,
        AgreementState.AUTHORITY_ADVICE,
        AgreementState.SIGNED,
        AgreementState.PUBLISHED,
    }
)


def incomplete(agreement: Agreement) -> tuple[tuple[str, str], ...]:
    """Every mandatory element that is missing, with the key of the rule that asks for it.

    Nothing when it is complete. An element of a party is named with its organisation:
    `parties.cbe-gent.dpo_advice`. Keys are those of the legal register (vl-egov-protocol asks
    for a written, published protocol with the advice of the data protection officers). A purpose
    that uses a special section and has no registered risk analysis is `risk_analysis.P1.health`.
    """
    missing = [
        (element, key)
        for element, key in _OF_THE_AGREEMENT.items()
        if _at(agreement, element) in (None, ())
    ]
    if len(agreement.parties) == 1:
        missing.append(("parties", _OF_THE_AGREEMENT["parties"]))
    for party in agreement.parties:
        missing += [
            (f"parties.{party.org}.{element}", key)
            for element, key in _OF_EACH_PARTY.items()
            if getattr(party, element) is None
        ]
    return (*missing, *missing_risk_analysis(agreement))


def missing_risk_analysis(agreement: Agreement) -> tuple[tuple[str, str], ...]:
    """Every risk analysis that must be registered first, with the key of the rule (gdpr-dpia).

    One is needed for each purpose and each section of a special category, or of criminal data,
    that a flow lets go for it. What is registered stands in `agreement.analysed`: nothing does
    unless whoever read the document says so.
    """
    needed = {
        (purpose, section)
        for flow in agreement.flows
        for purpose in flow.purposes
        for section in SPECIAL
        if flow.fields & fields_of(section) & profile(purpose)
    }
    return tuple(
        (f"risk_analysis.{purpose}.{section}", "gdpr-dpia")
        for purpose, section in sorted(needed - agreement.analysed)
    )


def standing(agreement: Agreement, on: date) -> Standing:
    """What the agreement is worth on a day, last day included."""
    state, suspended = agreement.state, agreement.suspended
    if state is AgreementState.ENDED or (agreement.valid_until and agreement.valid_until < on):
        return Standing.ENDED
    if state is AgreementState.SUSPENDED or (suspended and suspended.on <= on):
        return Standing.SUSPENDED
    if incomplete(agreement):
        return Standing.INCOMPLETE
    if state in _BEFORE or (agreement.valid_from and on < agreement.valid_from):
        return Standing.NOT_YET
    return Standing.IN_REVIEW if state is AgreementState.IN_REVIEW else Standing.IN_FORCE


def in_force(agreement: Agreement, on: date) -> bool:
    """Active, complete, within its days and not suspended."""
    return standing(agreement, on) is Standing.IN_FORCE


def flows_between(
    agreements: Iterable[Agreement],
    *,
    holder: OrganisationId,
    recipient: OrganisationId,
    purpose: str,
    on: date,
) -> tuple[FlowFacts, ...]:
    """Every flow in force from holder to recipient for the purpose, in the order given."""
    return tuple(
        facts_of_flow(agreement, flow)
        for agreement in agreements
        for flow in agreement.flows
        if flow.covers(holder, recipient, purpose) and in_force(agreement, on)
    )


def facts_of_flow(agreement: Agreement, flow: Flow) -> FlowFacts:
    """What decisions must know of one flow of an agreement, in force or not."""
    return FlowFacts(
        agreement=agreement.id,
        fields=flow.fields,
        caps=flow.precision_caps,
        operations=flow.operations,
        onward=flow.onward,
        origin_masking=flow.origin_masking,
        persons=agreement.volume,
        persons_for_purpose=flow.persons_per_year,
        keep_months=flow.keep_months,
        retention=agreement.retention,
    )


def any_in_force(
    agreements: Iterable[Agreement], *, recipient: OrganisationId, purpose: str, on: date
) -> bool:
    """Whether the recipient may get anything for the purpose from anybody."""
    return any(
        flow.covers(holder, recipient, purpose) and in_force(agreement, on)
        for agreement in agreements
        for flow in agreement.flows
        for holder in flow.from_
    )


def _at(agreement: Agreement, element: str) -> Any:
    value: Any = agreement
    for name in element.split("."):
        value = getattr(value, name)
    return value
