"""An agreement in terms of DPV 2.2: who gives whom what for what, read from the triples."""

import socket
from datetime import date
from typing import Any

import pytest
from rdflib import Graph, URIRef
from rdflib.namespace import RDF

from policies.agreement_document import read_agreement
from policies.dpv_agreement import NOT_SAID, dpv_agreement
from policies.linked_data import ORGANISATION
from tests.policies.policies_of_others import DPV, expanded, objects, unknown_terms
from tests.policies.test_odrl import BASE, IDS, TODAY, agreement

# The library's own reader of JSON-LD still uses what the library itself is about to leave.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
MUST = (
    *("hasPurpose", "hasProcessing", "hasPersonalData", "hasDataSubject", "hasDataExporter"),
    *("hasDataController", "hasRecipient", "hasLegalBasis", "hasStorageCondition"),
)


def view(id: str, on: date = TODAY, **members: Any) -> dict[str, Any]:
    return dpv_agreement(agreement(id, **members), BASE, on)


def this(id: str, part: str = "") -> URIRef:
    return URIRef(f"{BASE}/agreements/{id}{part}")


@pytest.mark.parametrize("id", IDS)
def test_every_agreement_is_told_in_terms_that_exist_with_nothing_fetched(
    id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _nowhere)
    document = view(id)

    assert unknown_terms(document, BASE) == set()
    assert document["term:notSaid"] == list(NOT_SAID)
    assert document["term:lossy"] is True


def _nowhere(*_: object, **__: object) -> None:
    raise AssertionError("something was looked up")


@pytest.mark.parametrize("id", IDS)
def test_every_flow_is_a_process_that_says_all_that_a_record_of_processing_asks(id: str) -> None:
    graph = expanded(view(id))
    flows = agreement(id).flows

    processes = objects(graph, this(id), DPV.hasProcess)
    assert len(processes) == len(flows)
    assert {
        (str(each), name) for each in processes for name in MUST if not _said(graph, each, name)
    } == set()
    for number, flow in enumerate(flows, 1):
        process = this(id, f"#process-{number}")
        assert set(objects(graph, process, DPV.hasRecipient)) == {
            URIRef(f"{ORGANISATION}{each}") for each in flow.to
        }
        fields = objects(graph, process, URIRef("urn:overdracht:term:field"))
        assert {str(each).rpartition(":")[2] for each in fields} == set(flow.fields)


def _said(graph: Graph, process: Any, name: str) -> bool:
    return bool(objects(graph, process, DPV[name]))


def test_the_triples_say_who_agreed_what_until_when_and_how_it_is_kept_safe() -> None:
    graph, id = expanded(view("PR-2026-003")), "PR-2026-003"

    assert DPV.LegalAgreement in objects(graph, this(id), RDF.type)
    assert set(objects(graph, this(id), DPV.hasEntity)) == {
        URIRef(f"{ORGANISATION}{each}") for each in ("ocmw-kortrijk", "vdab-wvl", "leerwinkel-wvl")
    }
    (until,) = objects(graph, this(id), DPV.hasDuration, RDF.value)
    assert str(until) == "2028-03-31"
    assert len(objects(graph, this(id), DPV.hasTechnicalOrganisationalMeasure)) > 1
    process = this(id, "#process-2")
    assert DPV.RequestedServiceProvision in objects(graph, process, DPV.hasPurpose)
    assert set(objects(graph, process, DPV.hasProcessing)) == {
        *(DPV.Consult, DPV.DiscloseByTransmission, DPV.Modify)
    }
    basis = {str(each).rpartition("#")[2] for each in objects(graph, process, DPV.hasLegalBasis)}
    assert basis == {"A6-1-a", "A6-1-e-public-interest"}


def test_special_data_are_told_with_the_basis_that_they_need() -> None:
    flow = {
        "from": ["destap-ww"],
        "to": ["vdab-gent"],
        "purposes": ["P2"],
        "sections": ["health"],
        "operations": ["view"],
        "onward": False,
    }
    graph = expanded(view("PR-2026-004", flows=[flow]))

    process = this("PR-2026-004", "#process-1")
    basis = {str(each).rpartition("#")[2] for each in objects(graph, process, DPV.hasLegalBasis)}
    assert "A9-2-a" in basis


def test_an_agreement_that_has_only_just_been_begun_has_a_view_too() -> None:
    begun = read_agreement({"id": "PR-2026-099", "state": "draft"})

    document = dpv_agreement(begun, BASE, TODAY)
    assert unknown_terms(document, BASE) == set()
    assert document["term:standing"] == "incomplete"
