"""What another document would make of a release, and what it asks that no consent has given."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from policies.at_most import Levels
from policies.decision import Decision, Facts, FlowFacts, ReleaseRequest
from policies.gates import decide
from policies.vocabulary import FieldId, Reason
from policies.what_if import Change, Effect, Release, asks_renewal, compared, release_of
from tests.policies.situations import a_flow, a_grant, a_request, shipped_overlay, some_facts
from tests.policies.test_least_data import FACTS, FLOWS

BIRTH, NAME = FieldId("ident.birth_date"), FieldId("ident.given_name")
NOTHING: Levels = frozenset()


def decided(request: ReleaseRequest, facts: Facts) -> Decision:
    return decide(request, facts, shipped_overlay())


def released(facts: Facts) -> Release:
    return release_of(a_request(), facts, decided, facts.flows)


def test_what_a_document_takes_away_narrows_and_what_it_adds_waits_for_the_clients_word() -> None:
    grant = a_grant("ident", "educ")
    today = released(some_facts(grants=(grant,), flows=(a_flow("ident", "educ"),)))
    then = released(some_facts(grants=(grant,), flows=(a_flow("ident", "goals"),)))
    change = compared(today, then)

    assert set(change.effects) == {Effect.NARROWED, Effect.WIDENED}
    assert {each.partition(".")[0] for each in change.loses} == {"educ"}
    assert {each.partition(".")[0] for each in change.asks} == {"goals"}
    assert change.regains == frozenset()
    assert asks_renewal(change)


def test_what_leaves_nothing_breaks_and_says_why() -> None:
    change = compared(released(some_facts()), released(some_facts(flows=())))

    assert set(change.effects) == {Effect.BROKEN}
    assert change.reason is Reason.NO_ACTIVE_PROTOCOL
    assert change.agreement == a_flow().agreement
    assert not asks_renewal(change)


def test_what_the_client_had_agreed_to_comes_back_without_being_asked_for() -> None:
    suspended = some_facts(flows=())
    today = release_of(a_request(), suspended, decided, some_facts().flows)
    change = compared(today, released(some_facts()))

    assert set(change.effects) == {Effect.RESTORED}
    assert not asks_renewal(change)


def test_a_finer_level_is_asked_for_and_a_coarser_one_is_a_loss() -> None:
    year, day = frozenset({(BIRTH, "year")}), frozenset({(BIRTH, "day")})
    unknown = frozenset({(BIRTH, "century")})

    assert compared(Release(day, NOTHING), Release(year, NOTHING)).loses == {BIRTH}
    assert compared(Release(year, year), Release(year, day)).asks == {BIRTH}
    assert compared(Release(year, NOTHING), Release(unknown, NOTHING)).loses == {BIRTH}
    assert compared(Release(year, NOTHING), Release(year, NOTHING)) == Change()


def test_what_the_client_denied_is_not_asked_for() -> None:
    goals = a_flow("ident", "goals")
    denied = some_facts(flows=(goals,), denied=frozenset(goals.fields - {NAME}))

    assert {field for field, _ in released(denied).wanted} <= {NAME}


def test_a_notice_that_is_out_of_date_asks_for_renewal() -> None:
    assert asks_renewal(Change(frozenset({NAME}), reason=Reason.CONSENT_STALE_NOTICE))
    assert not asks_renewal(Change(frozenset({NAME})))


@given(FACTS, st.lists(FLOWS, max_size=2).map(tuple))
def test_the_effects_are_the_differences_and_nothing_is_both_given_and_asked(
    facts: Facts, flows: tuple[FlowFacts, ...]
) -> None:
    today, then = released(facts), released(replace(facts, flows=flows))
    change = compared(today, then)
    before, after = dict(today.levels), dict(then.levels)

    assert before.keys() - after.keys() <= change.loses
    assert after.keys() - before.keys() <= change.regains
    assert all(after.get(each) != dict(then.wanted)[each] for each in change.asks)
    assert (change.reason is not None) == bool(before and not after)
    assert compared(then, then) == Change(agreement=then.agreement)
