"""The decision, one line for each way a request can fare. No database."""

from typing import Any

import pytest

from policies.decision import Facts, ReleaseRequest
from policies.gates import GATES, Decider, decide
from policies.vocabulary import Operation, OrganisationType, Reason, Section
from tests.policies.situations import (
    a_flow,
    a_grant,
    a_recipient,
    a_request,
    fields,
    nobodys_facts,
    shipped_overlay,
    some_facts,
)

EMPLOYER = a_recipient(type=OrganisationType.EMPLOYER)
WITHDRAWN = a_grant(ended=Reason.CONSENT_WITHDRAWN)
OF_AGE = a_grant(ended=Reason.CAPACITY_CHANGED_AGE18)
NO_NUMBER = a_recipient(insz_authorised=False)
NUMBER = a_grant("natid", "goals")

# What is changed in a request in order, what is changed in its facts, the reason that is
# logged, and the reason that is told openly.
TABLE: list[tuple[str, dict[str, Any], dict[str, Any], Reason, Reason | None]] = [
    ("P90", {"purpose": "P90"}, {}, Reason.PURPOSE_PROHIBITED, Reason.PURPOSE_PROHIBITED),
    ("alias", {"purpose": "marketing"}, {}, Reason.PURPOSE_PROHIBITED, Reason.PURPOSE_PROHIBITED),
    ("P11", {"purpose": "P11"}, {}, Reason.PURPOSE_UNKNOWN, Reason.PURPOSE_UNKNOWN),
    (
        "number without authorisation",
        {"sections": frozenset({Section.NATID, Section.GOALS})},
        {"recipient": NO_NUMBER, "grants": (NUMBER,)},
        Reason.HARD_RULE_H4,
        Reason.HARD_RULE_H4,
    ),
    ("blocked", {}, {"blocked": True}, Reason.SUBJECT_RESTRICTED, None),
    ("came of age", {}, {"grants": (OF_AGE,)}, Reason.CAPACITY_CHANGED_AGE18, None),
    ("no flow", {}, {"flows": ()}, Reason.NO_ACTIVE_PROTOCOL, None),
    (
        "no flow with anybody",
        {},
        {"flows": (), "any_agreement": False},
        Reason.NO_ACTIVE_PROTOCOL,
        Reason.NO_ACTIVE_PROTOCOL,
    ),
    (
        "flow for less than the operation asked",
        {"operation": Operation.DOWNLOAD},
        {"grants": (a_grant(operations=frozenset({Operation.DOWNLOAD})),)},
        Reason.NO_ACTIVE_PROTOCOL,
        None,
    ),
    ("flow of other sections", {}, {"flows": (a_flow("net"),)}, Reason.NO_ACTIVE_PROTOCOL, None),
    (
        "not accredited",
        {},
        {"recipient": a_recipient(accredited=False)},
        Reason.RECIPIENT_NOT_ACCREDITED,
        Reason.RECIPIENT_NOT_ACCREDITED,
    ),
    (
        "stores elsewhere",
        {},
        {"recipient": a_recipient(in_eea=False)},
        Reason.HARD_RULE_H6,
        Reason.RECIPIENT_NOT_ACCREDITED,
    ),
    (
        "employer asks for more than goals",
        {"sections": frozenset({Section.EDUC})},
        {"recipient": EMPLOYER},
        Reason.HARD_RULE_H7,
        Reason.RECIPIENT_NOT_ACCREDITED,
    ),
    ("no care relation", {}, {"care_relation": False}, Reason.NO_CARE_RELATION, None),
    (
        "all denied",
        {"sections": frozenset({Section.GOALS})},
        {"denied": fields("goals")},
        Reason.EXPLICIT_DENIAL,
        None,
    ),
    ("never asked", {}, {"grants": ()}, Reason.NO_CONSENT, None),
    ("said no", {}, {"grants": (), "refused": True}, Reason.CONSENT_REFUSED, None),
    ("withdrawn", {}, {"grants": (WITHDRAWN,)}, Reason.CONSENT_WITHDRAWN, None),
    (
        "said no, long after",
        {},
        {"grants": (WITHDRAWN,), "refused": True},
        Reason.CONSENT_WITHDRAWN,
        None,
    ),
    ("the last counts", {}, {"grants": (OF_AGE, WITHDRAWN)}, Reason.CONSENT_WITHDRAWN, None),
    *(
        (reason.lower(), {}, {"grants": (a_grant(ended=reason),)}, reason, None)
        for reason in (
            Reason.CONSENT_EXPIRED,
            Reason.CONSENT_SUSPENDED,
            Reason.CONSENT_STALE_NOTICE,
            Reason.CAPACITY_MISSING,
            Reason.USES_EXHAUSTED,
            Reason.HARD_RULE_H9,
        )
    ),
    (
        "view granted, import asked",
        {"operation": Operation.IMPORT},
        {"flows": (a_flow(operations=frozenset(Operation)),)},
        Reason.NO_CONSENT,
        None,
    ),
    ("secrecy not lifted", {}, {"holder_secrecy": True}, Reason.NO_CONSENT, None),
    ("other sections", {"sections": frozenset({Section.NET})}, {}, Reason.NO_CONSENT, None),
    ("nothing asked", {"sections": frozenset()}, {}, Reason.NO_CONSENT, None),
    ("not of use", {}, {"grants": (a_grant("outc"),)}, Reason.NO_CONSENT, None),
    (
        "justice to the employment service",
        {"purpose": "P4", "sections": frozenset({Section.JUSTICE})},
        {"grants": (a_grant("justice"),)},
        Reason.HARD_RULE_H2,
        None,
    ),
    (
        "kept back by the directory",
        {"sections": frozenset({Section.GOALS})},
        {"recipient": a_recipient(hard_denies=frozenset({Section.GOALS}))},
        Reason.SITE_RULE,
        None,
    ),
    (
        "not among what the directory lets it have",
        {"sections": frozenset({Section.GOALS})},
        {"recipient": a_recipient(only_sections=frozenset({Section.EDUC}))},
        Reason.SITE_RULE,
        None,
    ),
    ("text is held", {}, {"quarantined": frozenset({Section.WORK})}, Reason.QUARANTINED, None),
]


