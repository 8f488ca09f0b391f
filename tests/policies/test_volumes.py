"""How full an agreement is: told at four fifths and at all of it, refused at half as much again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agreements import flows_between
from policies.gates import an_agreement_covers_it
from policies.vocabulary import AgreementId, OrganisationId, Reason
from policies.volumes import Room, is_full, reached, scopes
from tests.policies.situations import a_request, some_facts
from tests.policies.test_agreements import AGREEMENTS, TODAY

(FLOW,) = flows_between(
    AGREEMENTS,
    holder=OrganisationId("leerwinkel-wvl"),
    recipient=OrganisationId("vdab-wvl"),
    purpose="P2",
    on=TODAY,
)
YEAR, WHOLE, OF_P2 = 2026, "PR-2026-001/2026", "PR-2026-001/P2/2026"


@pytest.mark.parametrize(
    ("persons", "level"), [(79, None), (80, 80), (99, 80), (100, 100), (101, 100), (1000, 100)]
)
def test_somebody_is_told_at_four_fifths_and_at_all_of_what_was_agreed(
    persons: int, level: int | None
) -> None:
    assert reached(persons, 100) == level
    assert reached(persons, None) is None


@pytest.mark.parametrize(
    ("persons", "agreed", "refused_at", "full"),
    [
        (149, 100, 150, False),
        (150, 100, 150, True),
        (1, 1, 150, False),
        (2, 1, 150, True),
        (0, 0, 150, True),
        (100, 100, 100, True),
        (10**6, None, 150, False),
    ],
)
def test_it_is_full_at_so_many_per_cent_of_what_was_agreed(
    persons: int, agreed: int | None, refused_at: int, *, full: bool
) -> None:
    assert is_full(persons, agreed, refused_at) is full


def room(*, persons: dict[str, int], served: frozenset[str] = frozenset()) -> bool:
    flow = replace(FLOW, persons=10, persons_for_purpose=4)
    (left,) = Room(persons, served).of((flow,), "P2", YEAR)
    return not left.full


def test_a_person_counts_in_the_agreement_and_in_its_purpose() -> None:
    assert FLOW.persons == 80
    assert [scope for scope, _ in scopes(FLOW, "P2", YEAR)] == [WHOLE, OF_P2]
    assert room(persons={WHOLE: 14, OF_P2: 5})
    assert not room(persons={WHOLE: 15})
    assert not room(persons={WHOLE: 6, OF_P2: 6})
    assert room(persons={"PR-2026-001/2025": 99, "PR-2026-002/2026": 99})


def test_who_counts_already_is_never_one_too_many() -> None:
    served = frozenset({WHOLE, OF_P2})

    assert room(persons={WHOLE: 99, OF_P2: 99}, served=served)
    assert not room(persons={WHOLE: 99, OF_P2: 99}, served=frozenset({OF_P2}))


@given(st.lists(st.booleans(), min_size=1, max_size=3))
def test_of_several_agreements_one_with_room_is_enough(full: list[bool]) -> None:
    request, facts = a_request(), some_facts()
    one = facts.flows[0]
    flows = tuple(
        replace(one, agreement=AgreementId(f"PR-2026-{at:03}"), full=each)
        for at, each in enumerate(full)
    )

    reason = an_agreement_covers_it(request, replace(facts, flows=flows))

    assert reason is (Reason.USES_EXHAUSTED if all(full) else None)


def test_no_agreement_is_told_apart_from_a_full_one() -> None:
    request, facts = a_request(), some_facts()

    reason = an_agreement_covers_it(request, replace(facts, flows=()))
    assert reason is Reason.NO_ACTIVE_PROTOCOL
