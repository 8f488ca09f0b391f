"""The record of ISO/IEC TS 27560 as DPV 2.2 profiles it: read by others, with nothing fetched."""

import json
import socket
from collections.abc import Callable
from functools import cache
from typing import Any

import pyshacl
import pytest
from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import DCTERMS, RDF

from consent.content import Terms
from consent.dpv_record import CONFORMS_TO, dpv_record
from consent.recorded import Change
from policies.purposes import purpose_list
from policies.vocabulary import ConsentState
from tests.consent.builders import DATA, MINOR, MINOR_BORN, NOON, grant, terms
from tests.consent.recording import SAMPLES, SETTING, nobody_in, of_sample, recorded_as

# The library's own reader of JSON-LD still uses what the library itself is about to leave.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
DPV = Namespace("https://w3id.org/dpv#")
OURS = "urn:overdracht:"
STATES = {
    "requested": "ConsentRequested",
    "deferred": "ConsentRequestDeferred",
    "given": "ConsentGiven",
    "renewed": "RenewedConsentGiven",
    "narrowed": "ConsentGiven",
    "refused": "ConsentRefused",
    "withdrawn": "ConsentWithdrawn",
    "expired": "ConsentExpired",
    "invalidated": "ConsentInvalidated",
    "revoked_by_other": "ConsentRevoked",
    "unknown": "ConsentUnknown",
}
NOES: dict[str, Any] = {
    "grants": [],
    "denials": [{"sections": "all", "recipient": "relation:parent"}],
    "refused": [{"purpose": "P8", "recipient": "any"}],
}


@cache
def shapes() -> Graph:
    return Graph().parse(DATA / "dpv-27560.shapes.ttl", format="turtle")


def expanded(document: dict[str, Any]) -> Graph:
    """What another program reads in it, from the text alone."""
    return Graph().parse(data=json.dumps(document), format="json-ld")


def fits(document: dict[str, Any]) -> tuple[bool, str]:
    conforms, _, said = pyshacl.validate(expanded(document), shacl_graph=shapes())
    return bool(conforms), str(said)


def record(said: Terms | None = None, *changes: Change, **members: Any) -> dict[str, Any]:
    return dpv_record(recorded_as(said, *changes, **members), SETTING)


def known_terms() -> set[str]:
    """The terms of DPV that exist: those of the purpose list, and those a record is built with."""
    listed = (DATA / "dpv-2.2-terms.txt").read_text("utf-8").split()
    terms = {str(DPV[each]) for each in listed}
    purposes = purpose_list()
    named = [
        *(term for each in purposes.purposes.values() for term in each.dpv),
        *(t for each in purposes.purposes.values() for b in each.legal_basis.values() for t in b),
        *purposes.operation_terms.values(),
        *(term for each in purposes.data_categories.values() for term in each),
        *(term for term, _ in purposes.state_terms.values()),
        *(f"eu-gdpr:{each}" for each in ("A7-3", *(f"A{n}" for n in range(13, 23)))),
    ]
    for name in named:
        prefix, _, term = name.partition(":")
        terms.add(purposes.prefixes[prefix] + term)
    return terms | {f"https://w3id.org/dpv/loc#{place}" for place in ("BE", "EEA")} | {CONFORMS_TO}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_a_whole_record_in_terms_that_exist(
    sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _nowhere)
    document = dpv_record(of_sample(sample), SETTING)

    graph = expanded(document)

    assert fits(document)[0], fits(document)[1]
    used = {str(term) for triple in graph for term in triple if isinstance(term, URIRef)}
    assert {each for each in used if "w3id.org/dpv" in each} <= known_terms()
    others = (DCTERMS, RDF, "https://schema.org/", OURS, SETTING.issuer, "https://w3id.org/dpv")
    assert {each for each in used if not each.startswith(tuple(map(str, others)))} == set()


def _nowhere(*_: object, **__: object) -> None:
    raise AssertionError("something was looked up")


def test_the_triples_say_who_agreed_to_what_with_whom_until_when_and_how_to_stop() -> None:
    graph = expanded(record(terms(functions=["gdpr_basis"])))

    this = URIRef(f"{OURS}consent:c-0001")
    process = URIRef(f"{OURS}consent:c-0001:g1")
    subject = URIRef(f"{OURS}handle:{SETTING.handle}")
    controller = URIRef(f"{OURS}recipient:org:destap-ww")
    expected = {
        (this, DCTERMS.conformsTo, URIRef(CONFORMS_TO)),
        (this, DPV.hasDataSubject, subject),
        (this, DPV.hasNotice, URIRef(f"{OURS}notice:N-P2/2.1/nl")),
        (this, DPV.hasProcess, process),
        (process, DPV.hasPurpose, DPV.RequestedServiceProvision),
        (process, DPV.hasPersonalData, URIRef("https://w3id.org/dpv/pd#Name")),
        (process, DPV.hasProcessing, DPV.Consult),
        (process, DPV.hasLegalBasis, URIRef("https://w3id.org/dpv/legal/eu/gdpr#A6-1-a")),
        (process, DPV.hasDataController, controller),
        (process, DPV.hasRecipient, URIRef(f"{OURS}recipient:org:vdab-gent")),
        (controller, RDF.type, DPV.DataController),
    }
    assert expected <= set(graph)
    (event,) = graph.objects(this, DPV.hasConsentStatus)
    assert set(graph.objects(event, RDF.type)) == {DPV.ConsentGiven, DPV.ExpressedConsent}
    assert list(graph.objects(event, DPV.isIndicatedBy)) == [subject]
    (until,) = graph.objects(event, DPV.hasDuration)
    assert [str(each) for each in graph.objects(until, RDF.value)] == ["2027-04-01"]
    (control,) = graph.objects(process, DPV.hasConsentControl)
    assert list(graph.objects(control, DPV.isExercisedAt)) == [URIRef(SETTING.page)]


