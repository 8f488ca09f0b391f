"""A consent as FHIR R4 and back: what FHIR can say is not lost, what it cannot is named."""

import copy
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.consent import Consent
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.belgian_time import day_of, instant
from consent.content import Evidence, Terms
from consent.fhir_consent import UNSAID, fhir_consent
from consent.fhir_import import body_of
from consent.recorded import Change
from consent.terms import TermsRefused
from policies.purposes import purpose_list
from policies.vocabulary import ConsentState, Operation, Section
from tests.consent.builders import (
    ADULT_BORN,
    HOLDER,
    MINOR,
    MINOR_BORN,
    NOON,
    NOTICE,
    grant,
    micros,
    terms,
)
from tests.consent.recording import SAMPLES, SETTING, nobody_in, of_sample, read, recorded_as

STATUS = {
    "requested": "proposed",
    "deferred": "proposed",
    "given": "active",
    "renewed": "active",
    "narrowed": "active",
    "refused": "rejected",
    "withdrawn": "inactive",
    "expired": "inactive",
    "invalidated": "entered-in-error",
    "revoked_by_other": "inactive",
    "unknown": "draft",
}
TODAY = day_of(instant(NOON))
WHOLE: dict[str, Any] = {
    "grants": [
        grant(
            sections=["ident", "educ"],
            include=["ident.birth_date"],
            exclude=["educ.early_leaver"],
            ops=["download", "notify", "view"],
            precision={"ident.birth_date": "year"},
            until_event="first_contact",
            max_uses=3,
            onward=True,
        )
    ],
    "denials": [
        {"sections": ["health", "net"], "recipient": "any"},
        {"sections": "all", "recipient": "relation:parent"},
    ],
    "refused": [{"purpose": "P8", "recipient": "any"}],
}


def exported(said: Terms, state: ConsentState = ConsentState.GIVEN) -> dict[str, Any]:
    return fhir_consent(recorded_as(said, Change(state, NOON)), SETTING)


def imported(resource: dict[str, Any]) -> dict[str, Any]:
    return body_of(resource, handle=SETTING.handle, controller=HOLDER)


def refused(resource: Any) -> set[str]:
    with pytest.raises(TermsRefused) as told:
        imported(resource)
    return {f"{place}: {code}" for place, code in told.value.problems}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_valid_in_r4_and_comes_back_as_it_was(sample: str) -> None:
    kept, sent = of_sample(sample), SAMPLES[sample]

    resource = fhir_consent(kept, SETTING)

    Consent.model_validate(resource)
    assert nobody_in(resource)
    body = body_of(resource, handle=SETTING.handle, controller=sent["controller"])
    # Who a witness was is told to nobody: whoever sends it back says it again.
    unsaid = {name: sent["body"]["evidence"].get(name) for name in ("auth", "place", "witness")}
    body["evidence"] |= {name: said for name, said in unsaid.items() if said is not None}
    assert read(body, sent) == kept.terms


@pytest.mark.parametrize("state", ConsentState)
def test_each_state_has_its_status(state: ConsentState) -> None:
    resource = exported(terms(), state)

    Consent.model_validate(resource)
    assert resource["status"] == STATUS[state]


def test_a_consent_on_hold_is_not_told_as_one_that_counts() -> None:
    resource = fhir_consent(recorded_as(suspended=True), SETTING)

    assert resource["status"] == "inactive"


def test_what_fhir_is_not_told_is_named_and_is_not_there() -> None:
    evidence = {"method": "oral_witnessed", "witness": "Els Peeters", "place": "Gent-Zuid"}
    said = terms(evidence=evidence, grants=[grant(), grant(recipient="org:vdab-wvl")])
    resource = exported(said.without(frozenset({said.grants[0].id})))

    (ours,) = resource["extension"]
    named = [each["valueString"] for each in ours["extension"] if each["url"] == "unsaid"]
    assert tuple(named) == UNSAID
    assert [each["id"] for each in resource["provision"]["provision"]] == ["g2"]
    assert [each for each in ("Peeters", "Gent-Zuid") if each in str(resource)] == []


