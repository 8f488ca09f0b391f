"""How rules, grants and agreements combine, whatever they are: deny overrides, in any order."""

from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from policies.decision import Decision, Facts, FlowFacts, GrantFacts, ReleaseRequest
from policies.gates import Decider, decide
from policies.rule_space import Question
from policies.rule_texts import fingerprint_of
from policies.site_rules import SHIPPED, Overlay, load_overlay, only
from policies.vocabulary import AgreementId, OrganisationType, Reason, Section
from tests.policies.situations import a_flow, a_recipient, a_request, some_facts
from tests.policies.test_least_data import FACTS, FLOWS, GRANTS, REQUESTS

FEW = settings(max_examples=40, deadline=None, phases=(Phase.reuse, Phase.generate))
CONDITIONS = (
    "true",
    'context.purpose == "P2"',
    '["P1", "P3", "P5"].contains(context.purpose)',
    "!principal.insz_authorised",
    "context.real_number",
    '["S", "I"].contains(resource.class)',
    '[Recipient::"employer", Recipient::"funder"].contains(principal)',
    "9223372036854775807 + 1 == 0",
)
HEADS = st.tuples(
    st.one_of(st.none(), st.sampled_from(OrganisationType)),
    st.one_of(st.none(), st.sampled_from(Section)),
    st.sampled_from(CONDITIONS),
)
SETS = st.lists(HEADS, max_size=4).map(tuple)


def a_forbid(name: str, head: tuple[OrganisationType | None, Section | None, str]) -> str:
    kind, section, when = head
    principal = f'principal == Recipient::"{kind}"' if kind else "principal"
    resource = f'resource == Section::"{section}"' if section else "resource"
    scope = f'{principal}, action == Action::"release", {resource}'
    return f'@id("SITE_{name}") forbid ({scope}) when {{ {when} }};'


@cache
def with_rules(heads: tuple[Any, ...]) -> Overlay:
    """The hard rules, and one of the installation for each of these, each in its own file."""
    files = {f"r{at}.cedar": a_forbid(f"R{at}", head) for at, head in enumerate(heads)}
    return load_overlay(site=files)


def outcome(decision: Decision) -> tuple[Any, ...]:
    """What leaves, by which flow, how fine, and what stays behind; not the numbers of grants."""
    no = decision.reason is not None
    left = (decision.fields, decision.sections, decision.withheld, decision.filtered)
    return no, decision.told, *left, decision.precision, decision.flow, len(decision.rests_on)


@FEW
@given(SETS, REQUESTS, FACTS)
def test_whatever_one_rule_forbids_does_not_leave(
    heads: tuple[Any, ...], request: ReleaseRequest, facts: Facts
) -> None:
    overlay = with_rules(heads)

    decision = decide(request, facts, overlay)

    assert (decision.reason is None) == bool(decision.fields)
    for rule in overlay.rules:
        alone = only(overlay, [rule] if rule.origin else [])
        for section in decision.sections:
            asked = Question(
                facts.recipient, request.purpose, section, real_number=facts.real_number
            )
            assert alone.speaking(asked) == ((), (), True)


@FEW
@given(SETS, HEADS, REQUESTS, FACTS)
def test_one_rule_more_never_lets_more_leave(
    heads: tuple[Any, ...], one: Any, request: ReleaseRequest, facts: Facts
) -> None:
    before = decide(request, facts, with_rules(heads))

    after = decide(request, facts, with_rules((*heads, one)))

    assert after.fields <= before.fields
    assert after.reason is not None or after.flow == before.flow
    assert before.reason is None or after.reason is not None


def test_a_rule_of_the_installation_does_not_open_another_flow() -> None:
    wide = a_flow("educ", "work", agreement=AgreementId("PR-1"))
    narrow = a_flow("goals", agreement=AgreementId("PR-2"))
    facts = some_facts(flows=(wide, narrow))
    forbids = with_rules(((None, Section.EDUC, "true"), (None, Section.WORK, "true")))

    before, after = (decide(a_request(), facts, each) for each in (with_rules(()), forbids))

    assert before.sections == (Section.EDUC, Section.WORK)
    assert (after.sections, after.reason) == ((), Reason.SITE_RULE)


