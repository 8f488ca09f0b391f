"""What an agreement says that cannot be: such a document is refused as a whole, with the place.

What is missing is another matter (`agreements.incomplete`): an agreement grows. What is here would
never become right by adding to it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.agreement_document import Agreement, Flow
from policies.legal_references import legal_references, place_of
from policies.organisations import Organisation, Secrecy
from policies.purposes import profile, purpose
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, Operation, OrganisationId, Section

Known = Mapping[OrganisationId, Organisation]

_FREES_FROM_SECRECY = frozenset(
    {"be-secrecy", "be-secrecy-shared", "be-secrecy-case-meeting", "vl-detainees-exchange"}
)
"""Grounds on which somebody bound by professional secrecy may share at all."""

_BY_DELIBERATION = frozenset({"be-ksz-deliberation", "be-isc-deliberation"})
_ORIGIN = FieldId("refer.from")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where the document contradicts itself, by which rule (a key), and how."""

    place: str
    source: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} ({self.source}: {place_of(self.source)})"


def contradictions(agreement: Agreement, known: Known) -> tuple[Contradiction, ...]:
    """Everything in the document that contradicts the rest of it, its purposes or the directory.

    `known` are the organisations of the directory; of one that is not there, only the document
    itself is judged. Nothing when all of it fits.
    """
    return (
        *_of_the_days(agreement),
        *_of_the_grounds(agreement, known),
        *(
            Contradiction(f"flows[{index}]{place}", source, problem)
            for index, flow in enumerate(agreement.flows)
            for rule in _OF_A_FLOW
            for place, source, problem in rule(flow, agreement, known)
        ),
    )


Found = Iterator[tuple[str, str, str]]


def _reaches_somebody(flow: Flow, _agreement: Agreement, _known: Known) -> Found:
    if not any(giver != taker for giver in flow.from_ for taker in flow.to):
        yield "", "vl-egov-protocol", "runs from an organisation to itself alone"


def _has_fields_of_use(flow: Flow, _agreement: Agreement, _known: Known) -> Found:
    """Numbers alone need no field of a purpose (P7): what is counted never leaves."""
    if not flow.fields:
        yield "", "gdpr-minimise", "nothing is left after what it excludes"
    uses = [purpose(code) for code in flow.purposes]
    if any(use is not None and use.aggregate_only for use in uses):
        return
    useful = frozenset[FieldId]().union(*map(profile, flow.purposes))
    for section in Section:
        named = flow.fields & fields_of(section)
        if named and not named & useful:
            codes = ", ".join(flow.purposes)
            yield ".sections", "gdpr-minimise", f"{section} is of no use for {codes}"


def _each_purpose_has_a_recipient(flow: Flow, agreement: Agreement, known: Known) -> Found:
    """Somebody of a kind that the purpose is for, or who gave for it and hears what came of it."""
    takers = [known[each] for each in flow.to if each in known]
    if len(takers) < len(flow.to):
        return
    for code in flow.purposes:
        use = purpose(code)
        accepted = use is not None and any(
            use.accepts(each.type, in_partnership=bool(agreement.partnership)) for each in takers
        )
        if not accepted and not any(_gave_for(code, each, flow, agreement) for each in flow.to):
            yield ".purposes", "gdpr-purpose", f"nobody in `to` may get anything for {code}"


def _gave_for(code: str, taker: OrganisationId, flow: Flow, agreement: Agreement) -> bool:
    return any(
        code in other.purposes and taker in other.from_ and set(other.to) & set(flow.from_)
        for other in agreement.flows
        if other is not flow
    )


def _is_let_through(flow: Flow, _agreement: Agreement, known: Known) -> Found:
    """A section that the directory keeps from every recipient never leaves (the hard rules)."""
    takers = [known[each] for each in flow.to if each in known]
    if len(takers) < len(flow.to):
        return
    for section in Section:
        if flow.fields & fields_of(section) and all(_denied(section, each) for each in takers):
            yield ".sections", "gdpr-minimise", f"no recipient may ever get {section}"


def _denied(section: Section, taker: Organisation) -> bool:
    only = taker.only_sections
    return section in taker.hard_denies or (only is not None and section not in only)


def _onward_is_meant(flow: Flow, agreement: Agreement, _known: Known) -> Found:
    if flow.onward != (Operation.ONWARD in flow.operations):
        yield ".onward", "gdpr-purpose", "`onward` and `operations` say the opposite"
    if flow.onward and not (agreement.third_party_onward and agreement.recipient_categories):
        yield ".onward", "vl-egov-protocol", "it may go onward, and to whom is not said"


def _origin_is_masked(flow: Flow, _agreement: Agreement, _known: Known) -> Found:
    capped = dict(flow.precision_caps).get(_ORIGIN)
    if flow.origin_masking and _ORIGIN in flow.fields and capped != "masked":
        told = f"the sender is masked, and {_ORIGIN} tells it"
        yield ".precision_caps", "gdpr-minimise", told


_OF_A_FLOW: tuple[Callable[[Flow, Agreement, Known], Found], ...] = (
    _reaches_somebody,
    _has_fields_of_use,
    _each_purpose_has_a_recipient,
    _is_let_through,
    _onward_is_meant,
    _origin_is_masked,
)


def _of_the_grounds(agreement: Agreement, known: Known) -> Iterable[Contradiction]:
    legal = agreement.legal
    named = {
        "legal.basis_of_communication": legal.basis_of_communication,
        "legal.basis_of_collection": legal.basis_of_collection,
    }
    keys = {key for each in named.values() for key in each}
    for place, each in named.items():
        for index, key in enumerate(each):
            if key not in legal_references():
                told = f"{key} is no key of the legal register"
                yield Contradiction(f"{place}[{index}]", "vl-egov-protocol", told)
    for key in sorted(keys & _BY_DELIBERATION):
        if not legal.deliberation_no:
            told = f"it rests on {key} and names no deliberation"
            yield Contradiction("legal.deliberation_no", key, told)
    bound = sorted(
        {each for flow in agreement.flows for each in flow.from_ if _keeps_secrets(known.get(each))}
    )
    if bound and keys and not keys & _FREES_FROM_SECRECY:
        told = f"{', '.join(bound)} is bound by professional secrecy, and no ground frees it"
        yield Contradiction("legal.basis_of_communication", "be-secrecy", told)


def _keeps_secrets(holder: Organisation | None) -> bool:
    return holder is not None and holder.secrecy_regime is Secrecy.PROFESSIONAL


def _of_the_days(agreement: Agreement) -> Iterable[Contradiction]:
    first, last, review = agreement.valid_from, agreement.valid_until, agreement.review_on
    if review and ((first and review < first) or (last and review > last)):
        told = "the review is not on a day on which it is valid"
        yield Contradiction("review_on", "gdpr-accountability", told)
    for index, party in enumerate(agreement.parties):
        advice, signed, shown = party.dpo_advice, party.signed_on, party.published
        if advice and signed and signed < advice.date:
            told = f"{party.org} signed before its officer gave advice"
            yield Contradiction(f"parties[{index}].signed_on", "gdpr-dpo", told)
        if signed and shown and shown.on < signed:
            told = f"{party.org} published it before it signed"
            yield Contradiction(f"parties[{index}].published.on", "vl-egov-protocol", told)
