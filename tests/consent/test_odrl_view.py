"""A consent as an ODRL policy: a yes permits within its limits, and a no wins."""

import socket
from typing import Any

import pytest
from rdflib import URIRef
from rdflib.namespace import ODRL2

from consent.content import Terms
from consent.odrl_view import NOT_SAID, odrl_consent
from consent.recorded import Change
from policies.linked_data import SUMMARY, assets, precision_iri, purpose_iri
from policies.vocabulary import ConsentState
from tests.consent.builders import NOON, grant, terms
from tests.consent.recording import SAMPLES, SETTING, of_sample, recorded_as
from tests.policies.policies_of_others import amiss, expanded, objects, unknown_terms

# The library's own reader of JSON-LD still uses what the library itself is about to leave.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
THIS = URIRef("urn:overdracht:consent:c-0001")
CLIENT = f"urn:overdracht:handle:{SETTING.handle}"


def view(said: Terms | None = None, *changes: Change, **members: Any) -> dict[str, Any]:
    return odrl_consent(recorded_as(said, *changes, **members), SETTING)


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_a_whole_policy_in_terms_that_exist(
    sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _nowhere)
    document = odrl_consent(of_sample(sample), SETTING)

    assert amiss(document) == ""
    assert unknown_terms(document, SETTING.issuer) == set()
    assert document["term:notSaid"] == list(NOT_SAID)


def _nowhere(*_: object, **__: object) -> None:
    raise AssertionError("something was looked up")


def test_a_grant_is_a_permission_with_all_its_limits() -> None:
    said = terms(grants=[grant(max_uses=3, precision={"ident.birth_date": "year"})])
    (given,) = said.grants
    graph = expanded(view(said))

    (rule,) = objects(graph, THIS, ODRL2.permission)
    assert [str(each) for each in objects(graph, rule, ODRL2.assigner)] == [CLIENT]
    assert {str(each) for each in objects(graph, rule, ODRL2.target)} == set(assets(given.reads))
    limits = {
        (
            _short(objects(graph, each, ODRL2.leftOperand)),
            _short(objects(graph, each, ODRL2.operator)),
        )
        for each in objects(graph, rule, ODRL2.constraint)
    }
    assert limits == {
        ("purpose", "isAnyOf"),
        ("dateTime", "gteq"),
        ("dateTime", "lt"),
        ("count", "lteq"),
        (precision_iri("ident.birth_date"), "lteq"),
    }


def _short(found: list[Any]) -> str:
    (term,) = found
    return str(term).removeprefix("http://www.w3.org/ns/odrl/2/")


def test_nothing_is_passed_on_unless_the_client_said_so() -> None:
    kept = view(terms(grants=[grant()]))["prohibition"]

    assert [(each["action"], each["assignee"]) for each in kept] == [
        ("distribute", "urn:overdracht:recipient:org:vdab-gent")
    ]


def test_denials_and_refusals_are_prohibitions_and_those_win() -> None:
    said = terms(
        grants=[],
        denials=[{"sections": "all", "recipient": "relation:parent"}],
        refused=[{"purpose": "P8", "recipient": "any"}],
    )
    document = view(said, Change(ConsentState.REFUSED, NOON))

    denial, refusal = document["prohibition"]
    assert (denial["target"], denial["assignee"][-15:]) == (SUMMARY, "relation:parent")
    (for_what,) = refusal["constraint"]
    assert for_what["rightOperand"] == [{"@id": purpose_iri("P8")}]
    assert "permission" not in document
    assert document["conflict"] == "prohibit"
    assert amiss(document) == ""


@pytest.mark.parametrize("state", ConsentState)
def test_a_consent_that_releases_nothing_prohibits_what_it_permitted(state: ConsentState) -> None:
    document = view(None, Change(state, NOON))

    stopped = [each for each in document["prohibition"] if each["@id"].endswith(":stopped")]
    permitted = {(each["assignee"], *each["target"]) for each in document["permission"]}
    releases = state in {"given", "renewed", "narrowed"}
    assert {(each["assignee"], *each["target"]) for each in stopped} == (
        set() if releases else permitted
    )
    assert view(suspended=True)["prohibition"][-1]["@id"].endswith(":stopped")


def test_a_grant_that_was_withdrawn_permits_nothing() -> None:
    said = terms(grants=[grant(), grant(recipient="org:vdab-wvl")])
    left = view(said.without(frozenset({said.grants[0].id})))

    assert [each["assignee"][-8:] for each in left["permission"]] == ["vdab-wvl"]
