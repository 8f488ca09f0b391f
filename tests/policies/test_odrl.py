"""An agreement as an ODRL policy: whole, in terms that exist, and nothing said is lost."""

import copy
import socket
from datetime import date
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings
from rdflib import Graph, URIRef
from rdflib.namespace import ODRL2, RDF

from policies.agreement_document import Agreement, Flow, read_agreement
from policies.agreements import Standing, standing
from policies.linked_data import ORGANISATION, action_iri, field_iri, precision_iri, purpose_iri
from policies.odrl import NOT_SAID, odrl_agreement
from policies.purposes import purpose_list
from policies.summary_model import fields_of, summary_model
from policies.vocabulary import FieldId, Operation, OrganisationId, Section
from tests.policies.policies_of_others import (
    DATA,
    OURS,
    amiss,
    expanded,
    objects,
    unknown_terms,
)

# The library's own reader of JSON-LD still uses what the library itself is about to leave.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
BASE = "https://broker.example"
TODAY = date(2026, 11, 2)
DOCUMENTS: dict[str, Any] = {
    path.name[:11]: yaml.safe_load(path.read_bytes())
    for path in sorted((DATA / "agreements").glob("*.yaml"))
}
IDS = sorted(DOCUMENTS)


def agreement(id: str, **members: Any) -> Agreement:
    return read_agreement(copy.deepcopy(DOCUMENTS[id]) | members)


def view(of: Agreement, on: date = TODAY) -> dict[str, Any]:
    return odrl_agreement(of, BASE, on)


def flows_in(document: dict[str, Any]) -> tuple[Flow, ...]:
    """The flows as they are read back from the triples alone."""
    graph, this = expanded(document), URIRef(document["uid"])
    rules = sorted(graph.objects(this, ODRL2.permission), key=lambda each: int(str(each)[-1]))
    kept = {str(each) for each in graph.objects(this, ODRL2.prohibition)}
    return tuple(_flow(graph, rule, onward=f"{rule}-onward" not in kept) for rule in rules)


def _flow(graph: Graph, rule: Any, *, onward: bool) -> Flow:
    limits: dict[str, list[str]] = {}
    for each in graph.objects(rule, ODRL2.constraint):
        (operand,) = graph.objects(each, ODRL2.leftOperand)
        limits[str(operand)] = [str(v) for v in graph.objects(each, ODRL2.rightOperand)]
    caps = {name: held[0] for name, held in limits.items() if name.startswith(precision_iri(""))}
    names = [str(each).removeprefix(OURS) for each in graph.objects(rule, ODRL2.target)]
    whole = [fields_of(Section(each[8:])) for each in names if each.startswith("section:")]
    single = {FieldId(each[6:]) for each in names if each.startswith("field:")}
    masking = URIRef(f"{OURS}term:originMasking")
    return Flow(
        from_=_parties(graph, rule, ODRL2.assigner),
        to=_parties(graph, rule, ODRL2.assignee),
        purposes=tuple(
            sorted(each.removeprefix(purpose_iri("")) for each in limits[str(ODRL2.purpose)])
        ),
        fields=frozenset(single).union(*whole),
        precision_caps=tuple(
            sorted((FieldId(n.removeprefix(precision_iri(""))), level) for n, level in caps.items())
        ),
        operations=frozenset(
            op for op in Operation if URIRef(action_iri(op)) in objects(graph, rule, ODRL2.action)
        ),
        onward=onward,
        origin_masking=bool(list(graph.objects(rule, masking))),
        persons_per_year=_number(graph, rule, "personsPerYear"),
        keep_months=_number(graph, rule, "keepMonths"),
        instructs=(rule, URIRef(f"{OURS}term:instructs"), None) in graph,
    )


def _number(graph: Graph, rule: Any, term: str) -> int | None:
    found = graph.value(rule, URIRef(f"{OURS}term:{term}"))
    return None if found is None else int(str(found))