def test_grants_denials_and_refusals_come_back_in_full() -> None:
    said = terms(**WHOLE)

    body = imported(exported(said))

    assert terms(**body) == said
    assert body["denials"] == WHOLE["denials"]
    assert body["refused"] == WHOLE["refused"]


def test_a_capable_minor_and_a_freedom_check_come_back() -> None:
    checks = {"asked_alone": True, "no_effect_on_regime_stated": False}
    said = terms(
        born=MINOR_BORN,
        capacity=MINOR | {"parents": "informed"},
        evidence={"method": "paper_scan", "sha256": "b" * 64, "freedom_check": checks},
    )

    assert terms(born=MINOR_BORN, **imported(exported(said))) == said


def test_a_guardian_with_a_mandate_comes_back() -> None:
    mandate = {"sha256": "d" * 64, "until": "2027-06-30", "purposes": ["P2"], "sections": ["educ"]}
    said = terms(
        capacity={"type": "guardian", "mandate": mandate},
        evidence={"method": "paper_scan", "sha256": "b" * 64},
        grants=[grant(sections=["educ"])],
    )

    assert terms(**imported(exported(said))) == said


def test_a_relative_who_interpreted_and_what_was_said_back_come_back() -> None:
    notice = NOTICE | {"interpreter": "zus", "interpreter_kind": "relative"}
    said = terms(
        notice=notice,
        evidence={"method": "paper_scan", "sha256": "b" * 64},
        grants=[grant(teach_back="passed")],
    )

    assert said.confirm_by is not None
    assert terms(**imported(exported(said))) == said