def test_a_rule_of_the_installation_does_not_free_what_the_scanner_stopped() -> None:
    facts = some_facts(quarantined=frozenset({Section.WORK}))

    decision = decide(a_request(), facts, with_rules(((None, Section.WORK, "true"),)))

    assert decision.reason is Reason.QUARANTINED


def test_what_a_hard_rule_forbids_stays_that_when_another_rule_errs() -> None:
    errs = with_rules(((None, None, CONDITIONS[-1]),))
    asked = a_recipient(type=OrganisationType.EMPLOYER), "P2"

    assert errs.forbids(*asked, "educ") == "HARD_RULE_H7"
    assert errs.forbids(*asked, "goals") == "GATE_FAILED"
    assert errs.failing(*asked) == ("SITE_R0",)


@FEW
@given(GRANTS, REQUESTS, FACTS)
def test_one_grant_more_never_lets_more_leave_than_was_agreed(
    one: GrantFacts, request: ReleaseRequest, facts: Facts
) -> None:
    agreed = frozenset[str]().union(*(each.fields for each in facts.flows))

    after = decide(request, replace(facts, grants=(*facts.grants, one)), with_rules(()))

    assert after.fields <= agreed
    assert after.flow is None or after.fields <= after.flow.fields


@FEW
@given(SETS, REQUESTS, FACTS, st.lists(FLOWS, max_size=3), st.randoms(use_true_random=False))
def test_in_whatever_order_the_inputs_come_the_decision_is_the_same(
    heads: tuple[Any, ...],
    request: ReleaseRequest,
    facts: Facts,
    more: list[FlowFacts],
    random: Random,
) -> None:
    twins = [replace(each, onward=not each.onward) for each in facts.flows]
    facts = replace(facts, flows=(*facts.flows, *more, *twins))
    mixed = replace(
        facts, flows=shuffled(facts.flows, random), grants=shuffled(facts.grants, random)
    )
    rules = shuffled(heads, random)

    one, other = (
        decide(request, facts, with_rules(heads)),
        decide(request, mixed, with_rules(rules)),
    )

    assert outcome(one) == outcome(other)


@FEW
@given(SETS, st.lists(st.tuples(REQUESTS, FACTS), min_size=2, max_size=4))
def test_what_is_remembered_is_what_would_be_decided_anew(
    heads: tuple[Any, ...], asked: list[tuple[ReleaseRequest, Facts]]
) -> None:
    decider = Decider(with_rules(()), size=3)
    for request, facts in asked:
        decider.decide(request, facts)
    decider.take(with_rules(heads))

    for request, facts in asked * 2:
        assert decider.decide(request, facts) == decide(request, facts, with_rules(heads))


@FEW
@given(SETS, REQUESTS, FACTS)
def test_rules_about_others_that_are_not_asked_would_have_said_nothing(
    heads: tuple[Any, ...], request: ReleaseRequest, facts: Facts
) -> None:
    part = with_rules(heads)
    text = "\n".join(each.text for each in part.rules)
    whole = Overlay(text, (SHIPPED / "schema.cedarschema").read_text(), part.ids)

    for real in (False, True):
        asked = (facts.recipient, request.purpose)
        assert part.forbidden(*asked, real_number=real) == whole.forbidden(*asked, real_number=real)


def test_in_whatever_order_files_are_read_the_rules_are_the_same() -> None:
    files = {
        f"{name}.cedar": a_forbid(name.upper(), (None, Section.DOCS, "true")) for name in "cab"
    }
    mixed = dict(sorted(files.items()))

    one, other = load_overlay(site=files), load_overlay(site=mixed)

    assert list(files) != list(mixed)
    assert (one.fingerprint, one.ids, one.site) == (other.fingerprint, other.ids, other.site)
    assert one.site == fingerprint_of(files)


def shuffled(items: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    return tuple(random.sample(items, len(items)))
