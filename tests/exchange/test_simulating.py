"""A simulation says what decisions say once the document is applied, and changes nothing."""

import copy
import json
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from sqlalchemy import update

from consent.notices import NoticeLibrary, read_notice
from exchange import records
from exchange.considering import Rulebook, consider, on_file
from exchange.directory import Directory, moved
from exchange.flows.administer import apply_documents, apply_notices
from exchange.flows.apply_rules import NewRules, apply_rules
from exchange.records import SummarySection
from exchange.samples import DATA, REFERENCE, directory_documents, samples
from exchange.services import Services
from exchange.simulating import FIRST, Affected, Simulation
from exchange.supposing import World, with_agreements
from exchange.suppositions import asked_anew, supposed, world_today
from exchange.transaction import Outcome, Transaction
from exchange.under_model import ModelRefused, _directory, under_model
from policies.agreements import in_force as agreement_in_force
from policies.at_most import Levels
from policies.decision import Decision, Refused
from policies.gates import Decider
from policies.purposes import purpose_list
from policies.risk_analysis import RISK_ANALYSIS, analysed_in
from policies.site_rules import load_overlay
from policies.summary_model import read_summary_model
from policies.vocabulary import Reason
from policies.what_if import Effect, Release, compared, levels_of
from policies.yaml_files import read_yaml
from tests.builders import Broker, logged
from tests.policies.editions import in_force as in_force_edition
from tests.policies.test_risk_analysis import completed

NOTHING: Levels = frozenset()
NOT_ASKED = {Reason.SUBJECT_RESTRICTED, Reason.QUARANTINED}
"""What stops a client today without anybody having changed a rule: a simulation looks beyond."""
GONE = ("work", "status")
DESTAP, VDAB = "PR-2026-004", "PR-2026-001"
RULE = """@id("SITE_NO_GOALS")
forbid (principal, action == Action::"release", resource == Section::"goals");
"""


def agreement(id: str, **members: Any) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(directory_documents()["agreement"][id])
    return document | members


def flowing(id: str, purpose: str, version: str, **members: Any) -> dict[str, Any]:
    """A version of the agreement with other members in its flows for the purpose."""
    document = agreement(id, version=version)
    for flow in document["flows"]:
        if flow["purposes"] == [purpose]:
            flow.update(members)
    return document


def directory(**changed: dict[str, Any]) -> dict[str, Any]:
    """The directory with other members in some of its organisations."""
    documents = copy.deepcopy(directory_documents())
    for id, members in changed.items():
        documents["organisation"][id.replace("_", "-")] |= members
    return {
        "organisations": list(documents["organisation"].values()),
        "partnerships": list(documents["partnership"].values()),
    }


def notice(version: str) -> dict[str, str]:
    text = (DATA / "notices" / "N-P2.nl.md").read_text("utf-8")
    return {"N-P2.nl.md": text.replace("'2.1'", f"'{version}'")}


LOST = {"accreditation": {"status": "withdrawn", "since": None, "until": None}}
NARROW = ["ident", "contact", "goals"]
WIDE = ["ident", "contact", "lang", "educ", "work", "goals", "agree", "refer", "traj"]
YEAR = {"ident.birth_date": "year"}
SUSPENDED = {"on": "2026-11-01", "by": "vdab-wvl", "reason_code": "under_review"}
DOCUMENTS: tuple[tuple[str, Any], ...] = (
    ("agreement", flowing(DESTAP, "P2", "3.0", sections=NARROW)),
    ("agreement", flowing(DESTAP, "P2", "4.0", sections=WIDE, precision_caps={})),
    ("agreement", flowing(DESTAP, "P2", "5.0", precision_caps=YEAR)),
    ("agreement", flowing(DESTAP, "P2", "5.0", precision_caps=YEAR) | {"state": "ended"}),
    ("agreement", agreement(DESTAP, version="6.0")),
    ("agreement", agreement(VDAB, version="9.0", state="draft")),
    ("agreement", agreement(VDAB, version="8.0", state="ended")),
    ("agreement", agreement(VDAB, version="7.0") | {"suspended": SUSPENDED}),
    ("agreement", agreement(VDAB, version="7.1")),
    ("organisations", directory(vdab_gent=LOST, cvo_west={"hard_denies": ["goals"]})),
    ("organisations", directory()),
    ("rules", {"goals.cedar": RULE}),
    ("notices", notice("9.0")),
)


