"""The same entries as other registers take them: a view, made on reading, never the record."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from jsonschema import Draft202012Validator, FormatChecker

from audit import fhir_view, register_view
from audit.leaf import KINDS
from audit.views import House, Shown
from exchange.keeping import audit_export
from exchange.operations import OperationRefused
from exchange.services import Services
from policies.vocabulary import Section
from tests.builders import Broker, Story, logged
from tests.exchange.console import command_line

DATA = Path(__file__).parents[1] / "data"
# From the project's own specification of its data formats, unchanged.
SCHEMA = json.loads((DATA / "audit-event.schema.json").read_text("utf-8"))
VALID = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


@pytest.fixture
def story(broker: Broker) -> Story:
    """A client of whom much was done: registered, shared, read, refused, withdrawn."""
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    assert story.withdraw().is_success
    assert not story.fetch().is_success
    return story


def viewed(services: Services, place: Path, form: str, **asked: Any) -> list[dict[str, Any]]:
    out = place / f"{form}.jsonl"
    (result,) = audit_export(services, {"out": str(out), "as": form} | asked)
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert result == {"file": out.name, "entries": len(lines)}
    return lines


def test_the_register_s_form_fits_its_schema(broker: Broker, story: Story, tmp_path: Path) -> None:
    whole = logged(broker.services)

    events = viewed(broker.services, tmp_path, "register")

    for each in events:
        VALID.validate(each)
    personal = [each for each in whole if "pv" in each]
    kinds = [each["k"] for each in personal]
    assert [each["event"] for each in events] == [*kinds, "audit.exported"]
    assert [each["seq"] for each in events[:-1]] == [each["index"] + 1 for each in personal]
    following = [(a, b) for a, b in pairwise(events) if b["seq"] == a["seq"] + 1]
    assert following
    assert all(b["prev_hash"] == a["hash"] for a, b in following)
    said = {each["event"]: each for each in events}
    refused, released = said["summary.refused"], said["summary.released"]
    assert (refused["decision"], refused["reason"]) == ("deny", "NO_CARE_RELATION")
    assert (released["decision"], released["who"]["org"]) == ("allow", "vdab-wvl")
    assert released["what"]["fields_released"]
    assert released["why"]["consent"] == story.consent
    assert said["consent.given"]["who"]["org"] == story.sample.holder


def test_the_auditregister_s_body_has_its_five_questions(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    bodies = viewed(broker.services, tmp_path, "auditregister")

    for each in bodies:
        assert each.keys() == {"meta", "registratie"}
        assert each["meta"] == {"onderwerpInOnderzoek": False}
        assert {"correlatieId", "tracingId", "requestId", "wie", "wanneer"} <= each[
            "registratie"
        ].keys()
    (released,) = (
        each["registratie"]
        for each in bodies
        if each["registratie"]["wat"]["handeling"] == "summary.released"
    )
    assert released["wie"]["organisatie"] == "vdab-wvl"
    assert released["waarom"]["doel"] == "P2"
    assert len(released["overWie"]) == 64
    assert released["correlatieId"] == story.handover


def test_an_inquiry_is_told_to_the_register(broker: Broker, story: Story, tmp_path: Path) -> None:
    holder = broker.as_(story.sample.holder)
    flags = {"flags": ["under_inquiry"]}
    assert holder.put(f"/v1/clients/{story.handle}/flags", json=flags).is_success

    asked = {"client": story.handle, "organisation": story.sample.holder}
    bodies = viewed(broker.services, tmp_path, "auditregister", **asked)

    assert {each["meta"]["onderwerpInOnderzoek"] for each in bodies} == {True}


def test_the_fhir_form_is_an_audit_event_of_r4(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    whole = logged(broker.services)

    resources = viewed(broker.services, tmp_path, "fhir")

    for each in resources:
        AuditEvent.model_validate(each)
    assert [each["id"] for each in resources[:-1]] == [each["id"] for each in whole]
    by_kind = {each["subtype"][-1]["code"]: each for each in resources}
    released, refused = by_kind["summary.released"], by_kind["summary.refused"]
    assert (released["type"]["code"], released["action"], released["outcome"]) == (
        "110106",
        "R",
        "0",
    )
    assert (refused["outcome"], refused["outcomeDesc"]) == ("4", "NO_CARE_RELATION")
    assert [each["requestor"] for each in released["agent"]].count(True) == 1
    roles = {each["type"]["coding"][0]["code"] for each in released["agent"] if "type" in each}
    assert roles == {"110152", "110153"}
    patient, *_ = released["entity"]
    assert patient["role"]["code"] == "1"


@pytest.mark.parametrize("form", ["register", "auditregister", "fhir"])
def test_no_view_names_anybody(broker: Broker, story: Story, tmp_path: Path, form: str) -> None:
    whole = logged(broker.services)
    client = next(each["client"] for each in whole if each["k"] == "client.registered")
    users = {each["user"] for each in whole if "user" in each}
    blinds = [broker.services.keys.blind("sub", client).hex()]

    asked = {"client": story.handle, "organisation": story.sample.holder}
    said = json.dumps(viewed(broker.services, tmp_path, form, **asked))

    assert users
    assert [each for each in (client, story.handle, *users, *blinds) if each in said] == []
    last = logged(broker.services)[-1]
    assert (last["k"], last["client"]) == ("disclosure.exported", client)


def test_one_handover_has_its_own_view(broker: Broker, story: Story, tmp_path: Path) -> None:
    events = viewed(broker.services, tmp_path, "register", handover=story.handover)

    kinds = {each["event"] for each in events}
    assert {"consent.given", "handover.offered", "summary.released"} <= kinds
    assert "client.registered" not in kinds
    with pytest.raises(OperationRefused):
        viewed(broker.services, tmp_path, "fhir", handover="h-none")


def test_a_range_has_its_own_view(broker: Broker, story: Story, tmp_path: Path) -> None:
    resources = viewed(broker.services, tmp_path, "fhir", **{"from": 2, "to": 5})

    whole = logged(broker.services)
    assert [each["id"] for each in resources] == [each["id"] for each in whole[2:5]]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_that_may_ever_be_written_has_every_view(kind: str) -> None:
    known = KINDS[kind]
    base = {"id": "01a0c450-6fe8-7f10-bf71-22ca2317b336", "k": kind, "t": 1790000001000000, "v": 1}
    base |= {"o": "error:x-1" if known.outcome == "error" else known.outcome}
    digest = "A" * 43
    if known.extra:
        numbers = {"epoch", "n", "min", "from", "quar", "rej", "to", "prev_size", "drop"}
        shape = min(known.extra, key=len)
        base |= {"e": {name: 1 if name in numbers else "x" for name in shape}}
    else:
        base |= {"ap": "app:x", "c": "org:one", "p": "org:other", "u": "P2", "pv": digest}
        base |= {"q": "a8b3aee3-9c7d-4007-ad66-093b8acf91ed", "d": ["contact", "goals"]}
        base |= {"x": {"a": digest, "s": digest, "y": digest}}
    leaf = json.dumps(base, sort_keys=True, separators=(",", ":")).encode()
    house = House(
        origin="broker.example/audit/tlog/s0e1",
        organisation="broker",
        pseudonym=lambda *_: "0" * 64,
        under_inquiry=lambda _: False,
    )

    # As when nothing may be shown, and as when all of it was erased.
    entry = Shown(7, leaf, {})

    AuditEvent.model_validate(fhir_view.audit_event(entry, house))
    event = register_view.register_event(entry, house)
    assert (event is None) == bool(known.extra)
    assert (register_view.registration(entry, house) is None) == bool(known.extra)
    if event is not None:
        VALID.validate(event)
        full = replace(entry, parts={"y": {"reason": "NOT_THE_HOLDER", "grants": ["g1"],
                                           "protocol": "none", "basis": "b" * 99}})  # fmt: skip
        shown = register_view.register_event(full, house)
        assert shown is not None
        VALID.validate(shown)
        assert shown["why"] == event["why"] | {"grant": "g1", "legal_context": "b" * 64}
        asked = Shown(7, leaf.replace(b'"P2"', b'"P96"'), {})
        VALID.validate(register_view.register_event(asked, house))


def test_the_register_s_reasons_and_sections_are_the_schema_s() -> None:
    named = SCHEMA["properties"]

    assert set(named["reason"]["enum"]) == register_view.REASONS
    sections = named["what"]["properties"]["sections_requested"]["items"]["enum"]
    assert set(Section) <= set(sections)


def test_a_schema_that_does_not_fit_is_seen() -> None:
    assert not VALID.is_valid({"seq": 0})
    with pytest.raises(ValueError, match="agent"):
        AuditEvent.model_validate({"resourceType": "AuditEvent"})


def test_a_form_that_does_not_exist_is_said(
    settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    overdracht = command_line(settings, monkeypatch, capsys)

    ran = overdracht("audit", "export", "--out", tmp_path / "x", "--as", "xml")

    assert ran.code == 2
    assert "register, auditregister, fhir" in ran.words
    assert not (tmp_path / "x").exists()


def test_the_command_line_writes_one(
    settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    overdracht = command_line(settings, monkeypatch, capsys)

    ran = overdracht("audit", "export", "--out", tmp_path / "x.jsonl", "--as", "fhir")

    assert ran.code == 0
    lines = (tmp_path / "x.jsonl").read_text("utf-8").splitlines()
    assert f"{len(lines)} entries as fhir" in ran.words
    assert json.loads(lines[0])["resourceType"] == "AuditEvent"
