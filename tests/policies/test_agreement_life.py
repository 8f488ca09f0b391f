"""How a framework agreement may change: every act in every state has its answer."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.samples import directory_documents
from policies.agreement_document import AgreementState, Suspension
from policies.agreement_life import (
    THE_BROKER,
    Act,
    Life,
    Obstacle,
    Step,
    after,
    lived,
    obstacle,
)
from policies.agreement_text import filled, read_text, steps_on_paper, text_of, unlike
from policies.agreements import Standing, in_force, incomplete, read_agreement, standing
from policies.vocabulary import OrganisationId

DOCUMENT = directory_documents()["agreement"]["PR-2026-004"]
TEXT = text_of(DOCUMENT)
ONE, OTHER = OrganisationId("destap-ww"), OrganisationId("vdab-gent")
STRANGER = OrganisationId("caw-ov")
DAY = date(2026, 11, 2)
BEFORE = DAY - timedelta(days=1)


def step(act: Act, by: OrganisationId = THE_BROKER, on: date = DAY, **said: Any) -> Step:
    usual = {
        Act.ADVISED: {"outcome": "positive"},
        Act.AUTHORITY_ADVISED: {"body": "VTC"},
        Act.PUBLISHED: {"url": "https://destap-ww.example/protocollen"},
        Act.SUSPENDED: {"reason": "unlawful_use"},
    }
    return Step(act=act, on=on, by=by, **(usual.get(act, {}) | said))


def by_both(act: Act) -> list[Step]:
    return [step(act, ONE), step(act, OTHER)]


ADVISED = by_both(Act.ADVISED)
SIGNED = [*ADVISED, *by_both(Act.SIGNED)]
PUBLISHED = [*SIGNED, *by_both(Act.PUBLISHED)]
ACTIVE = [*PUBLISHED, step(Act.ACTIVATED)]
PLACES = {
    "draft": [],
    "one advice": ADVISED[:1],
    "both advices": ADVISED,
    "authority": [*ADVISED, step(Act.AUTHORITY_ADVISED)],
    "one signature": SIGNED[:3],
    "signed": SIGNED,
    "one published": PUBLISHED[:5],
    "published": PUBLISHED,
    "active": ACTIVE,
    "in review": [*ACTIVE, step(Act.REVIEWED)],
    "ended": [*ACTIVE, step(Act.ENDED)],
}
STATES = ["draft", "dpo_advice", "dpo_advice", "authority_advice", "dpo_advice", "signed"]
STATES += ["signed", "published", "active", "in_review", "ended"]
# Columns: ADVISED, SIGNED and PUBLISHED by the second party; then the broker's acts.
TABLE = """
draft          yes      not_advised not_signed not_advised not_signed    not_active yes   not_active
one advice     yes      not_advised not_signed not_advised not_signed    not_active yes   not_active
both advices   already  yes         not_signed yes         not_signed    not_active yes   not_active
authority      already  yes         not_signed already     not_signed    not_active yes   not_active
one signature  already  yes         not_signed settled     not_signed    not_active yes   not_active
signed         already  already     yes        settled     not_published not_active yes   not_active
one published  already  already     yes        settled     not_published not_active yes   not_active
published      already  already     already    settled     yes           not_active yes   not_active
active         already  already     already    settled     already       yes        yes   yes
in review      already  already     already    settled     yes           already    yes   yes
ended          ended    ended       ended      ended       ended         ended      ended ended
"""
COLUMNS = [step(Act.ADVISED, OTHER), step(Act.SIGNED, OTHER), step(Act.PUBLISHED, OTHER)]
COLUMNS += [step(Act.AUTHORITY_ADVISED), step(Act.ACTIVATED), step(Act.REVIEWED)]
COLUMNS += [step(Act.ENDED), step(Act.REMINDED)]
CELLS = [
    (line[:15].strip(), each, said)
    for line in TABLE.strip().splitlines()
    for each, said in zip(COLUMNS, line[15:].split(), strict=True)
]


def at(place: str) -> Life:
    return lived(read_text(TEXT), PLACES[place])


@pytest.mark.parametrize(
    ("place", "tried", "said"), CELLS, ids=[f"{p}-{t.act}" for p, t, _ in CELLS]
)
def test_every_act_in_every_state_has_its_answer(place: str, tried: Step, said: str) -> None:
    answer = after(at(place), tried)

    assert (answer.value if isinstance(answer, Obstacle) else "yes") == said


def test_the_table_holds_every_act_and_the_places_every_state() -> None:
    assert {each.act for each in COLUMNS} == set(Act) - {Act.SUSPENDED, Act.LIFTED}
    assert [at(place).agreement.state.value for place in PLACES] == STATES
    assert {*STATES} == {*AgreementState} - {AgreementState.SUSPENDED}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("act", Act)
def test_who_is_no_party_can_do_nothing_and_only_parties_advise_sign_and_publish(
    place: str, act: Act
) -> None:
    expected = Obstacle.ENDED if place == "ended" else Obstacle.NOT_A_PARTY

    assert obstacle(at(place), step(act, STRANGER)) is expected
    if act in {Act.ADVISED, Act.SIGNED, Act.PUBLISHED}:
        assert obstacle(at(place), step(act)) is expected


@pytest.mark.parametrize("place", [each for each in PLACES if each != "ended"])
def test_suspensions_stand_beside_every_state_and_each_is_lifted_by_who_imposed_it(
    place: str,
) -> None:
    life = at(place)
    for each in (step(Act.SUSPENDED, ONE), step(Act.SUSPENDED, OTHER), step(Act.SUSPENDED)):
        assert obstacle(life, step(Act.LIFTED, each.by)) is Obstacle.NOT_IMPOSED_BY_IT
        life = _yes(life, each)
        assert obstacle(life, each) is Obstacle.ALREADY

    assert life.agreement.state is at(place).agreement.state
    assert standing(life.seen, DAY) is Standing.SUSPENDED
    life = _yes(life, step(Act.LIFTED, ONE))
    assert [each.by for each in life.holds] == [OTHER, THE_BROKER]
    life = _yes(_yes(life, step(Act.LIFTED)), step(Act.LIFTED, OTHER))
    assert life == at(place)


def test_one_who_suspended_for_two_reasons_can_lift_one_of_them() -> None:
    held = at("active")
    for reason in ("unlawful_use", "security_incident"):
        held = _yes(held, step(Act.SUSPENDED, ONE, reason=reason))

    lifted = _yes(held, step(Act.LIFTED, ONE, reason="unlawful_use"))

    assert [each.reason_code for each in lifted.holds] == ["security_incident"]
    assert standing(lifted.seen, DAY) is Standing.SUSPENDED


def test_a_suspension_counts_from_its_day_and_the_first_of_all_is_shown() -> None:
    later = _yes(at("active"), step(Act.SUSPENDED, ONE, DAY + timedelta(days=1)))
    earlier = _yes(later, step(Act.SUSPENDED, OTHER, BEFORE))

    assert (standing(later.seen, DAY), standing(later.seen, DAY + timedelta(days=1))) == (
        Standing.IN_FORCE,
        Standing.SUSPENDED,
    )
    assert earlier.seen.suspended == Suspension(
        on=BEFORE, by=OTHER, reason_code="unlawful_use", until_lifted=True
    )


def test_a_negative_advice_stops_the_version_for_good() -> None:
    life = _yes(at("one advice"), step(Act.ADVISED, OTHER, outcome="negative"))

    for act in (Act.SIGNED, Act.AUTHORITY_ADVISED):
        by = ONE if act is Act.SIGNED else THE_BROKER
        assert obstacle(life, step(act, by)) is Obstacle.ADVISED_AGAINST
    assert obstacle(life, step(Act.ADVISED, OTHER)) is Obstacle.ALREADY


def test_nobody_signs_before_the_day_of_the_last_advice() -> None:
    assert obstacle(at("both advices"), step(Act.SIGNED, ONE, BEFORE)) is Obstacle.ADVICE_LATER


def test_what_is_over_is_not_brought_into_use() -> None:
    late = step(Act.ACTIVATED, on=date(2040, 1, 1))

    assert obstacle(at("published"), late) is Obstacle.OVER


@pytest.mark.parametrize("element", ["retention", "sanctions", "security_measures", "review_on"])
def test_a_text_without_a_mandatory_element_can_not_be_signed(element: str) -> None:
    text = {name: held for name, held in TEXT.items() if name != element}
    life = lived(read_text(text), ADVISED)

    assert obstacle(life, step(Act.SIGNED, ONE)) is Obstacle.INCOMPLETE


_who = st.sampled_from([ONE, OTHER, THE_BROKER, STRANGER])
_days = st.dates(date(2025, 1, 1), date(2030, 1, 1))
_steps = st.builds(
    lambda act, by, on, outcome, reason: step(act, by, on, outcome=outcome, reason=reason),
    st.sampled_from(Act),
    _who,
    st.sampled_from([DAY, DAY, DAY, BEFORE]),
    st.sampled_from(["positive", "positive", "positive_with_remarks", "negative"]),
    st.sampled_from(["unlawful_use", "security_incident"]),
)


@given(st.lists(_steps, max_size=40), st.sampled_from(list(PLACES)))
def test_whatever_happens_in_whatever_order_nothing_unadvised_or_unsigned_is_in_force(
    tried: list[Step], place: str
) -> None:
    life = at(place)
    for each in tried:
        answer = after(life, each)
        if isinstance(answer, Obstacle):
            continue
        assert life.agreement.state is not AgreementState.ENDED
        gone = set(life.holds) - set(answer.holds)
        assert all(held.by == each.by and each.act is Act.LIFTED for held in gone)
        life = answer

    if in_force(life.seen, DAY):
        assert life.holds == ()
        assert incomplete(life.agreement) == ()
        for party in life.agreement.parties:
            assert party.dpo_advice
            assert party.dpo_advice.outcome != "negative"
            assert party.signed_on
            assert party.signed_on >= party.dpo_advice.date
            assert party.published


@pytest.mark.parametrize("id", sorted(directory_documents()["agreement"]))
def test_a_document_taken_apart_and_put_together_is_worth_the_same_every_day(id: str) -> None:
    document = directory_documents()["agreement"][id]
    agreement = read_agreement(document)
    life = Life(read_text(text_of(document)))
    for each in steps_on_paper(agreement, DAY):
        life = _yes(life, each)
    again = read_agreement(filled(text_of(document), life))

    assert again == life.seen
    assert standing(again, DAY) is standing(agreement, DAY)
    assert replace(again, state=agreement.state) == _lasting(agreement)


def _lasting(agreement: Any) -> Any:
    held = agreement.suspended
    return replace(agreement, suspended=held and replace(held, until_lifted=True))


@pytest.mark.parametrize("missing", ["dpo_advice", "signed_on", "published"])
def test_a_document_that_says_it_is_active_and_lacks_something_is_not(missing: str) -> None:
    parties = [dict(each) for each in DOCUMENT["parties"]]
    parties[1][missing] = None
    document = {**DOCUMENT, "parties": parties}
    life = Life(read_text(text_of(document)))

    answers = [after(life, each) for each in steps_on_paper(read_agreement(document), DAY)]
    for each in steps_on_paper(read_agreement(document), DAY):
        answer = after(life, each)
        life = life if isinstance(answer, Obstacle) else answer

    assert any(isinstance(each, Obstacle) for each in answers)
    assert life.agreement.state not in {AgreementState.ACTIVE, AgreementState.PUBLISHED}
    assert not in_force(life.seen, DAY)


def test_a_document_that_is_suspended_and_not_by_whom_is_so_by_the_broker() -> None:
    agreement = read_agreement({**DOCUMENT, "state": "suspended"})
    last = list(steps_on_paper(agreement, DAY))[-1]

    assert (last.act, last.by, last.on) == (Act.SUSPENDED, THE_BROKER, DAY)


def test_where_two_texts_differ_is_named_to_the_member() -> None:
    other = {**TEXT, "retention": "for ever", "volume": {"persons_per_year": 1}}
    other["flows"] = [{**TEXT["flows"][0], "onward": True}, *TEXT["flows"][1:]]

    assert unlike(TEXT, other) == ("flows[0].onward", "retention", "volume.persons_per_year")
    assert unlike(TEXT, TEXT) == ()
    assert "legal" in unlike(TEXT, {k: v for k, v in TEXT.items() if k != "legal"})


def _yes(life: Life, each: Step) -> Life:
    answer = after(life, each)
    assert isinstance(answer, Life), answer
    return answer


def test_who_suspends_from_a_later_day_may_still_do_so_at_once() -> None:
    later = step(Act.SUSPENDED, on=DAY + timedelta(days=30), reason="under_review")
    life = _yes(at("active"), later)

    now = after(life, step(Act.SUSPENDED, reason="under_review"))

    assert isinstance(now, Life)
    assert now.seen.suspended is not None
    assert now.seen.suspended.on == DAY
    assert obstacle(now, later) is Obstacle.ALREADY