def _parties(graph: Graph, rule: Any, role: URIRef) -> tuple[OrganisationId, ...]:
    found = (str(each).removeprefix(ORGANISATION) for each in graph.objects(rule, role))
    return tuple(OrganisationId(each) for each in sorted(found))


def in_order(flow: Flow) -> Flow:
    """The same with its lists, whose order says nothing, sorted."""
    return Flow(
        from_=tuple(sorted(flow.from_)),
        to=tuple(sorted(flow.to)),
        purposes=tuple(sorted(flow.purposes)),
        fields=flow.fields,
        precision_caps=tuple(sorted(flow.precision_caps)),
        operations=flow.operations,
        onward=flow.onward,
        origin_masking=flow.origin_masking,
        persons_per_year=flow.persons_per_year,
        keep_months=flow.keep_months,
        instructs=flow.instructs,
    )


@pytest.mark.parametrize("id", IDS)
def test_every_agreement_is_a_whole_policy_in_terms_that_exist(
    id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _nowhere)
    document = view(agreement(id))

    assert amiss(document) == ""
    assert unknown_terms(document, BASE) == set()
    assert document["term:notSaid"] == list(NOT_SAID)


def _nowhere(*_: object, **__: object) -> None:
    raise AssertionError("something was looked up")


@pytest.mark.parametrize("id", IDS)
def test_the_flows_are_read_back_as_they_were(id: str) -> None:
    whole = agreement(id)

    assert flows_in(view(whole)) == tuple(map(in_order, whole.flows))


_orgs = st.lists(st.sampled_from(["destap-ww", "vdab-gent"]), min_size=1, max_size=2, unique=True)
_fields = sorted(summary_model().fields)
_levels = [(name, level) for name in _fields for level in summary_model().fields[name].precision]
_any_flow: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "from": _orgs,
        "to": _orgs,
        "purposes": st.lists(
            st.sampled_from(sorted(purpose_list().purposes)), min_size=1, unique=True
        ),
        "sections": st.lists(st.sampled_from(list(Section)), min_size=1, max_size=4, unique=True),
        "extra_fields": st.lists(st.sampled_from(_fields), max_size=4, unique=True),
        "excluded_fields": st.lists(st.sampled_from(_fields), max_size=4, unique=True),
        "operations": st.lists(st.sampled_from(list(Operation)), min_size=1, unique=True),
        "onward": st.booleans(),
        "origin_masking": st.booleans(),
        "precision_caps": st.lists(st.sampled_from(_levels), max_size=3).map(dict),
    },
    optional={"persons_per_year": st.integers(1, 500), "keep_months": st.integers(1, 120)},
)
_a_flow = _any_flow.filter(lambda flow: not {*flow["extra_fields"]} & {*flow["excluded_fields"]})


@settings(max_examples=20)
@given(flows=st.lists(_a_flow, min_size=1, max_size=3))
def test_any_flows_are_read_back_as_they_were(flows: list[dict[str, Any]]) -> None:
    whole = agreement("PR-2026-004", flows=flows)
    if not all(each.fields for each in whole.flows):  # nothing to share is no permission
        return

    assert flows_in(view(whole)) == tuple(map(in_order, whole.flows))


def test_what_a_processor_may_do_is_marked_as_in_the_name_of_its_controller() -> None:
    parties = [dict(each) for each in DOCUMENTS["PR-2026-004"]["parties"]]
    parties[1]["role"] = "processor"
    flow = DOCUMENTS["PR-2026-004"]["flows"][0]
    flow = flow | {"from": [parties[0]["org"]], "to": [parties[1]["org"]]}
    whole = agreement("PR-2026-004", parties=parties, flows=[flow])

    assert [each.instructs for each in flows_in(view(whole))] == [True]