@pytest.mark.parametrize(
    ("asked", "known", "reason", "told"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_one_thing_out_of_order_refuses(
    asked: dict[str, Any], known: dict[str, Any], reason: Reason, told: Reason | None
) -> None:
    decision = decide(a_request(**asked), some_facts(**known), shipped_overlay())

    assert (decision.reason, decision.told) == (reason, told)
    assert (decision.fields, decision.sections, decision.rests_on) == (frozenset(), (), ())


def test_with_everything_in_order_what_was_granted_leaves() -> None:
    decision = decide(a_request("goals", "educ"), some_facts(), shipped_overlay())

    assert (decision.reason, decision.told, decision.rests_on) == (None, None, (0,))
    assert decision.sections == (Section.EDUC, Section.GOALS)
    assert decision.fields == fields("goals", "educ.highest_level", "educ.early_leaver")
    assert {code for _, code in decision.trace} == {None}
    assert [name for name, _ in decision.trace] == [
        *(gate.__name__ for gate in GATES),
        "the_rules_leave_something",
        "nothing_is_quarantined",
    ]


def test_text_that_is_held_stops_nothing_but_its_own_section() -> None:
    facts = some_facts(quarantined=frozenset({Section.WORK}))

    assert decide(a_request("educ"), facts, shipped_overlay()).reason is None


def test_who_may_download_may_view() -> None:
    download = frozenset({Operation.DOWNLOAD})
    facts = some_facts(grants=(a_grant(operations=download),), flows=(a_flow(operations=download),))

    assert decide(a_request(), facts, shipped_overlay()).reason is None


def test_secrecy_binds_towards_those_who_have_none() -> None:
    lifted = a_grant("goals", secrecy_release=True)
    grants = (a_grant("educ"), lifted)

    outside = some_facts(holder_secrecy=True, grants=grants)
    inside = some_facts(holder_secrecy=True, grants=grants, recipient=a_recipient(secrecy=True))

    assert decide(a_request(), outside, shipped_overlay()).sections == (Section.GOALS,)
    assert len(decide(a_request(), inside, shipped_overlay()).sections) == 2


def test_of_several_reasons_the_first_in_order_is_logged_and_all_are_traced() -> None:
    facts = some_facts(
        blocked=True,
        flows=(),
        care_relation=False,
        recipient=a_recipient(accredited=False),
        grants=(WITHDRAWN,),
    )
    in_order = [
        Reason.SUBJECT_RESTRICTED,
        Reason.NO_ACTIVE_PROTOCOL,
        Reason.RECIPIENT_NOT_ACCREDITED,
        Reason.NO_CARE_RELATION,
        Reason.CONSENT_WITHDRAWN,
    ]

    decision = decide(a_request(), facts, shipped_overlay())

    assert decision.reason == in_order[0]
    assert [code for _, code in decision.trace if code][:5] == in_order


REQUESTER_ONLY = [
    pytest.param(a_request(), {}, id="nothing to tell"),
    pytest.param(a_request(purpose="P93"), {}, id="prohibited"),
    pytest.param(a_request(purpose="P77"), {}, id="unknown purpose"),
    pytest.param(a_request(), {"recipient": a_recipient(accredited=False)}, id="accreditation"),
    pytest.param(a_request(), {"recipient": a_recipient(in_eea=False)}, id="outside the EEA"),
    pytest.param(a_request("educ"), {"recipient": EMPLOYER}, id="employer"),
    pytest.param(a_request(), {"any_agreement": False}, id="no agreement with anybody"),
    pytest.param(a_request("natid"), {"recipient": NO_NUMBER}, id="number"),
    pytest.param(
        a_request("natid"), {"recipient": NO_NUMBER, "real_number": True}, id="a real one"
    ),
]


@pytest.mark.parametrize(("request_", "requester"), REQUESTER_ONLY)
def test_what_is_told_is_the_same_for_every_client_and_for_nobody(
    request_: ReleaseRequest, requester: dict[str, Any]
) -> None:
    everyone = [
        some_facts(**requester),
        some_facts(**requester, blocked=True),
        some_facts(**requester, care_relation=False, flows=()),
        some_facts(**requester, grants=(), denied=fields("goals")),
        some_facts(**requester, grants=(NUMBER, WITHDRAWN), quarantined=frozenset(Section)),
        nobodys_facts(**requester),
    ]

    decisions = [decide(request_, each, shipped_overlay()) for each in everyone]

    told = {each.told for each in decisions}
    assert len(told) == 1
    assert told == {None} or all(each.reason for each in decisions)


def test_of_what_may_be_told_the_purpose_comes_first() -> None:
    facts = some_facts(recipient=a_recipient(accredited=False, insz_authorised=False))

    assert decide(a_request(purpose="P90"), facts, shipped_overlay()).told == "PURPOSE_PROHIBITED"
    assert decide(a_request("natid"), facts, shipped_overlay()).told == "RECIPIENT_NOT_ACCREDITED"


def test_an_employer_may_have_goals_and_is_not_told_otherwise() -> None:
    decision = decide(a_request("goals", "educ"), some_facts(recipient=EMPLOYER), shipped_overlay())

    assert (decision.reason, decision.told) == (None, None)
    assert (decision.sections, decision.withheld) == ((Section.GOALS,), ("educ",))


def test_a_client_we_do_not_know_is_logged_as_such_and_no_more_is_said() -> None:
    decision = decide(a_request(), nobodys_facts(), shipped_overlay())

    assert (decision.reason, decision.told) == (Reason.UNKNOWN_CLIENT, None)


def test_a_client_we_do_not_know_is_logged_with_what_is_told_when_something_is() -> None:
    facts = nobodys_facts(recipient=a_recipient(accredited=False))

    decision = decide(a_request(), facts, shipped_overlay())

    assert decision.reason == decision.told == Reason.RECIPIENT_NOT_ACCREDITED


def test_a_client_we_do_not_know_gets_nothing_released_even_with_a_live_grant() -> None:
    facts = some_facts(known=False)

    assert decide(a_request(), facts, shipped_overlay()).reason == Reason.UNKNOWN_CLIENT
    assert decide(a_request(), facts, shipped_overlay(), GATES[:1]).reason == Reason.UNKNOWN_CLIENT


def test_without_gates_nothing_is_released() -> None:
    decision = decide(a_request(), some_facts(), shipped_overlay(), gates=())

    assert (decision.reason, decision.fields) == (Reason.GATE_FAILED, frozenset())


def test_a_gate_that_fails_has_not_said_yes() -> None:
    def broken(request: ReleaseRequest, facts: Facts) -> None:
        raise KeyError(request.recipient)

    decision = decide(a_request(), some_facts(), shipped_overlay(), gates=(broken, *GATES))

    assert (decision.reason, decision.told) == (Reason.GATE_FAILED, None)
    assert decision.trace[0] == ("broken", "GATE_FAILED")


def test_a_cut_that_fails_has_not_said_yes() -> None:
    of_no_model = a_grant(fields=frozenset({"goals.reason"}), precision=(("a", "b", "c"),))

    decision = decide(a_request(), some_facts(grants=(of_no_model,)), shipped_overlay())

    assert decision.reason == Reason.GATE_FAILED
    assert decision.trace[-1] == ("the_rules_leave_something", "GATE_FAILED")


def test_a_decision_that_was_made_is_remembered_and_the_oldest_is_let_go() -> None:
    decider = Decider(shipped_overlay(), size=2)
    first = decider.decide(a_request("goals"), some_facts())
    again = decider.decide(a_request("goals"), some_facts())

    decider.decide(a_request("educ"), some_facts())
    decider.decide(a_request("work"), some_facts())
    afresh = decider.decide(a_request("goals"), some_facts())

    assert again is first
    assert afresh == first
    assert afresh is not first


def test_a_decision_is_remembered_for_its_own_facts_only() -> None:
    decider = Decider(shipped_overlay())

    assert decider.decide(a_request(), some_facts()).reason is None
    assert decider.decide(a_request(), some_facts(blocked=True)).reason is not None
    assert decider.decide(a_request(purpose="P90"), some_facts()).reason is not None
    assert decider.decide(a_request(), some_facts()).reason is None
