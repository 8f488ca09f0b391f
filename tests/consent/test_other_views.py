"""A consent for tools that know a consent receipt or an OSLO Toestemming: less than the record."""

import json

import pytest
from rdflib import Graph, Namespace, URIRef

from consent.kantara_view import kantara_receipt
from consent.oslo_view import NOT_SAID, oslo_consent
from consent.recorded import Change
from consent.views import VIEWS
from policies.vocabulary import ConsentState
from tests.consent.builders import NOON, grant, terms
from tests.consent.recording import SAMPLES, SETTING, nobody_in, of_sample, recorded_as

OSLO = {
    "toegelaten": {"given", "renewed", "narrowed"},
    "geweigerd": {"refused", "withdrawn", "revoked_by_other"},
    "nietGekend": {"requested", "deferred", "expired", "invalidated", "unknown"},
}
STATUS = Namespace("https://data.vlaanderen.be/id/concept/ToestemmingStatus/")
DPV = Namespace("https://w3id.org/dpv#")


@pytest.mark.parametrize("form", VIEWS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_has_every_form_and_none_names_anybody(sample: str, form: str) -> None:
    kept = of_sample(sample)

    said = VIEWS[form].made(kept, SETTING)

    assert json.loads(json.dumps(said)) == said
    assert nobody_in(said)
    assert SETTING.handle in json.dumps(said)
    for personal in (SAMPLES[sample]["client"], kept.terms.evidence.witness):
        assert personal is None or personal not in json.dumps(said)


def test_a_receipt_of_kantara_has_its_members_and_tells_who_else_gets_what() -> None:
    health = {"sections": ["health"], "until": "2027-01-01", "purpose": "P1"}
    own = grant(recipient="org:leerwinkel-wvl", **health)
    said = terms(evidence={"method": "paper_scan"}, grants=[grant(), own])

    receipt = kantara_receipt(recorded_as(said), SETTING)

    assert receipt["version"] == "KI-CR-v1.1.0"
    assert receipt["consentTimestamp"] == int(NOON.timestamp())
    assert receipt["piiPrincipalId"] == SETTING.handle
    assert receipt["piiControllers"][0]["piiController"] == "De Stap"
    first, second = receipt["services"]
    assert first["service"] == "VDAB Gent"
    assert first["purposes"] == [
        {
            "purpose": "Referral to employment guidance",
            "purposeCategory": ["dpv:RequestedServiceProvision", "pub:PublicServiceProvision"],
            "consentType": "EXPLICIT",
            "piiCategory": ["ident", "goals"],
            "primaryPurpose": True,
            "termination": "2027-04-01",
            "thirdPartyDisclosure": True,
            "thirdPartyName": "VDAB Gent",
        }
    ]
    assert second["purposes"][0]["piiCategory"] == ["health"]
    assert (receipt["sensitive"], receipt["spiCat"]) == (True, ["health"])


def test_what_was_withdrawn_is_no_service_any_more() -> None:
    said = terms(grants=[grant(), grant(recipient="org:vdab-wvl")])
    left = recorded_as(said.without(frozenset({said.grants[0].id})))

    assert [each["service"] for each in kantara_receipt(left, SETTING)["services"]] == [
        "org:vdab-wvl"
    ]
    assert [each["dct:identifier"] for each in oslo_consent(left, SETTING)["gegevenVoor"]] == ["g2"]


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
@pytest.mark.parametrize("state", ConsentState)
def test_oslo_has_three_codes_and_keeps_the_term_of_dpv_inside(state: ConsentState) -> None:
    document = oslo_consent(recorded_as(None, Change(state, NOON)), SETTING)

    graph = Graph().parse(data=json.dumps(document), format="json-ld")

    this = URIRef("urn:overdracht:consent:c-0001")
    code = next(code for code, states in OSLO.items() if state in states)
    kind = URIRef("http://purl.org/dc/terms/type")
    assert list(graph.objects(this, kind)) == [STATUS[code]]
    (term,) = graph.objects(this, DPV.hasConsentStatus)
    assert str(term).startswith("https://w3id.org/dpv#")
    lost = graph.objects(this, URIRef("urn:overdracht:term:notSaid"))
    assert {str(each) for each in lost} == set(NOT_SAID)
    assert document["term:lossy"] is True
