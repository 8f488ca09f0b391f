"""Grants are added together, a denial wins over all of them, and nothing means no."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from consent.content import Denial, Terms
from consent.standing import ConsentFacts, Now, Said, facts_from, matching
from policies.vocabulary import ClientId, ConsentId, ConsentState, FieldId, GrantId
from tests.consent.builders import HOLDER, NOON, asking, grant, library, micros, terms

TODAY = date(2026, 11, 2)
NOW = Now(micros(NOON), TODAY, {}, library(), {})
BASE = terms(grants=[grant(sections=[each]) for each in ("ident", "contact", "goals", "work")])
SECTIONS = ("ident", "contact", "goals", "work")

grants = st.lists(st.sampled_from(range(4)), max_size=6)
denials = st.lists(st.sampled_from((*SECTIONS, "all")), max_size=3)
records = st.lists(st.tuples(grants, denials, st.booleans()), max_size=4)


def said(number: int, given: list[int], denied: list[str], *, over: bool) -> Said:
    """One record with these grants and denials; its grants are all over, or all live."""
    chosen = tuple(
        replace(BASE.grants[each], id=GrantId(f"g{place}"), withdrawn=over)
        for place, each in enumerate(given)
    )
    no = tuple(Denial((each,), "any") for each in denied)
    content: Terms = replace(BASE, grants=chosen, denials=no)
    way = (ConsentId(f"c-{number}"), ClientId("c"), HOLDER, ConsentState.GIVEN)
    return Said(*way, suspended=False, given_at=0, renewed_at=micros(NOON), terms=content)


def facts(found: list[tuple[list[int], list[str], bool]]) -> ConsentFacts:
    all_said = [said(n, given, no, over=over) for n, (given, no, over) in enumerate(found)]
    return facts_from(matching(all_said, asking(), TODAY), asking(), NOW)


def let_go(of: ConsentFacts) -> frozenset[FieldId]:
    live = (each.fields for each in of.grants if each.ended is None)
    return frozenset[FieldId]().union(*live) - of.denied


@given(records)
def test_what_goes_is_the_union_of_live_grants_less_every_denial(
    found: list[tuple[list[int], list[str], bool]],
) -> None:
    granted = {SECTIONS[each] for given, _, over in found if not over for each in given}
    denied = {each for _, no, _ in found for each in no}

    gone = {field.partition(".")[0] for field in let_go(facts(found))}

    assert gone == (set() if "all" in denied else granted - denied)


@given(records, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_what_goes(
    found: list[tuple[list[int], list[str], bool]], chance: object
) -> None:
    turned = [(given[::-1] * 2, no[::-1] * 2, over) for given, no, over in found]
    chance.shuffle(turned)  # type: ignore[attr-defined]

    assert let_go(facts(turned)) == let_go(facts(found))


@given(records, records)
def test_more_grants_never_take_away_and_more_denials_never_give(
    found: list[tuple[list[int], list[str], bool]],
    more: list[tuple[list[int], list[str], bool]],
) -> None:
    only_grants = [(given, list[str](), over) for given, _, over in more]
    only_denials = [(list[int](), no, over) for _, no, over in more]

    assert let_go(facts(found)) <= let_go(facts(found + only_grants))
    assert let_go(facts(found)) >= let_go(facts(found + only_denials))


def test_without_any_grant_nothing_goes() -> None:
    assert let_go(facts([])) == let_go(facts([([], [], False)])) == frozenset()