def test_consent_that_is_no_legal_basis_is_not_told_as_one() -> None:
    (process,) = record(terms(functions=["explicit_mandate"]))["dpv:hasProcess"]

    assert "dpv:hasLegalBasis" not in process


def test_a_no_is_on_record_as_a_process_that_was_refused() -> None:
    document = record(terms(**NOES), Change(ConsentState.REFUSED, NOON))

    assert fits(document)[0]
    says = [
        (each["term:says"], each["dpv:hasConsentStatus"]) for each in document["dpv:hasProcess"]
    ]
    refused = {"@type": "dpv:ConsentRefused"}
    assert says == [("denial", refused), ("refusal", refused)]


@pytest.mark.parametrize("state", ConsentState)
def test_each_state_has_its_term_of_dpv(state: ConsentState) -> None:
    document = record(None, Change(ConsentState.REQUESTED, NOON), Change(state, NOON, "portal"))

    last = document["dpv:hasConsentStatus"][-1]
    assert last["@type"][0] == f"dpv:{STATES[state]}"
    assert last["dpv:hasIndicationMethod"] == "portal"
    assert document["dpv:hasProcess"][0]["dpv:hasConsentStatus"] == {"@type": last["@type"][0]}
    client_spoke = last["dpv:isIndicatedBy"] == f"{OURS}handle:{SETTING.handle}"
    assert client_spoke is (state not in {"expired", "invalidated", "revoked_by_other"})


def test_a_guardian_is_told_to_have_spoken_and_a_capable_minor_speaks_alone() -> None:
    mandate = {"sha256": "d" * 64, "purposes": ["P2"]}
    guarded = record(terms(capacity={"type": "guardian", "mandate": mandate}))
    minor = record(terms(capacity=MINOR, born=MINOR_BORN))

    (by_guardian,), (by_minor,) = guarded["dpv:hasConsentStatus"], minor["dpv:hasConsentStatus"]
    assert by_guardian["dpv:isIndicatedBy"] == "dpv:GuardianOfDataSubject"
    assert by_minor["dpv:isIndicatedBy"] == f"{OURS}handle:{SETTING.handle}"


def test_the_record_names_no_person_and_no_place() -> None:
    evidence = {"method": "oral_witnessed", "witness": "Els Peeters", "place": "Gent-Zuid"}
    document = record(terms(evidence=evidence))

    assert nobody_in(document)
    assert [each for each in ("Peeters", "Gent-Zuid", "1990") if each in json.dumps(document)] == []


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def taken(document: dict[str, Any]) -> None:
        place: Any = document
        for name in path[:-1]:
            place = place[name][0] if isinstance(place[name], list) else place[name]
        del place[path[-1]]

    return taken


PROCESS, EVENT, ENTITY = "dpv:hasProcess", "dpv:hasConsentStatus", "dpv:hasEntity"
MANDATORY = [
    ("dct:conformsTo",),
    ("dct:identifier",),
    ("dct:language",),
    ("dpv:hasDataSubject",),
    ("dpv:hasNotice",),
    ("dpv:hasNotice", "@type"),
    (PROCESS,),
    (PROCESS, "dpv:hasPurpose"),
    (PROCESS, "dpv:hasPersonalData"),
    (PROCESS, "dpv:hasStorageCondition"),
    (PROCESS, "dpv:hasDataController"),
    (PROCESS, "dpv:hasRecipient"),
    (PROCESS, "dpv:hasConsentControl"),
    (PROCESS, "dpv:hasJurisdiction"),
    (PROCESS, "dpv:hasRight"),
    (ENTITY, "dpv:hasName"),
    (ENTITY, "dct:identifier"),
    (ENTITY, "@type"),
    (ENTITY, "schema:contactPoint"),
    (EVENT, "@type"),
    (EVENT, "dpv:isIndicatedAtTime"),
    (EVENT, "dpv:hasDuration"),
    (EVENT, "dpv:isIndicatedBy"),
    (EVENT, "dpv:hasIndicationMethod"),
]


@pytest.mark.parametrize("path", MANDATORY, ids=" ".join)
def test_a_record_without_a_mandatory_field_is_none(path: tuple[str, ...]) -> None:
    document = record(terms(grants=[grant()]))
    assert fits(document)[0]

    _without(*path)(document)

    assert not fits(document)[0]