def apply(services: Services, kind: str, document: Any) -> None:
    plain = json.loads(json.dumps(document, default=str))
    if kind == "agreement":
        documents = {"agreement": {plain["id"]: plain}}
        done = services.writer.submit(apply_documents, documents).result().value
        assert not isinstance(done, Refused), done
    elif kind == "organisations":
        documents = {
            "organisation": {each["id"]: each for each in plain["organisations"]},
            "partnership": {each["id"]: each for each in plain["partnerships"]},
        }
        services.writer.submit(apply_documents, documents).result()
    elif kind == "notices":
        new = [read_notice(text.encode()) for text in plain.values()]
        services.writer.submit(apply_notices, new).result()


def decided(tx: Transaction, each: Affected, rulebook: Rulebook) -> Outcome[Decision]:
    """What a fetch would be decided to now, in the course of a handover."""
    lane = each.lane
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=lane.holder, handle=each.handle
    )
    known = on_file(tx, client, lane.recipient)
    found = consider(tx, rulebook, lane.request, client, known, care_relation=True)
    return Outcome(found.decision)


def decisions(services: Services, affected: list[Affected], rulebook: Rulebook) -> list[Decision]:
    submit = services.writer.submit
    found = [submit(decided, each, rulebook).result().value for each in affected]
    return [each for each in found if not isinstance(each, Refused)]


@pytest.fixture
def everybody(broker: Broker) -> Broker:
    """All sample clients, registered and consented as their stories begin."""
    for sample in samples().values():
        handle = broker.registered(sample)
        broker.as_(sample.holder).post(f"/v1/clients/{handle}/consents", json=sample.consent)
    return broker


def simulated(services: Services, kind: str, document: Any) -> list[Affected]:
    today = world_today(services)
    with supposed(services, today, kind, document) as then:
        compared = Simulation(
            services.database, services.keys, today=today, then=then, at=services.clock()
        )
        pages = [compared.page(each, after=FIRST) for each in today.directory.organisations]
    return [one for page in pages for one in page.affected]


def in_force(services: Services, kind: str, document: Any) -> Rulebook:
    """The rules after the document was applied for real."""
    if kind == "rules":
        decider = Decider(load_overlay(site=document))
        return replace(services.rulebook, decider=decider)
    apply(services, kind, document)
    return services.rulebook


def test_a_simulation_says_what_decisions_say_once_the_document_is_applied(
    everybody: Broker,
) -> None:
    services, seen = everybody.services, Counter[str]()

    for kind, document in DOCUMENTS:
        affected = simulated(services, kind, document)
        before = decisions(services, affected, services.rulebook)
        after = decisions(services, affected, in_force(services, kind, document))
        for each, was, now in zip(affected, before, after, strict=True):
            if NOT_ASKED.isdisjoint({was.reason, now.reason}):
                told = compared(*(Release(levels_of(one), NOTHING) for one in (was, now)))
                assert (each.change.loses, each.change.regains) == (told.loses, told.regains)
                assert each.change.reason == (now.reason if was.reason is None else None)
                seen.update(map(str, each.change.effects or ("unchanged",)))

    assert {*map(str, Effect), "unchanged"} <= seen.keys()


