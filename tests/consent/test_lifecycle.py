import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.lifecycle import TRANSITIONS, releases, transition
from policies.vocabulary import ConsentState, Reason

ENDED = (
    ConsentState.REFUSED,
    ConsentState.WITHDRAWN,
    ConsentState.INVALIDATED,
    ConsentState.REVOKED_BY_OTHER,
    ConsentState.UNKNOWN,
)
states = st.sampled_from(ConsentState)


@given(states, states)
def test_every_pair_of_states_has_an_answer(state: ConsentState, to: ConsentState) -> None:
    answer = transition(state, to)

    assert (answer is None) == (to in TRANSITIONS[state])
    assert answer is None or answer in Reason


@given(states, states)
def test_what_releases_nothing_only_comes_to_release_by_asking_anew(
    state: ConsentState, to: ConsentState
) -> None:
    if transition(state, to) is None and releases(to) and not releases(state):
        assert state in (ConsentState.REQUESTED, ConsentState.DEFERRED, ConsentState.EXPIRED)


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_can_only_be_asked_again(state: ConsentState) -> None:
    possible = [to for to in ConsentState if transition(state, to) is None]

    assert possible == [ConsentState.REQUESTED]


@pytest.mark.parametrize(
    ("state", "to", "answer"),
    [
        ("given", "withdrawn", None),
        ("narrowed", "narrowed", None),
        ("renewed", "renewed", None),
        ("expired", "renewed", None),
        ("deferred", "given", None),
        ("requested", "narrowed", None),
        ("withdrawn", "withdrawn", Reason.ALREADY_WITHDRAWN),
        ("revoked_by_other", "withdrawn", Reason.ALREADY_WITHDRAWN),
        ("withdrawn", "renewed", Reason.ALREADY_WITHDRAWN),
        ("refused", "renewed", Reason.CONSENT_REFUSED),
        ("expired", "withdrawn", Reason.CONSENT_EXPIRED),
        ("invalidated", "withdrawn", Reason.NO_CONSENT),
        ("requested", "withdrawn", Reason.NO_CONSENT),
        ("given", "given", Reason.CONTENT_REFUSED),
        ("renewed", "given", Reason.CONTENT_REFUSED),
        ("narrowed", "requested", Reason.CONTENT_REFUSED),
    ],
)
def test_a_change_that_does_not_exist_says_what_stands_in_the_way(
    state: str, to: str, answer: Reason | None
) -> None:
    assert transition(ConsentState(state), ConsentState(to)) == answer


def test_three_states_release_and_no_other() -> None:
    assert [state for state in ConsentState if releases(state)] == [
        ConsentState.GIVEN,
        ConsentState.RENEWED,
        ConsentState.NARROWED,
    ]