def test_a_flow_is_one_permission_with_its_parties_purposes_days_and_duty() -> None:
    graph = expanded(view(agreement("PR-2026-004")))
    rule = URIRef(f"{BASE}/agreements/PR-2026-004#flow-1")

    assert objects(graph, rule, ODRL2.assigner) == [
        URIRef(f"{ORGANISATION}{agreement('PR-2026-004').flows[0].from_[0]}")
    ]
    days = {
        (str(objects(graph, each, ODRL2.operator)[0]).rpartition("/")[2], str(value))
        for each in graph.objects(rule, ODRL2.constraint)
        if objects(graph, each, ODRL2.leftOperand) == [ODRL2.dateTime]
        for value in graph.objects(each, ODRL2.rightOperand)
    }
    assert days == {
        ("gteq", DOCUMENTS["PR-2026-004"]["valid_from"]),
        ("lteq", DOCUMENTS["PR-2026-004"]["valid_until"]),
    }
    assert objects(graph, rule, ODRL2.duty, ODRL2.action) == [ODRL2.delete]


@pytest.mark.parametrize("id", IDS)
def test_an_agreement_that_lets_nothing_go_today_prohibits_all_use(id: str) -> None:
    whole = agreement(id)
    document = view(whole)

    names = [each["@id"].partition("#")[2] for each in document["prohibition"]]
    assert ("standing" in names) is (standing(whole, TODAY) is not Standing.IN_FORCE)
    assert document["conflict"] == "prohibit"


def test_a_suspension_counts_from_its_day() -> None:
    (rule,) = [
        each for each in view(agreement("PR-2026-010"))["prohibition"] if "#standing" in each["@id"]
    ]

    (since,) = rule["constraint"]
    assert (since["leftOperand"], since["operator"]) == ("dateTime", "gteq")
    assert since["rightOperand"]["@value"] == DOCUMENTS["PR-2026-010"]["suspended"]["on"]


def test_what_not_all_have_signed_is_an_offer() -> None:
    parties = copy.deepcopy(DOCUMENTS["PR-2026-004"]["parties"])
    parties[0]["signed_on"] = None

    assert view(agreement("PR-2026-004"))["@type"] == "Agreement"
    assert view(agreement("PR-2026-004", parties=parties))["@type"] == "Offer"
    assert amiss(view(agreement("PR-2026-004", parties=parties))) == ""


@pytest.mark.parametrize("id", IDS)
def test_no_agreement_permits_a_prohibited_purpose(id: str) -> None:
    graph = expanded(view(agreement(id)))
    (never,) = [
        each for each in graph.subjects(RDF.type, ODRL2.Prohibition) if "#prohib" in str(each)
    ]

    banned = {purpose_iri(each.code) for each in purpose_list().prohibited.values()}
    path = (ODRL2.constraint, ODRL2.rightOperand)
    assert {str(each) for each in objects(graph, never, *path)} == banned
    assert set(graph.objects(never, ODRL2.assignee)) == {
        URIRef(f"{ORGANISATION}{each.org}") for each in agreement(id).parties
    }
    for rule in graph.subjects(RDF.type, ODRL2.Permission):
        assert banned.isdisjoint(map(str, objects(graph, rule, *path)))


def test_a_field_alone_is_told_with_the_section_that_it_is_part_of() -> None:
    graph = expanded(view(agreement("PR-2026-003")))

    field = URIRef(field_iri("benef.exemption_status"))
    assert objects(graph, field, ODRL2.partOf) == [URIRef(f"{OURS}section:benef")]


@pytest.mark.parametrize("member", ["uid", "conflict", "profile"])
def test_the_shapes_miss_what_a_policy_must_have(member: str) -> None:
    document = view(agreement("PR-2026-004"))
    del document[member]

    assert amiss(document)


@pytest.mark.parametrize("member", ["target", "action", "assigner", "assignee"])
def test_the_shapes_miss_what_a_permission_must_have(member: str) -> None:
    document = view(agreement("PR-2026-004"))
    del document["permission"][0][member]

    assert amiss(document)
