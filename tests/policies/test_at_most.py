"""Nothing that changes later lets a consent give more, or finer, than it could when given."""

from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from policies.at_most import Levels, at_most, read_levels
from policies.decision import (
    Decision,
    Facts,
    FlowFacts,
    GrantFacts,
    Precision,
    RecipientFacts,
    ReleaseRequest,
)
from policies.gates import decide
from policies.summary_model import summary_model
from policies.vocabulary import FieldId, Operation, OrganisationId, Reason, Section
from tests.policies import editions
from tests.policies.situations import (
    a_flow,
    a_grant,
    a_recipient,
    a_request,
    shipped_overlay,
    some_facts,
)
from tests.policies.test_least_data import FACTS, FLOWS, GRANTS, MASK, RECIPIENTS

REDUCIBLE = sorted(each.id for each in summary_model().fields.values() if len(each.precision) > 1)
BIRTH = FieldId("ident.birth_date")


def levels_drawn(mask: int) -> Precision:
    """A level for about every second field that has several, by the bits of the mask."""
    fields = summary_model().fields
    return tuple(
        (field, fields[field].precision[(mask >> at % 11) % len(fields[field].precision)])
        for at, field in enumerate(REDUCIBLE)
        if mask >> (at % 23) & 1
    )


LEVELS = MASK.map(levels_drawn)
CAPPED = st.builds(lambda flow, caps: replace(flow, caps=caps), FLOWS, LEVELS)
PRECISE = st.builds(lambda grant, levels: replace(grant, precision=levels), GRANTS, LEVELS)
THEN = st.builds(
    lambda facts, grants, flows: replace(facts, grants=grants, flows=flows),
    FACTS,
    st.lists(PRECISE, min_size=1, max_size=2).map(tuple),
    st.lists(CAPPED, max_size=2).map(tuple),
)
LATER = st.lists(FLOWS, min_size=1, max_size=2).map(tuple)
PURPOSES = st.sampled_from(["P1", "P2", "P3", "P4", "P5"])


def decided(request: ReleaseRequest, facts: Facts) -> Decision:
    return decide(request, facts, shipped_overlay())


def asked_for(purpose: str) -> ReleaseRequest:
    return ReleaseRequest(OrganisationId("some-organisation"), purpose)


def bounds_of(purpose: str, facts: Facts) -> list[Levels]:
    request = asked_for(purpose)
    return [at_most(request, facts, each, decided) for each in facts.grants]


def bound(grant: GrantFacts, levels: Levels) -> GrantFacts:
    """The grant as a later decision is told of it."""
    fields, precision = read_levels(levels)
    return replace(grant, fields=fields, precision=precision, ended=None)


@settings(max_examples=150, deadline=None, phases=(Phase.generate,))
@given(PURPOSES, THEN, LATER, RECIPIENTS)
def test_no_later_model_profile_agreement_or_rule_widens_what_was_agreed_to(
    purpose: str, then: Facts, flows: tuple[FlowFacts, ...], recipient: RecipientFacts
) -> None:
    bounds = bounds_of(purpose, then)

    with editions.in_force(editions.widest):
        grants = tuple(map(bound, then.grants, bounds))
        now = replace(
            then, grants=grants, flows=flows, recipient=recipient, denied=frozenset[FieldId]()
        )
        decision = decided(asked_for(purpose), now)

        assert decision.fields <= {field for levels in bounds for field, _ in levels}
        for field, level in decision.precision:
            scale = summary_model().fields[field].precision
            shown = [dict(each)[field] for each in bounds if field in dict(each)]
            assert scale.index(level) >= min(map(scale.index, shown))


def test_the_widest_edition_would_widen_a_grant_that_was_not_bound() -> None:
    facts = some_facts(grants=(a_grant("ident", "educ"),), flows=(a_flow("educ"),))
    (levels,) = bounds_of("P2", facts)

    with editions.in_force(editions.widest):
        wider = replace(facts, flows=(a_flow(),))
        free = decided(asked_for("P2"), wider)
        held = decided(asked_for("P2"), replace(wider, grants=(bound(facts.grants[0], levels),)))

    assert BIRTH in free.fields
    assert dict(free.precision)[BIRTH] == "day"
    assert held.fields == {field for field, _ in levels}
    assert {field.split(".")[0] for field in held.fields} == {"educ"}


def test_a_cap_that_is_lifted_later_makes_nothing_finer() -> None:
    capped = some_facts(flows=(a_flow(caps=((BIRTH, "year"),)),))
    (levels,) = bounds_of("P2", capped)

    later = decided(
        a_request(), some_facts(grants=(bound(capped.grants[0], levels),), flows=(a_flow(),))
    )

    assert dict(levels)[BIRTH] == "year"
    assert dict(later.precision)[BIRTH] == "year"


def test_a_cap_that_comes_later_still_makes_it_coarser() -> None:
    facts = some_facts(grants=(a_grant(precision=((BIRTH, "day"),)),))
    (levels,) = bounds_of("P2", facts)

    later = decided(
        a_request(),
        some_facts(
            grants=(bound(facts.grants[0], levels),), flows=(a_flow(caps=((BIRTH, "age_band"),)),)
        ),
    )

    assert dict(levels)[BIRTH] == "day"
    assert dict(later.precision)[BIRTH] == "age_band"


def test_each_flow_may_let_leave_its_own_at_its_own_precision() -> None:
    flows = (
        a_flow("ident", "goals", caps=((BIRTH, "year"),)),
        a_flow("ident", "work"),
    )
    grants = (a_grant(precision=((BIRTH, "day"),)),)
    (levels,) = bounds_of("P2", some_facts(flows=flows, grants=grants))

    assert {field.split(".")[0] for field, _ in levels} == {"ident", "goals", "work"}
    assert dict(levels)[BIRTH] == "day"


def test_what_is_only_so_today_binds_nobody_tomorrow() -> None:
    today = some_facts(
        grants=(a_grant(ended=Reason.CONSENT_EXPIRED),),
        blocked=True,
        care_relation=False,
        quarantined=frozenset({Section.GOALS}),
    )

    assert bounds_of("P2", today) == bounds_of("P2", some_facts())


def test_without_agreement_accreditation_or_operation_nothing_ever_leaves() -> None:
    nothing: Levels = frozenset()
    for facts in (
        some_facts(flows=()),
        some_facts(recipient=a_recipient(accredited=False)),
        some_facts(grants=(a_grant(operations=frozenset({Operation.NOTIFY})),)),
    ):
        assert bounds_of("P2", facts) == [nothing]


def test_a_denial_is_no_bound_for_it_holds_by_itself() -> None:
    (levels,) = bounds_of("P2", some_facts(denied=frozenset({BIRTH})))

    assert [levels] == bounds_of("P2", some_facts())
