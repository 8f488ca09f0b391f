"""What is left of a request, and what is said of the rest."""

from typing import Any

import pytest

from policies.decision import Facts, ReleaseRequest
from policies.gates import decide
from policies.minimisation import why_withheld
from policies.vocabulary import AgreementId, FieldId, Section
from tests.policies.situations import (
    GRANTED,
    a_flow,
    a_grant,
    a_recipient,
    a_request,
    fields,
    shipped_overlay,
    some_facts,
)


def released(request: ReleaseRequest, facts: Facts) -> frozenset[str]:
    return decide(request, facts, shipped_overlay()).fields


def test_grants_for_one_purpose_and_recipient_are_added_together() -> None:
    facts = some_facts(grants=(a_grant("goals"), a_grant("lang", "outc"), a_grant("educ")))

    decision = decide(a_request("goals", "educ"), facts, shipped_overlay())

    assert decision.fields == fields("goals", "educ.highest_level", "educ.early_leaver")
    assert decision.rests_on == (0, 2)


def test_a_denial_beats_every_grant() -> None:
    facts = some_facts(grants=(a_grant("goals"), a_grant("educ")), denied=fields("goals"))

    decision = decide(a_request(), facts, shipped_overlay())

    assert decision.sections == (Section.EDUC,)
    assert decision.rests_on == (1,)


@pytest.mark.parametrize(
    ("include", "leaves"),
    [
        pytest.param((), (), id="not named"),
        pytest.param(("barr.codes",), ("barr.codes",), id="optional for the purpose"),
        pytest.param(("barr.zrm",), (), id="not for the purpose at all"),
    ],
)
def test_an_optional_field_leaves_only_when_the_grant_names_it(
    include: tuple[str, ...], leaves: tuple[str, ...]
) -> None:
    facts = some_facts(grants=(a_grant("goals", include=include),))

    assert released(a_request(), facts) == fields("goals", *leaves)


def test_one_grant_does_not_name_for_another() -> None:
    grants = (
        a_grant("goals", fields=fields("goals", "barr.codes")),
        a_grant("barr", fields=fields()),
    )

    assert released(a_request(), some_facts(grants=grants)) == fields("goals")


def test_of_several_flows_the_one_that_lets_most_leave_is_taken_alone() -> None:
    narrow = a_flow("educ", "net", "outc", agreement=AgreementId("PR-2026-001"))
    wide = a_flow("goals", agreement=AgreementId("PR-2026-002"))

    decision = decide(a_request(), some_facts(flows=(narrow, wide)), shipped_overlay())

    assert decision.flow == wide
    assert decision.fields == fields("goals")


def test_a_flow_does_not_count_for_what_a_rule_keeps_back() -> None:
    kept_back = a_recipient(hard_denies=frozenset({Section.IDENT, Section.WORK}))
    wide = a_flow("ident", "work", "educ.early_leaver", agreement=AgreementId("PR-2026-001"))
    useful = a_flow("goals", agreement=AgreementId("PR-2026-002"))

    decision = decide(
        a_request(), some_facts(recipient=kept_back, flows=(wide, useful)), shipped_overlay()
    )

    assert decision.flow == useful


def test_of_flows_that_let_as_much_leave_the_first_agreement_is_named() -> None:
    flows = tuple(a_flow(agreement=AgreementId(f"PR-2026-00{each}")) for each in (3, 1, 2))

    decision = decide(a_request(), some_facts(flows=flows), shipped_overlay())

    assert decision.flow is flows[1]


def test_what_stays_behind_is_named_by_section_or_by_field() -> None:
    grant = a_grant("educ", "goals", include=("work.neet",))

    decision = decide(
        a_request("educ", "goals", "work", "net"), some_facts(grants=(grant,)), shipped_overlay()
    )

    of_educ = sorted(fields("educ") - {"educ.highest_level", "educ.early_leaver"})
    of_work = sorted(fields("work") - {"work.neet"})
    assert decision.withheld == (*of_educ, "net", *of_work)
    assert decision.filtered == len(decision.withheld)


def test_fields_that_the_purpose_never_uses_are_not_named() -> None:
    request = a_request("barr", purpose="P1")
    facts = some_facts(grants=(a_grant("barr"),))

    decision = decide(request, facts, shipped_overlay())

    assert (decision.sections, decision.withheld, decision.filtered) == ((Section.BARR,), (), 0)


def test_health_and_justice_stay_behind_without_a_word_but_are_counted() -> None:
    decision = decide(a_request("goals", "health", "justice"), some_facts(), shipped_overlay())

    assert decision.sections == (Section.GOALS,)
    assert (decision.withheld, decision.filtered) == ((), 2)


def test_a_request_without_sections_asks_for_all_that_the_purpose_may_use() -> None:
    decision = decide(a_request(), some_facts(), shipped_overlay())

    assert set(decision.sections) == set(map(Section, GRANTED))
    assert {"contact", "lang", "agree", "refer", "traj", "docs"} <= set(decision.withheld)
    assert not {"health", "natid", "outc"} & set(decision.withheld)


def test_a_field_leaves_at_the_finest_level_asked_for_and_never_finer_than_the_flow() -> None:
    birth = next(iter(fields("ident.birth_date")))
    silent, fine = a_grant("ident"), a_grant("ident", precision=((birth, "day"),))
    coarse = a_grant("ident", precision=((birth, "age_band"),))

    def level(flow_cap: str | None, *grants: object) -> str:
        flow = a_flow(caps=((birth, flow_cap),) if flow_cap else ())
        facts = some_facts(grants=grants, flows=(flow,))
        return dict(decide(a_request("ident"), facts, shipped_overlay()).precision)[birth]

    assert level(None, silent) == "year"
    assert level(None, coarse) == "age_band"
    assert level(None, coarse, fine) == "day"
    assert level("year", coarse, fine) == "year"


def test_only_grants_that_give_the_field_have_a_say_in_its_level() -> None:
    birth = next(iter(fields("ident.birth_date")))
    of_others = a_grant("goals", precision=((birth, "day"),))

    decision = decide(
        a_request(), some_facts(grants=(a_grant("ident"), of_others)), shipped_overlay()
    )

    assert dict(decision.precision)[birth] == "year"


def test_the_directory_can_narrow_what_a_recipient_gets() -> None:
    only = a_recipient(
        only_sections=frozenset({Section.GOALS, Section.EDUC}),
        hard_denies=frozenset({Section.EDUC}),
    )

    assert released(a_request(), some_facts(recipient=only)) == fields("goals")


@pytest.mark.parametrize(
    ("field", "changes", "why"),
    [
        ("goals.reason", {"denied": fields("goals")}, "denied"),
        ("health.functional_limits", {}, "not_for_this_purpose"),
        ("goals.reason", {"flows": ()}, "no_agreement"),
        ("goals.reason", {"flows": (a_flow("ident"),)}, "not_in_the_agreement"),
        ("goals.reason", {"blocked": True}, "kept_back"),
    ],
)
def test_a_field_that_stays_behind_is_told_with_the_cut_that_it_falls_to(
    field: str, changes: dict[str, Any], why: str
) -> None:
    facts = some_facts(**changes)

    assert why_withheld(FieldId(field), "P2", facts.grants[0].named, facts) == why
