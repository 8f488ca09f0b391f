"""The document of a framework agreement: its parts as values, and the strict reading of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from policies.decision import Precision
from policies.documents import (
    Reader,
    UnfitDocument,
    count,
    day,
    flag,
    many,
    mapping,
    maybe,
    one_of,
    record,
    text,
)
from policies.organisations import ORGANISATION_ID
from policies.purposes import purpose
from policies.summary_model import fields_of, summary_model
from policies.vocabulary import BROKER, AgreementId, FieldId, Operation, OrganisationId, Section

SUSPENSION_REASONS = (
    "security_incident",
    "unlawful_use",
    "under_review",
    "partner_request",
    "accreditation_ended",
)
"""Why an agreement is suspended, as codes. The last is for the broker alone."""


class AgreementState(StrEnum):
    """How far an agreement has come. Only `active` lets anything leave."""

    DRAFT = "draft"
    DPO_ADVICE = "dpo_advice"
    AUTHORITY_ADVICE = "authority_advice"
    SIGNED = "signed"
    PUBLISHED = "published"
    ACTIVE = "active"
    IN_REVIEW = "in_review"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class DpoAdvice:
    """What one party's data protection officer advised."""

    date: date
    outcome: str
    remarks: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Where and since when a party has the agreement on its site."""

    on: date
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One of the organisations that agree. Nothing in a field: that element is not there yet."""

    org: OrganisationId
    role: str | None = None
    contact_function: str | None = None
    dpo_contact: str | None = None
    dpo_advice: DpoAdvice | None = None
    signed_on: date | None = None
    published: Publication | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityAdvice:
    """The advice of the supervisor, where it was asked; it is not compulsory."""

    body: str
    date: date
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What may go from some parties to others. `fields` is what is left after the exclusions."""

    from_: tuple[OrganisationId, ...]
    to: tuple[OrganisationId, ...]
    purposes: tuple[str, ...]
    fields: frozenset[FieldId]
    precision_caps: Precision
    operations: frozenset[Operation]
    onward: bool
    origin_masking: bool
    persons_per_year: int | None = None
    """Persons for each of its purposes, of those of the agreement."""
    keep_months: int | None = None
    """Months after last use that a recipient may keep what it got; without: as usual."""
    instructs: bool = False
    """It runs to processors: what they may do in the name of those it comes from, no release."""

    def covers(self, holder: OrganisationId, recipient: OrganisationId, purpose: str) -> bool:
        """Whether it runs from one to the other for the purpose; never from one to itself."""
        return not self.instructs and self.runs(holder, recipient, purpose)

    def runs(self, holder: OrganisationId, recipient: OrganisationId, purpose: str) -> bool:
        """As `covers`, be it an instruction or not."""
        return (
            holder != recipient
            and holder in self.from_
            and recipient in self.to
            and purpose in self.purposes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Legal:
    """Keys of the legal bases of the communication and of the collection."""

    basis_of_communication: tuple[str, ...] = ()
    basis_of_collection: tuple[str, ...] = ()
    deliberation_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Since when nothing leaves under the agreement, by whose word and why."""

    on: date
    by: OrganisationId
    reason_code: str
    until_lifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One agreement as it was written down. What is missing is empty.

    `valid_from` and `valid_until` are its first and its last day.
    """

    id: AgreementId
    state: AgreementState
    title: str | None = None
    version: str | None = None
    parties: tuple[Party, ...] = ()
    partnership: str | None = None
    authority_advice: AuthorityAdvice | None = None
    flows: tuple[Flow, ...] = ()
    legal: Legal = Legal()
    volume: int | None = None
    """Persons a year."""
    recipient_categories: tuple[str, ...] = ()
    third_party_onward: str | None = None
    periodicity: str | None = None
    security_measures: tuple[str, ...] = ()
    quality_measures: tuple[str, ...] = ()
    sanctions: str | None = None
    transparency: str | None = None
    retention: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    review_on: date | None = None
    suspended: Suspension | None = None
    analysed: frozenset[tuple[str, Section]] = frozenset()
    """Purposes and special sections whose risk analysis is registered: never of the document."""


def read_agreement(
    document: object, analysed: frozenset[tuple[str, Section]] = frozenset()
) -> Agreement:
    """The agreement that a document holds, complete or not; `analysed` is added as it is.

    A mandatory element may be missing, since an agreement grows: `agreements.incomplete`
    names those.
    What is there must fit. Raises `UnfitDocument`, with the place, for a member that is
    unknown or of another kind, an unknown field, purpose or precision, a flow between
    organisations that are no parties, and a party that is there twice.
    """
    agreement = replace(_agreement(document, ""), analysed=analysed)
    parties = [each.org for each in agreement.parties]
    if len(set(parties)) < len(parties):
        raise UnfitDocument("parties", "one organisation is there twice")
    for index, flow in enumerate(agreement.flows):
        if not {*flow.from_, *flow.to} <= set(parties):
            raise UnfitDocument(f"flows[{index}]", "names an organisation that is no party")
    for name, level in (cap for flow in agreement.flows for cap in flow.precision_caps):
        if level not in summary_model().fields[name].precision:
            raise UnfitDocument("flows", f"{name} has no precision {level}")
    first, last = agreement.valid_from, agreement.valid_until
    if first and last and last < first:
        raise UnfitDocument("valid_until", "is before valid_from")
    return _with_instructions(agreement)


def _with_instructions(agreement: Agreement) -> Agreement:
    """The agreement, its flows to processors known as such (gdpr-processor: GDPR, article 28).

    Raises `UnfitDocument` for a flow from a processor, or to one and to somebody else.
    """
    processors = {each.org for each in agreement.parties if each.role == "processor"}
    flows = []
    for index, flow in enumerate(agreement.flows):
        instructs = bool(processors.intersection(flow.to))
        if processors.intersection(flow.from_) or (
            instructs and not processors.issuperset(flow.to)
        ):
            raise UnfitDocument(
                f"flows[{index}]", "a processor acts in its controller's name alone"
            )
        flows.append(replace(flow, instructs=instructs))
    return replace(agreement, flows=tuple(flows))


def _flow(
    sections: Iterable[Section],
    operations: Iterable[Operation],
    extra_fields: Iterable[FieldId] = (),
    excluded_fields: Iterable[FieldId] = (),
    precision_caps: Precision = (),
    *,
    from_: tuple[OrganisationId, ...],
    to: tuple[OrganisationId, ...],
    purposes: tuple[str, ...],
    onward: bool,
    origin_masking: bool = False,
    persons_per_year: int | None = None,
    keep_months: int | None = None,
) -> Flow:
    if both := set(extra_fields) & set(excluded_fields):
        raise UnfitDocument("flows", f"{min(both)} is added and excluded at once")
    whole = frozenset[FieldId]().union(*map(fields_of, sections))
    return Flow(
        from_=from_,
        to=to,
        purposes=purposes,
        fields=(whole | set(extra_fields)) - set(excluded_fields),
        precision_caps=precision_caps,
        operations=frozenset(operations),
        onward=onward,
        origin_masking=origin_masking,
        persons_per_year=persons_per_year,
        keep_months=keep_months,
    )


def _purpose(code: str) -> str:
    if not purpose(code):
        raise ValueError(code)
    return code


def _organisation(value: object, place: str) -> OrganisationId:
    return OrganisationId(text(ORGANISATION_ID)(value, place))


def _imposer(value: object, place: str) -> OrganisationId:
    return OrganisationId(value) if value == BROKER else _organisation(value, place)


_word = text()
_words = many(_word, 1)
_organisations = many(_organisation, 1)
_field: Reader[FieldId] = one_of(lambda name: summary_model().fields[FieldId(name)].id)

_party = record(
    Party,
    {"org": _organisation},
    {
        "role": text("controller|joint_controller|processor"),
        "contact_function": _word,
        "dpo_contact": _word,
        "dpo_advice": maybe(
            record(
                DpoAdvice,
                {"date": day, "outcome": text("positive|positive_with_remarks|negative")},
                {"remarks": _word},
            )
        ),
        "signed_on": maybe(day),
        "published": maybe(record(Publication, {"on": day, "url": text(r"https://[!-~]+")})),
    },
)
_flows = many(
    record(
        _flow,
        {
            "from": _organisations,
            "to": _organisations,
            "purposes": many(one_of(_purpose), 1),
            "sections": many(one_of(Section), 1),
            "operations": many(one_of(Operation), 1),
            "onward": flag,
        },
        {
            "extra_fields": many(_field),
            "excluded_fields": many(_field),
            "precision_caps": mapping(_field, _word),
            "origin_masking": flag,
            "persons_per_year": count,
            "keep_months": count,
        },
    )
)
_agreement = record(
    Agreement,
    {"id": text("PR-[0-9]{4}-[0-9]{3}"), "state": one_of(AgreementState)},
    {
        "title": _word,
        "version": text("[0-9A-Za-z][0-9A-Za-z._-]{0,19}"),
        "parties": many(_party),
        "partnership": _word,
        "authority_advice": maybe(
            record(AuthorityAdvice, {"body": _word, "date": day}, {"reference": _word})
        ),
        "flows": _flows,
        "legal": record(
            Legal,
            {},
            {
                "basis_of_communication": _words,
                "basis_of_collection": _words,
                "deliberation_no": maybe(_word),
            },
        ),
        "volume": record(lambda persons_per_year: persons_per_year, {"persons_per_year": count}),
        "recipient_categories": _words,
        "third_party_onward": _word,
        "periodicity": text("on_event|daily|monthly|yearly"),
        "security_measures": _words,
        "quality_measures": _words,
        "sanctions": _word,
        "transparency": _word,
        "retention": _word,
        "valid_from": day,
        "valid_until": day,
        "review_on": day,
        "suspended": record(
            Suspension,
            {
                "on": day,
                "by": _imposer,
                "reason_code": text("|".join(SUSPENSION_REASONS)),
            },
            {"until_lifted": flag},
        ),
    },
)