def other_model(*levels: str) -> str:
    """A field less, one that has several levels where it had one, and these of the birth date."""
    raw = read_yaml(files("policies").joinpath("summary_model.yaml").read_bytes())
    for section in raw["sections"]:
        kept = [each for each in section["fields"] if (section["id"], each["id"]) != GONE]
        section["fields"] = kept
        for each in kept:
            if each["id"] == "birth_date":
                each |= {"precision": levels, "default_precision": levels[-1]}
                each |= {"base_precision": levels[-1]}
            if each["id"] == "given_name":
                each["precision"] = ["exact", "category"]
    return json.dumps(raw)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_another_summary_model_is_simulated_as_decisions_are_made_under_it(
    everybody: Broker,
) -> None:
    services, model = everybody.services, other_model("day", "year")
    affected = simulated(services, "model", model)
    before = decisions(services, affected, services.rulebook)

    with in_force_edition(lambda: (read_summary_model(model.encode()), purpose_list())):
        services.writer.submit(reread).result()
        fresh = replace(services.rulebook, decider=services.rulebook.decider.anew())
        after = decisions(services, affected, fresh)
        known = [levels_of(each) for each in after]
    services.writer.submit(reread).result()

    for each, was, now, levels in zip(affected, before, after, known, strict=True):
        if NOT_ASKED.isdisjoint({was.reason, now.reason}):
            told = compared(Release(levels_of(was), NOTHING), Release(levels, NOTHING))
            assert (each.change.loses, each.change.regains) == (told.loses, told.regains)
    assert any("work.status" in each.change.loses for each in affected)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_is_in_force_already_changes_nothing(everybody: Broker) -> None:
    services, rules = everybody.services, {"goals.cedar": RULE}
    special = agreement(VDAB, version="3.0")
    special["flows"][0] |= {"extra_fields": ["health.functional_limits"]}
    analysis = {RISK_ANALYSIS: {"P1/1.0": completed("P1")}}
    order = NewRules(rules, services.ruling.rest, "", two=False)
    services.writer.submit(apply_rules, order).result()
    services.writer.submit(apply_documents, analysis).result()
    apply(services, "agreement", special)
    model = files("policies").joinpath("summary_model.yaml").read_text("utf-8")

    for kind, document in (("agreement", special), ("rules", rules), ("model", model)):
        affected = simulated(services, kind, document)
        assert DESTAP in {each.change.agreement for each in affected}
        assert [each for each in affected if each.change.effects] == [], kind
        today = world_today(services)
        with supposed(services, today, kind, document) as then:
            asks = [*asked_anew(today, then, REFERENCE), *asked_anew(then, today, REFERENCE)]
        assert asks == [], kind


def test_a_model_that_an_agreement_does_not_fit_is_refused_with_the_place() -> None:
    documents = json.loads(json.dumps(directory_documents(), default=str)) | {RISK_ANALYSIS: {}}
    today = World(Directory(0, {}, {}, (), {}, NoticeLibrary(())), Decider(load_overlay()))

    with (
        pytest.raises(ModelRefused, match=r"flows: ident\.birth_date has no precision year"),
        under_model(today, other_model("day", "age_band").encode(), documents, {}, REFERENCE),
    ):
        pass


def test_a_risk_analysis_that_is_registered_counts_in_what_is_supposed() -> None:
    special = agreement("PR-2026-001")
    special["flows"][0]["extra_fields"] = ["health.functional_limits"]
    registered = {"P1/1.0": completed()}
    today = Directory(
        0, {}, {}, (), {}, NoticeLibrary(()), analysed=analysed_in(registered.values())
    )
    stored = {"organisation": {}, "partnership": {}, "agreement": {VDAB: special}}

    other = with_agreements(today, [special])
    elsewhere = _directory(stored | {RISK_ANALYSIS: registered})

    for each in (other, elsewhere):
        assert [agreement_in_force(one, REFERENCE) for one in each.agreements] == [True]


def reread(tx: Transaction) -> Outcome[None]:
    """Have the directory read anew: its agreements name fields of the model."""
    moved(tx.connection, shard=tx.shard)
    return Outcome(None)


def test_a_simulation_changes_nothing_and_needs_no_summary(everybody: Broker) -> None:
    services = everybody.services
    expected = simulated(services, *DOCUMENTS[0])
    services.writer.submit(spoil_summaries).result()
    size, before = len(logged(services)), services.directory()

    assert expected
    assert simulated(services, *DOCUMENTS[0]) == expected
    assert services.directory() is before
    assert len(logged(services)) == size


def spoil_summaries(tx: Transaction) -> Outcome[None]:
    tx.connection.execute(update(SummarySection).values(sealed=b"spoilt"))
    return Outcome(None)
