"""Sums held against an agreement: the smallest sufficient set, and no number about a few."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agreements import Agreement
from policies.proportionality import LEAST_RELEASES, LEAST_SHOWN, Needless, Times, Use, shown, uses
from policies.vocabulary import FieldId
from tests.policies.test_odrl import agreement

WAY = ("vdab-gent", "P2")
ALWAYS = Times(100, 100, 100)
FLOW: dict[str, Any] = {
    "from": ["destap-ww"],
    "to": ["vdab-gent"],
    "purposes": ["P2"],
    "sections": ["goals"],
    "operations": ["view"],
    "onward": False,
}


def one_flow(**changes: Any) -> Agreement:
    return agreement("PR-2026-004", flows=[FLOW | changes])


WHOLE = one_flow()
AGREED: list[str] = sorted(WHOLE.flows[0].fields)


def used(changed: Mapping[str, Times] = MappingProxyType({}), *, releases: int = 100) -> Use:
    fields: dict[str, Times] = dict.fromkeys(AGREED, ALWAYS)
    fields.update(changed)
    (found,) = uses(WHOLE, {WAY: releases}, {WAY: fields})
    return found


def test_a_set_of_which_all_is_needed_stays_as_it_is() -> None:
    found = used()

    assert found.sufficient == tuple(AGREED)
    assert found.take_out == ()


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (Times(0, 0, 0), Needless.NEVER_ASKED),
        (Times(100, 0, 0), Needless.ALWAYS_WITHHELD),
        (Times(100, 100, 0), Needless.NEVER_OPENED),
    ],
)
def test_what_nobody_needed_is_suggested_to_be_taken_out_and_why(
    times: Times, why: Needless
) -> None:
    name = AGREED[0]

    found = used({name: times})

    assert found.take_out == ((name, why),)
    assert found.sufficient == tuple(AGREED[1:])


def test_a_single_use_keeps_a_field_in_the_agreement() -> None:
    assert used({AGREED[0]: Times(100, 1, 1)}).take_out == ()


def test_of_few_releases_nothing_is_concluded() -> None:
    needless = {AGREED[0]: Times(0, 0, 0)}
    before = used(needless, releases=LEAST_RELEASES - 1)
    after = used(needless, releases=LEAST_RELEASES)

    assert (before.sufficient, before.take_out) == ((), ())
    assert after.sufficient
    assert after.take_out


def test_of_fewer_than_five_releases_no_field_is_told() -> None:
    found = used({AGREED[0]: Times(4, 0, 0)}, releases=LEAST_SHOWN - 1)

    assert (found.releases, found.fields) == (None, ())


def test_a_purpose_that_nothing_was_released_for_is_unused() -> None:
    (found,) = uses(WHOLE, {}, {})

    assert found.unused


def test_a_field_beyond_the_agreement_that_was_asked_for_is_told_as_such() -> None:
    found = used({"justice.detained": Times(50, 0, 0)})

    (beyond,) = [each for each in found.fields if not each.agreed]
    assert (beyond.field, beyond.asked, beyond.released) == ("justice.detained", 50, 0)
    assert found.sufficient == tuple(AGREED)


def test_only_who_can_receive_something_is_told_of() -> None:
    both = ["destap-ww", "vdab-gent"]
    among = one_flow(**{"from": both, "to": both})
    to_itself = one_flow(**{"from": ["destap-ww"], "to": ["destap-ww"]})
    sums = one_flow(purposes=["P7"])

    assert {each.recipient for each in uses(among, {}, {})} == set(both)
    assert uses(to_itself, {}, {}) == ()
    assert uses(sums, {}, {}) == ()


def test_two_flows_to_one_recipient_are_one_use() -> None:
    two = agreement("PR-2026-004", flows=[FLOW, FLOW | {"sections": ["work"]}])

    (found,) = uses(two, {WAY: 100}, {WAY: {}})

    assert {FieldId(name).partition(".")[0] for name, _ in found.take_out} == {"goals", "work"}


@given(st.integers(min_value=0, max_value=10_000))
def test_no_number_that_is_shown_is_about_few_or_exact(times: int) -> None:
    told = shown(times)

    assert (told == 0) is (times == 0)
    assert (told is None) is (0 < times < LEAST_SHOWN)
    assert told is None or (told % LEAST_SHOWN == 0 and abs(told - times) * 2 < LEAST_SHOWN)
