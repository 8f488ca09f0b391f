"""I3: what leaves was granted, agreed and of use, and is neither denied nor forbidden.

The expectation is written down a second time here, field by field and without the code that
makes the decision.
"""

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from policies.decision import Facts, FlowFacts, GrantFacts, RecipientFacts, ReleaseRequest
from policies.gates import decide
from policies.purposes import purpose_list
from policies.summary_model import summary_model
from policies.vocabulary import (
    AgreementId,
    FieldId,
    Operation,
    OrganisationId,
    OrganisationType,
    Reason,
    Section,
)
from tests.policies.situations import shipped_overlay

FIELDS = sorted(summary_model().fields)
CODES = [*("P1", "P2", "P3", "P4", "P5") * 3, *purpose_list().purposes, "P90", "P95", "P11"]


def drawn(mask: int) -> frozenset[Section]:
    return frozenset(each for at, each in enumerate(Section) if mask >> at & 1)


def fields_drawn(sections: frozenset[Section], mask: int) -> frozenset[FieldId]:
    """The fields of the sections, but for about every fourth."""
    inside = [each for each in FIELDS if each.split(".")[0] in sections]
    return frozenset(each for at, each in enumerate(inside) if mask >> (at % 23) & 1)


MASK = st.binary(min_size=3, max_size=3).map(lambda some: int.from_bytes(some, "big"))
ANY = MASK.map(drawn)
FEW = st.builds(lambda a, b, c: drawn(a & b & c), MASK, MASK, MASK)
MANY = st.builds(lambda a, b: drawn(a | b), MASK, MASK)
FIELDS_OF_ANY = st.builds(lambda some, a, b: fields_drawn(some, a | b), ANY, MASK, MASK)
FIELDS_OF_MANY = st.builds(lambda some, a, b: fields_drawn(some, a | b), MANY, MASK, MASK)
FIELDS_OF_FEW = st.builds(lambda some, a, b: fields_drawn(some, a | b), FEW, MASK, MASK)
OPERATIONS = st.sampled_from(
    [Operation.VIEW, Operation.VIEW, Operation.DOWNLOAD, Operation.MATCH]
).map(lambda each: frozenset({each}))
GRANTS = st.builds(
    GrantFacts,
    fields=FIELDS_OF_ANY,
    named=st.builds(lambda some, fields: frozenset({*some, *fields}), ANY, FIELDS_OF_FEW),
    precision=st.just(()),
    operations=OPERATIONS,
    ended=st.sampled_from([*[None] * 5, Reason.CONSENT_WITHDRAWN]),
    secrecy_release=st.booleans(),
)
FLOWS = st.builds(
    FlowFacts,
    agreement=st.sampled_from([AgreementId("PR-2026-001"), AgreementId("PR-2026-002")]),
    fields=FIELDS_OF_MANY,
    caps=st.just(()),
    operations=OPERATIONS,
    onward=st.booleans(),
    origin_masking=st.booleans(),
)
RECIPIENTS = st.builds(
    RecipientFacts,
    type=st.sampled_from(OrganisationType),
    accredited=st.sampled_from([*[True] * 9, False]),
    in_eea=st.sampled_from([*[True] * 9, False]),
    insz_authorised=st.booleans(),
    secrecy=st.booleans(),
    hard_denies=FEW,
    only_sections=st.one_of(st.none(), st.none(), MANY),
)
NONE = st.just(frozenset[Section]())
# No shrinking: it takes minutes here, and the facts that fail can be read as they are.
QUICKLY = settings(max_examples=200, deadline=None, phases=(Phase.reuse, Phase.generate))
YES, NO = st.sampled_from([True]), st.sampled_from([False])
FACTS = st.builds(
    Facts,
    recipient=RECIPIENTS,
    holder_secrecy=st.sampled_from([False, False, True]),
    known=YES,
    blocked=NO,
    care_relation=YES,
    any_agreement=YES,
    flows=st.lists(FLOWS, min_size=1, max_size=3).map(tuple),
    grants=st.lists(GRANTS, min_size=1, max_size=3).map(tuple),
    denied=FIELDS_OF_FEW,
    refused=st.booleans(),
    quarantined=st.one_of(NONE, NONE, NONE, FEW),
    real_number=st.booleans(),
)
REQUESTS = st.builds(
    ReleaseRequest,
    recipient=st.just(OrganisationId("some-organisation")),
    purpose=st.sampled_from(CODES),
    sections=st.one_of(st.none(), st.none(), MANY.map(lambda some: some - {Section.NATID}), ANY),
)


def may_leave(field: FieldId, request: ReleaseRequest, facts: Facts) -> bool:
    """Whether one field has a grant, a use and a flow for it, and nothing against it."""
    section = Section(field.split(".")[0])
    allowing = {Operation.VIEW, Operation.DOWNLOAD}
    use = purpose_list().purposes[request.purpose]
    freely = {field, section} & set(use.default)
    when_named = bool({field, section} & set(use.optional))
    return (
        (request.sections is None or section in request.sections)
        and any(
            field in grant.fields
            and grant.ended is None
            and allowing & grant.operations
            and (grant.secrecy_release or facts.recipient.secrecy or not facts.holder_secrecy)
            and (freely or (when_named and {field, section} & grant.named))
            for grant in facts.grants
        )
        and any(field in flow.fields and allowing & flow.operations for flow in facts.flows)
        and field not in facts.denied
        and not forbidden(section, facts)
    )


def forbidden(section: Section, facts: Facts) -> bool:
    recipient = facts.recipient
    kind = recipient.type
    return (
        not recipient.accredited
        or not recipient.in_eea
        or (section == "justice" and kind == "public_employment_service")
        or (section == "natid" and (facts.real_number or not recipient.insz_authorised))
        or (section != "goals" and kind in {"employer", "volunteer_organisation"})
        or section in recipient.hard_denies
        or (recipient.only_sections is not None and section not in recipient.only_sections)
        or section in facts.quarantined
    )


@QUICKLY
@given(REQUESTS, FACTS)
def test_what_leaves_was_granted_agreed_and_of_use(request: ReleaseRequest, facts: Facts) -> None:
    decision = decide(request, facts, shipped_overlay())

    if decision.reason:
        assert decision.fields == frozenset()
    else:
        assert decision.fields
        assert decision.flow in facts.flows
        assert decision.fields <= decision.flow.fields
        assert all(may_leave(each, request, facts) for each in decision.fields)
        assert {each.split(".")[0] for each in decision.fields} == set(decision.sections)
        assert all(facts.grants[at].ended is None for at in decision.rests_on)


@QUICKLY
@given(REQUESTS, FACTS)
def test_what_may_leave_by_one_flow_is_not_kept_back(request: ReleaseRequest, facts: Facts) -> None:
    assume(request.purpose in purpose_list().purposes and not facts.quarantined)
    number_asked = request.sections is not None and Section.NATID in request.sections
    assume(facts.recipient.insz_authorised or not number_asked)
    best = max(
        (
            sum(may_leave(each, request, facts) for each in flow.fields)
            for flow in facts.flows
            if flow.operations & {Operation.VIEW, Operation.DOWNLOAD}
        ),
        default=0,
    )

    assert len(decide(request, facts, shipped_overlay()).fields) == best


@QUICKLY
@given(REQUESTS, FACTS)
def test_with_nothing_granted_nothing_leaves(request: ReleaseRequest, facts: Facts) -> None:
    without = Facts(
        **{name: getattr(facts, name) for name in Facts.__slots__ if name != "grants"}, grants=()
    )

    decision = decide(request, without, shipped_overlay())

    assert decision.reason is not None
    assert decision.fields == frozenset()
