"""What a decision is made from, and what it looks like. Values only, all of them hashable.

The facts hold what is already computed ("this grant is live"), never the time and never an
id of a client or a consent: so that one decision can be remembered for all whose facts are
the same.
"""

from dataclasses import dataclass

from policies.vocabulary import (
    AgreementId,
    FieldId,
    Operation,
    OrganisationId,
    OrganisationType,
    Reason,
    Section,
)

Precision = tuple[tuple[FieldId, str], ...]
"""Field and precision level (`year`, `masked`, …), sorted by field."""

Trace = tuple[tuple[str, str | None], ...]
"""Every gate by name, with nothing when it held and its reason code when it did not."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is no. A result, not an error: it is committed like any other.

    `told` is what may be said openly, since it depends on the asking organisation alone;
    nothing means the one uniform answer. `details` are codes for those who already know
    the person: reasons, field names, never a value.
    """

    reason: Reason
    told: Reason | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """One organisation's wish to read a client's summary.

    `purpose` is the code as asked, known or not. Without `sections` everything is asked
    that the purpose may use.
    """

    recipient: OrganisationId
    purpose: str
    sections: frozenset[Section] | None = None
    operation: Operation = Operation.VIEW
    processor: OrganisationId | None = None
    """Who asks in the recipient's name, where that is another: see `policies.delegation`."""


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """The asking organisation as the directory describes it today."""

    type: OrganisationType
    accredited: bool
    in_eea: bool
    insz_authorised: bool
    secrecy: bool
    """Bound by professional secrecy (`beroepsgeheim`)."""
    hard_denies: frozenset[Section] = frozenset()
    only_sections: frozenset[Section] | None = None


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """One grant for this recipient and this purpose, in force or not.

    `fields` is what it gives by the reading of grants, `named` the sections and fields it
    names itself; `ended` says why it is not live, nothing when it is. `secrecy_release`:
    its consent frees the holder from professional secrecy towards the recipient.
    """

    fields: frozenset[FieldId]
    named: frozenset[str]
    precision: Precision
    operations: frozenset[Operation]
    ended: Reason | None
    secrecy_release: bool


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """What an agreement in force lets go from holder to recipient for the purpose.

    `persons` are those a year that it was agreed for, `persons_for_purpose` those of them for
    one purpose, where that was said. `full`: this client would be one too many. `keep_months`:
    how long the recipient may keep what it got after last use, where that is shorter than usual.
    """

    agreement: AgreementId
    fields: frozenset[FieldId]
    caps: Precision
    operations: frozenset[Operation]
    onward: bool
    origin_masking: bool
    persons: int | None = None
    persons_for_purpose: int | None = None
    keep_months: int | None = None
    retention: str | None = None
    full: bool = False


@dataclass(frozen=True, slots=True)
class BasisFacts:
    """What the holder may release on another basis than consent, by one agreement.

    `shared`: the five conditions of shared secrecy were checked, and all of them hold.
    """

    fields: frozenset[FieldId]
    agreement: AgreementId
    shared: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision rests on, read in the transaction that records the decision.

    `grants` are those of this client for this recipient and purpose, oldest first.
    `denied` are the fields that the client denied this recipient; `refused`: the client
    said no to this purpose and recipient. `any_agreement`: the recipient has some agreement
    in force for the purpose, whoever the holder is. `quarantined` are the sections whose
    text the scanner stops. `real_number`: the national number held is no test number, and
    the broker is a demonstration. `basis` is the one that stands beside consent, if any.
    """

    recipient: RecipientFacts
    holder_secrecy: bool
    known: bool
    blocked: bool
    """Processing restricted, or the client has died."""
    care_relation: bool
    any_agreement: bool
    flows: tuple[FlowFacts, ...]
    grants: tuple[GrantFacts, ...]
    denied: frozenset[FieldId] = frozenset()
    refused: bool = False
    quarantined: frozenset[Section] = frozenset()
    real_number: bool = False
    basis: BasisFacts | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What may leave, on which grants it rests, and what every gate answered.

    With a `reason` nothing leaves; `told` is the part of it that depends on the asking
    organisation alone. `withheld` names what was asked for and stays behind, as far as its
    existence may be told; `filtered` counts all of it. `rests_on` are positions in
    `Facts.grants`; `on_basis`: it rests on the basis beside consent instead, and on no grant.
    """

    reason: Reason | None
    told: Reason | None
    trace: Trace
    fields: frozenset[FieldId] = frozenset()
    sections: tuple[Section, ...] = ()
    withheld: tuple[str, ...] = ()
    filtered: int = 0
    rests_on: tuple[int, ...] = ()
    precision: Precision = ()
    flow: FlowFacts | None = None
    on_basis: bool = False
