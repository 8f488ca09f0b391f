"""Whatever happens to a consent, in whatever state: each of the 264 pairs has its answer."""

from itertools import product

from consent.lifecycle import Happening, Stands, after, dpv_state, releases, transition
from policies.vocabulary import ConsentState, Reason

STANDING = {"given", "narrowed", "renewed"}
FROM_STANDING = {"narrowed", "renewed", "withdrawn", "expired", "invalidated", "revoked"}
TABLE = {
    "requested": {"given", "refused", "deferred", "narrowed", "expired"},
    "deferred": {"requested", "given", "refused", "expired"},
    **dict.fromkeys(STANDING, FROM_STANDING),
    "refused": {"requested"},
    "withdrawn": {"requested"},
    "expired": {"requested", "renewed"},
    "invalidated": {"requested"},
    "revoked_by_other": {"requested"},
    "unknown": {"requested"},
}
"""From each state, what may happen to it: the closed list of the domain."""
HOLDS = {"suspended": True, "resumed": False}


def reached(state: str, *, held: bool, what: str) -> tuple[str, bool] | None:
    """The state and hold that the table gives; nothing for what does not exist."""
    if what in HOLDS:
        return (state, HOLDS[what]) if state in STANDING else None
    if what not in TABLE[state]:
        return None
    to = "revoked_by_other" if what == "revoked" else what
    return to, held and to == "narrowed"


def test_everything_that_happens_in_every_state_has_the_answer_of_the_table() -> None:
    cases = list(product(ConsentState, (False, True), Happening))
    assert len(cases) == 11 * 2 * 12
    for state, held, what in cases:
        answer = after(Stands(state, held), what)
        expected = reached(state.value, held=held, what=what.value)

        if expected is None:
            assert isinstance(answer, Reason), (state, held, what)
        else:
            assert answer == Stands(ConsentState(expected[0]), expected[1]), (state, held, what)


def test_whatever_happens_nothing_that_gave_nothing_gives_without_a_yes() -> None:
    yes = {Happening.GIVEN, Happening.RENEWED, Happening.RESUMED}
    for state, held, what in product(ConsentState, (False, True), Happening):
        before, answer = Stands(state, held), after(Stands(state, held), what)
        if isinstance(answer, Stands) and _gives(answer) and not _gives(before):
            # Who agrees to a part of what was asked says yes as well.
            assert what in yes or (state, what) == ("requested", "narrowed")


def _gives(stands: Stands) -> bool:
    return releases(stands.state) and not stands.suspended


def test_a_hold_changes_no_state_and_done_twice_is_done_once() -> None:
    for state, what in product(STANDING, (Happening.SUSPENDED, Happening.RESUMED)):
        once = after(Stands(ConsentState(state)), what)

        assert isinstance(once, Stands)
        assert once.state == state
        assert after(once, what) == once


def test_what_has_ended_is_held_no_longer_and_a_renewal_ends_a_hold() -> None:
    held = Stands(ConsentState.GIVEN, suspended=True)

    for what in ("withdrawn", "expired", "invalidated", "revoked", "renewed"):
        answer = after(held, Happening(what))
        assert isinstance(answer, Stands)
        assert not answer.suspended
    assert after(held, Happening.NARROWED) == Stands(ConsentState.NARROWED, suspended=True)


def test_why_not_says_how_it_stands_for_whatever_was_tried() -> None:
    for state, what in product(ConsentState, Happening):
        answer = after(Stands(state), what)
        if isinstance(answer, Reason):
            assert answer == transition(state, ConsentState.UNKNOWN)


def test_each_state_has_its_one_term_of_dpv() -> None:
    assert {state.value: dpv_state(state) for state in ConsentState} == {
        "requested": "dpv:ConsentRequested",
        "deferred": "dpv:ConsentRequestDeferred",
        "given": "dpv:ConsentGiven",
        "renewed": "dpv:RenewedConsentGiven",
        "narrowed": "dpv:ConsentGiven",
        "refused": "dpv:ConsentRefused",
        "withdrawn": "dpv:ConsentWithdrawn",
        "expired": "dpv:ConsentExpired",
        "invalidated": "dpv:ConsentInvalidated",
        "revoked_by_other": "dpv:ConsentRevoked",
        "unknown": "dpv:ConsentUnknown",
    }
