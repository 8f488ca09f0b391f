"""A basis beside consent in the decision: what it gives, and what is stronger. No database."""

from typing import Any

import pytest

from policies.bases import gives
from policies.decision import BasisFacts, Decision
from policies.gates import decide
from policies.purposes import purpose, purpose_list
from policies.vocabulary import AgreementId, FieldId, Operation, Reason, Section
from tests.policies.situations import (
    a_flow,
    a_grant,
    a_recipient,
    a_request,
    fields,
    shipped_overlay,
    some_facts,
)

PR = AgreementId("PR-2026-001")
HOLDERS: dict[str, Any] = {"holder_secrecy": True, "recipient": a_recipient(secrecy=True)}


def decided(*, shared: bool = False, asked: Any = None, **changes: Any) -> Decision:
    """The decision where there is a basis and no consent, but for what is changed."""
    basis = BasisFacts(gives("P2"), PR, shared)
    values: dict[str, Any] = {"grants": (), "basis": basis} | changes
    return decide(asked or a_request(), some_facts(**values), shipped_overlay())


def test_a_basis_gives_what_the_purpose_uses_by_default_and_the_agreement_lets_go() -> None:
    flow = a_flow("contact", "goals", "net", caps=())

    decision = decided(flows=(flow,))

    use = purpose("P2")
    assert use is not None
    assert decision.reason is None
    assert decision.on_basis
    assert decision.rests_on == ()
    assert set(decision.sections) == {Section.CONTACT, Section.GOALS}
    assert decision.fields <= use.default_fields & flow.fields
    assert decided(basis=None).reason is Reason.NO_CONSENT


@pytest.mark.parametrize("code", sorted(purpose_list().purposes))
def test_no_basis_gives_what_must_be_named_nor_health_nor_justice(code: str) -> None:
    use = purpose(code)

    assert use is not None
    assert gives(code) <= use.default_fields
    assert gives(code).isdisjoint(use.optional_fields | fields("health", "justice"))


def test_what_must_be_named_stays_behind_also_when_it_is_asked_for() -> None:
    asked = a_request("contact", "note", "barr")

    decision = decided(asked=asked)

    assert decision.sections == (Section.CONTACT,)


def test_denials_caps_and_rules_bind_a_basis_too() -> None:
    birth = FieldId("ident.birth_date")
    capped = decided(flows=(a_flow(caps=((birth, "year"),)),))

    assert dict(capped.precision)[birth] == "year"
    assert decided(denied=fields("contact")).fields.isdisjoint(fields("contact"))
    assert decided(denied=fields(*Section)).reason is Reason.EXPLICIT_DENIAL
    assert decided(recipient=a_recipient(in_eea=False)).reason is Reason.HARD_RULE_H6
    assert decided(quarantined=frozenset({Section.CONTACT})).reason is Reason.QUARANTINED
    assert decided(blocked=True).reason is Reason.SUBJECT_RESTRICTED
    assert decided(care_relation=False).reason is Reason.NO_CARE_RELATION


@pytest.mark.parametrize(
    "ended",
    [
        Reason.CONSENT_WITHDRAWN,
        Reason.CONSENT_REFUSED,
        Reason.CONSENT_SUSPENDED,
        Reason.CAPACITY_CHANGED_AGE18,
    ],
)
def test_a_no_of_the_client_is_stronger_whatever_lapsed_after_it(ended: Reason) -> None:
    no, lapsed = a_grant(ended=ended), a_grant(ended=Reason.CONSENT_EXPIRED)

    assert decided(grants=(no,)).reason is ended
    assert decided(grants=(no, lapsed)).reason is not None
    assert decided(grants=(lapsed,)).on_basis


def test_a_refusal_is_stronger() -> None:
    assert decided(refused=True).reason is Reason.CONSENT_REFUSED


def test_where_a_consent_stands_the_basis_adds_nothing() -> None:
    decision = decided(grants=(a_grant("goals"),))

    assert not decision.on_basis
    assert decision.rests_on == (0,)
    assert decision.sections == (Section.GOALS,)
    other = a_grant(operations=frozenset({Operation.NOTIFY}))
    assert decided(grants=(other,)).reason is Reason.NO_CONSENT


def test_a_basis_counts_under_its_own_agreement_alone() -> None:
    other = a_flow(agreement=AgreementId("PR-2026-009"))
    own = a_flow("goals")

    assert decided(flows=(other,)).reason is Reason.NO_ACTIVE_PROTOCOL
    assert decided(flows=(other, own)).flow == own


def test_secrecy_is_shared_among_its_holders_only_when_all_was_checked() -> None:
    assert decided(**HOLDERS, shared=True).on_basis
    assert decided(**HOLDERS).reason is Reason.NO_CONSENT
    assert decided(holder_secrecy=True, shared=True).reason is Reason.NO_CONSENT
    assert decided(recipient=a_recipient(secrecy=True)).on_basis
