"""A legal basis beside consent: its kinds, and what must stand behind each. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from policies.agreements import Agreement, in_force
from policies.grants import read_grant
from policies.organisations import Organisation
from policies.purposes import purpose
from policies.summary_model import hidden
from policies.vocabulary import AgreementId, FieldId, OrganisationId, Section

PUBLIC_TASK = "public_task"


class BasisKind(StrEnum):
    """What a holder may rest a release on beside consent. Legitimate interest is none (gdpr-basis).

    An article of an agreement, by its number; an authorisation, by that of the deliberation; a
    mandate that the client gave, by the hash of the document (SHA-256, hexadecimal).
    """

    AGREEMENT_ARTICLE = "agreement_article"
    AUTHORISATION = "authorisation"
    MANDATE = "mandate"


class Condition(StrEnum):
    """The five conditions under which holders of secrecy may share it (be-secrecy-shared)."""

    CLIENT_AGREES = "client_agrees"
    HOLDER_TO_HOLDER = "holder_to_holder"
    SAME_PURPOSE = "same_purpose"
    ONLY_NEEDED = "only_needed"
    CLIENTS_INTEREST = "clients_interest"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a holder says that a release to one recipient for one purpose rests on."""

    kind: BasisKind
    recipient: OrganisationId
    purpose: str
    agreement: AgreementId
    reference: str
    conditions: frozenset[Condition] = frozenset()


def fault(
    claim: Claim,
    agreement: Agreement | None,
    holder: Organisation | None,
    recipient: Organisation | None,
    on: date,
) -> tuple[str, str] | None:
    """Which member of the claim does not stand on that day, and why; nothing when all does.

    The purpose must know a public task as basis and its holder must be one who has such tasks;
    the agreement must be in force, run from holder to recipient for the purpose, and name
    what the claim names (gdpr-basis, vl-egov-protocol, vl-egov-mandate, be-ksz-deliberation).
    """
    use = purpose(claim.purpose)
    if use is None or PUBLIC_TASK not in use.legal_basis or not gives(claim.purpose):
        return "purpose", "no_other_basis"
    if recipient is None or not use.accepts(recipient.type):
        return "recipient", "not_for_this_purpose"
    if holder is None or not holder.public_body:
        return "kind", "no_public_task"
    covered = agreement is not None and any(
        flow.covers(holder.id, recipient.id, claim.purpose) for flow in agreement.flows
    )
    if agreement is None or not covered or not in_force(agreement, on):
        return "agreement", "none_in_force"
    if not _names(agreement, claim):
        return "agreement", "does_not_name_it"
    return None


def gives(purpose_code: str) -> frozenset[FieldId]:
    """What a basis gives for a purpose: what its default sections give, read as in a grant.

    Never what must be named by itself, and nothing of health or justice.
    """
    return _gives(purpose_code)


@lru_cache(maxsize=64)
def _gives(purpose_code: str) -> frozenset[FieldId]:
    use = purpose(purpose_code)
    names = () if use is None else use.default
    told = [each for each in names if not hidden(Section(each.partition(".")[0]))]
    fields, _ = read_grant(
        sections=[each for each in told if "." not in each],
        include=[each for each in told if "." in each],
    )
    return fields


def _names(agreement: Agreement, claim: Claim) -> bool:
    legal = agreement.legal
    match claim.kind:
        case BasisKind.AUTHORISATION:
            return legal.deliberation_no == claim.reference
        case BasisKind.MANDATE:
            return "vl-egov-mandate" in legal.basis_of_communication
        case BasisKind.AGREEMENT_ARTICLE:
            return "gdpr-basis" in legal.basis_of_communication
