"""What another program reads in a policy of ours, from its text alone."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pyshacl
from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import DCTERMS, ODRL2, RDF, SKOS

from policies.purposes import purpose_list

DATA = Path(__file__).parent.parent / "data"
DPV = Namespace("https://w3id.org/dpv#")
ODRL = "http://www.w3.org/ns/odrl/2/"
OURS = "urn:overdracht:"


def expanded(document: dict[str, Any]) -> Graph:
    """Its triples. Nothing is fetched: the context stands in the document."""
    return Graph().parse(data=json.dumps(document), format="json-ld")


@cache
def _shapes() -> Graph:
    return Graph().parse(DATA / "odrl-core.shapes.ttl", format="turtle")


def amiss(document: dict[str, Any]) -> str:
    """What the core of ODRL 2.2 has against it; nothing when it fits."""
    conforms, _, said = pyshacl.validate(expanded(document), shacl_graph=_shapes())
    return "" if conforms else str(said)


@cache
def known_terms() -> frozenset[str]:
    """The terms of ODRL 2.2 and DPV 2.2 that exist, as far as ours can use them."""
    listed = (DATA / "dpv-2.2-terms.txt").read_text("utf-8").split()
    known = purpose_list()
    named = [
        *(term for each in known.purposes.values() for term in each.dpv),
        *(term for each in known.prohibited.values() for term in each.dpv),
        *(t for each in known.purposes.values() for b in each.legal_basis.values() for t in b),
        *known.operation_terms.values(),
        *(term for each in known.data_categories.values() for term in each),
    ]
    pairs = (each.split(":") for each in named)
    return frozenset(
        {str(DPV[each]) for each in listed}
        | {known.prefixes[prefix] + term for prefix, term in pairs}
        | {ODRL + name for name in ODRL2.__annotations__}
    )


def unknown_terms(document: dict[str, Any], base: str) -> set[str]:
    """The names in it that are no term of ODRL, DPV, Dublin Core, SKOS or RDF, and not ours."""
    used = {str(term) for triple in expanded(document) for term in triple}
    names = {each for each in used if each.startswith(("http", "urn:")) and " " not in each}
    free = (OURS, base, str(DCTERMS), str(SKOS), str(RDF), "http://www.w3.org/2001/XMLSchema#")
    return {each for each in names if not each.startswith(free)} - known_terms()


def objects(graph: Graph, node: Any, *path: URIRef) -> list[Any]:
    """What is found from a node along a path."""
    found: list[Any] = [node]
    for step in path:
        found = [each for one in found for each in graph.objects(one, step)]
    return found