DAYS = st.dates(TODAY, TODAY + timedelta(days=700))
SECTIONS = st.lists(
    st.sampled_from(["ident", "contact", "lang", "educ", "work", "goals"]), min_size=1, unique=True
)
GRANTS = st.fixed_dictionaries(
    {
        "purpose": st.just("P2"),
        "recipient": st.sampled_from(["org:vdab-gent", "org:vdab-wvl", "org-site:vdab-wvl/ktr"]),
        "sections": SECTIONS,
        "ops": st.lists(st.sampled_from(list(Operation)), min_size=1, unique=True).map(
            lambda ops: [each.value for each in ops]
        ),
        "until": DAYS.map(date.isoformat),
    },
    optional={
        "from": st.just(TODAY.isoformat()),
        "until_event": st.sampled_from(["first_contact", "trajectory_closed", "release"]),
        "max_uses": st.integers(1, 10**6),
        "onward": st.booleans(),
        "precision": st.just({"ident.birth_date": "year"}),
    },
)
DENIALS = st.fixed_dictionaries(
    {
        "sections": st.just("all")
        | st.lists(st.sampled_from([each.value for each in Section]), min_size=1, unique=True),
        "recipient": st.sampled_from(["any", "relation:family", "category:employer"]),
    }
)
REFUSALS = st.fixed_dictionaries(
    {
        "purpose": st.sampled_from([p for p in purpose_list().purposes if p != "P2"]),
        "recipient": st.sampled_from(["any", "org:vdab-gent"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    functions=st.lists(st.sampled_from(list(purpose_list().functions)), min_size=1, unique=True),
    grants=st.lists(GRANTS, min_size=1, max_size=4),
    denials=st.lists(DENIALS, max_size=3),
    refusals=st.lists(REFUSALS, max_size=3),
)
def test_there_and_back_loses_nothing_that_fhir_is_told(
    functions: list[str],
    grants: list[dict[str, Any]],
    denials: list[dict[str, Any]],
    refusals: list[dict[str, Any]],
) -> None:
    # Written evidence: what it is given for may ask for it.
    evidence = {"method": "paper_scan", "sha256": "c" * 64}
    said = terms(
        functions=functions, grants=grants, denials=denials, refused=refusals, evidence=evidence
    )

    assert terms(**imported(exported(said))) == said
    assert said.evidence == Evidence("paper_scan", sha256="c" * 64)
    assert said.grants[0].start == micros(NOON)


def _put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def put(resource: Any) -> None:
        for name in path[:-1]:
            resource = resource[name]
        resource[path[-1]] = value

    return put


IN_GRANT = ("provision", "provision", 0)
STRANGE = [{"system": "http://snomed.info/sct", "code": "1"}]
ACTOR = "provision.provision.0.actor.0"
MORE = "provision.provision.0.extension.0"


def _said_again(*path: Any, **members: str) -> Callable[[dict[str, Any]], None]:
    """Says in our extension, otherwise, what an element of the resource says."""

    def say(resource: Any) -> None:
        for name in path:
            resource = resource[name]
        (ours,) = resource["extension"]
        notice = [each for each in ours["extension"] if each["url"] == "notice"]
        more = [{"url": name, "valueString": said} for name, said in members.items()]
        (notice[0] if notice else ours)["extension"] += more

    return say


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_put("patient", "identifier", "value", value="z" * 26), "patient: not_this_client"),
        (_put("patient", value={"reference": "Patient/1"}), "patient.identifier: required"),
        (
            _put("organization", 0, "identifier", "value", value="vdab-gent"),
            "organization: not_yours",
        ),
        (_put("status", value="inactive"), "status: invalid"),
        (_put("status", value="rejected"), "status: something_permitted"),
        (_put("modifierExtension", value=[]), "?: unknown"),
        (_put("extension", 0, "url", value="https://example.org/x"), "extension.0: unknown"),
        (_put("provision", "type", value="permit"), "provision.type: invalid"),
        (
            _put(*IN_GRANT, "purpose", value=STRANGE),
            "provision.provision.0.purpose.0.system: unknown",
        ),
        (_put(*IN_GRANT, "purpose", value=[]), "provision.provision.0.purpose: exactly_one"),
        (_put(*IN_GRANT, "actor", value=[]), "provision.provision.0.actor: exactly_one"),
        (_put(*IN_GRANT, "class", value=STRANGE), "provision.provision.0.class.0.system: unknown"),
        (
            _put(*IN_GRANT, "period", value={"end": "soon"}),
            "provision.provision.0.period.end: invalid",
        ),
        (_put(*IN_GRANT, "data", value=[]), "provision.provision.0.data: unknown"),
        (
            _put("provision", "provision", 1, "period", value={"end": "2027-01-01"}),
            "provision.provision.1.period: unknown",
        ),
        (
            _put("provision", "provision", 3, "purpose", value=[]),
            "provision.provision.3.purpose: required",
        ),
        (_put("scope", "coding", value=STRANGE), "scope: unknown"),
        (_put("category", value=[]), "category: unknown"),
        (_put(*IN_GRANT, "actor", 0, "role", "coding", value=STRANGE), f"{ACTOR}.role: unknown"),
        (_put("policyRule", "coding", value=[]), "policyRule.coding: exactly_one"),
        (_said_again(*IN_GRANT, recipient="org:vdab-wvl"), f"{MORE}.recipient: unknown"),
        (_said_again(*IN_GRANT, purpose="P3"), f"{MORE}.purpose: unknown"),
        (_said_again(version="1.0"), "extension.0.version: unknown"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_not_understood_is_refused_and_never_dropped(
    change: Callable[[dict[str, Any]], None], told: str
) -> None:
    resource = exported(terms(**WHOLE))

    change(resource)

    assert told in refused(resource)


def test_a_consent_without_our_extension_lacks_what_is_compulsory() -> None:
    resource = exported(terms())
    resource["extension"] = []

    with pytest.raises(TermsRefused) as told:
        terms(
            functions=None,
            capacity=None,
            evidence=None,
            notice=None,
            **imported(resource),
        )

    assert ("evidence", "required") in told.value.problems


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({})
)


def taken(resource: Any) -> object:
    """The terms that come of it, or what is wrong with it."""
    try:
        return terms(**({"denials": None, "refused": None} | imported(resource)))
    except TermsRefused as told:
        return told.problems


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_broken_resource_is_refused_in_words_and_breaks_nothing(data: st.DataObject) -> None:
    resource = copy.deepcopy(exported(terms(born=ADULT_BORN, **WHOLE)))
    place: Any = resource
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(LEAVES)
            break
        place = place[key]

    assert taken(resource)
