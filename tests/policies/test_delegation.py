"""A processor in an agreement: told by a flow of its own, and never more than both may."""

from dataclasses import replace
from typing import Any

import pytest

from policies.agreements import any_in_force, facts_of_flow, flows_between, read_agreement
from policies.delegation import Instruction, instruction, together
from policies.documents import UnfitDocument
from policies.vocabulary import FieldId, OrganisationId, Section
from tests.policies.situations import a_recipient
from tests.policies.test_agreements import DOCUMENTS, TODAY

PARTIES = DOCUMENTS["PR-2026-001"]["parties"]
CONTROLLER, PROCESSOR = OrganisationId("leerwinkel-wvl"), OrganisationId("vdab-wvl")
ROLES = [PARTIES[0], PARTIES[1] | {"role": "processor"}]
FLOW = DOCUMENTS["PR-2026-001"]["flows"][1]


def document(**changes: Any) -> dict[str, Any]:
    return DOCUMENTS["PR-2026-001"] | {"parties": ROLES, "flows": [FLOW]} | changes


def test_a_flow_to_a_processor_is_an_instruction_and_lets_nothing_go() -> None:
    known = (read_agreement(document()),)
    way: dict[str, Any] = {"recipient": PROCESSOR, "purpose": "P2", "on": TODAY}

    assert flows_between(known, holder=CONTROLLER, **way) == ()
    assert not any_in_force(known, **way)
    told = instruction(known, processor=PROCESSOR, controller=CONTROLLER, purpose="P2", on=TODAY)
    assert told is not None
    assert told.fields == known[0].flows[0].fields


@pytest.mark.parametrize(
    "flow",
    [
        FLOW | {"from": ["vdab-wvl"], "to": ["leerwinkel-wvl"]},
        FLOW | {"from": ["leerwinkel-wvl"], "to": ["vdab-wvl", "leerwinkel-wvl"]},
    ],
)
def test_a_processor_sends_nothing_and_receives_beside_nobody(flow: dict[str, Any]) -> None:
    with pytest.raises(UnfitDocument, match=r"flows\[0\]"):
        read_agreement(document(flows=[flow]))


def test_nobody_is_a_processor_by_an_ordinary_flow() -> None:
    known = (read_agreement(document(parties=PARTIES)),)

    told = instruction(known, processor=PROCESSOR, controller=CONTROLLER, purpose="P2", on=TODAY)

    assert told is None


def test_of_two_each_limit_counts() -> None:
    whole = a_recipient(insz_authorised=True, secrecy=True)
    bound = replace(
        whole,
        accredited=False,
        in_eea=False,
        insz_authorised=False,
        secrecy=False,
        hard_denies=frozenset({Section.JUSTICE}),
        only_sections=frozenset({Section.GOALS}),
    )

    for pair in ((whole, bound), (bound, whole), (bound, bound)):
        assert together(*pair, frozenset()) == bound
    assert together(whole, whole, frozenset({Section.EDUC})).hard_denies == {Section.EDUC}
    assert together(whole, whole, frozenset()).only_sections is None


def test_of_two_agreements_the_stricter_limit_counts_for_the_processor() -> None:
    born, address = FieldId("ident.birth_date"), FieldId("contact.address")
    bound = FLOW | {
        "sections": ["ident", "contact"],
        "precision_caps": {born: "year", address: "municipality"},
        "keep_months": 2,
        "origin_masking": True,
    }
    (flow,) = (each for each in read_agreement(document(flows=[bound])).flows)
    known = (read_agreement(document(flows=[bound, bound | {"precision_caps": {}}])),)
    told = instruction(known, processor=PROCESSOR, controller=CONTROLLER, purpose="P2", on=TODAY)
    assert told is not None
    whole = facts_of_flow(known[0], replace(flow, precision_caps=(), origin_masking=False))
    free = replace(whole, keep_months=None, onward=True)

    narrowed = told.narrowed(free)

    assert dict(narrowed.caps) == {born: "year", address: "municipality"}
    assert (narrowed.keep_months, narrowed.onward, narrowed.origin_masking) == (2, False, True)
    coarser = replace(free, caps=((born, "year"),), keep_months=1)
    assert told.narrowed(coarser).keep_months == 1
    assert Instruction(told.fields, told.operations).narrowed(coarser).caps == coarser.caps
