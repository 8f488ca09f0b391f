from datetime import timedelta

import pytest
from sqlalchemy import event

from consent.belgian_time import instant
from policies.vocabulary import (
    ClientId,
    Operation,
    OrganisationId,
    Reason,
)
from tests.consent.builders import (
    CLIENT,
    NOON,
    TICK,
    Desk,
    grant,
    micros,
    terms,
)


def test_a_grant_is_told_with_all_that_a_decision_reads(desk: Desk) -> None:
    said = grant(precision={"ident.birth_date": "year"}, ops=["view", "download"])
    consent = desk.give(functions=["secrecy_release"], grants=[said])

    facts = desk.facts()

    (told,) = facts.grants
    assert "goals.reason" in told.fields
    assert told.named == {"ident", "goals"}
    assert told.precision == (("ident.birth_date", "year"),)
    assert told.operations == {Operation.VIEW, Operation.DOWNLOAD}
    assert (told.ended, told.secrecy_release) == (None, True)
    assert facts.refs == ((consent, "g1"),)
    assert (facts.denied, facts.refused, facts.limited) == (frozenset(), False, frozenset())


@pytest.mark.case("T47")
def test_t47a_a_purpose_that_is_not_in_the_consent_finds_no_grant(desk: Desk) -> None:
    desk.give()

    for purpose in ("P1", "P3", "P90", "p2", "P2 "):
        assert desk.facts(purpose=purpose).grants == ()


def test_a_client_that_nobody_knows_has_no_grant_and_costs_a_look_up_too(desk: Desk) -> None:
    desk.give()
    looked: list[str] = []
    event.listen(
        desk.connection, "before_cursor_execute", lambda *said: looked.append(str(said[2]))
    )

    facts = desk.facts(client=ClientId(""))

    assert (facts.grants, facts.denied, facts.refused) == ((), frozenset(), False)
    assert len(looked) == 1


def test_grants_come_oldest_first_whatever_their_ids(desk: Desk) -> None:
    later = desk.give(at=NOON)
    sooner = desk.give(at=NOON - timedelta(days=1))

    assert [consent for consent, _ in desk.facts().refs] == [sooner, later]


def test_only_what_was_given_to_the_holder_opens_its_file(desk: Desk) -> None:
    other = OrganisationId("leerwinkel-wvl")
    desk.give(controller=other)

    assert desk.facts().grants == ()
    assert [each.ended for each in desk.facts(holder=other).grants] == [None]


def test_two_grants_for_one_purpose_and_recipient_are_both_told(desk: Desk) -> None:
    desk.give(grants=[grant(sections=["ident"]), grant(sections=["work"])])
    desk.give(grants=[grant(sections=["goals"])])

    named = [set(each.named) for each in desk.facts().grants]

    assert named == [{"ident"}, {"work"}, {"goals"}]


def test_one_fetch_is_one_statement_and_one_opening_a_consent(desk: Desk) -> None:
    said = terms(grants=[grant(), grant(sections=["work"])])
    for _ in range(3):
        desk.give(said=said)
    looked: list[str] = []
    event.listen(
        desk.connection, "before_cursor_execute", lambda *said: looked.append(str(said[2]))
    )
    desk.sealing.opened = 0

    facts = desk.facts()

    assert len(facts.grants) == 6
    assert (len(looked), desk.sealing.opened) == (1, 3)


def test_instants_are_those_of_the_times_asked_with(desk: Desk) -> None:
    desk.give(at=NOON)

    assert desk.ended(NOON - TICK) == [Reason.CONSENT_EXPIRED]
    assert desk.ended(NOON) == [None]
    assert instant(NOON) == micros(NOON)
    assert desk.facts(client=CLIENT) == desk.facts()
