"""An operator asks what a document would change, and is told numbers and what to do next."""

import json
from pathlib import Path
from typing import Any

import pytest

from exchange.samples import DATA, directory_documents, samples
from exchange.services import build_services
from exchange.settings import Settings
from exchange.simulating import Affected
from exchange.simulation_report import Summed
from exchange.supposing import Lane
from policies.vocabulary import (
    AgreementId,
    ClientId,
    ConsentId,
    FieldId,
    Handle,
    HandoverId,
    OrganisationId,
    Reason,
)
from policies.what_if import Change
from tests.builders import Broker, Clock, logged
from tests.exchange.console import Overdracht, command_line

LANE = Lane(OrganisationId("destap-ww"), OrganisationId("vdab-gent"), "P2")


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    """The command line of an installation with one client who consented, and no server."""
    services = build_services(settings, clock=Clock())
    broker = Broker(services, Clock())
    broker.given(samples()["cl-0004"], broker.registered(samples()["cl-0004"]))
    services.close()
    return command_line(settings, monkeypatch, capsys)


def written(path: Path, **members: Any) -> Path:
    document = directory_documents()["agreement"]["PR-2026-004"] | members
    path.write_text(json.dumps(document, default=str))
    return path


def widened() -> list[dict[str, Any]]:
    flows: list[dict[str, Any]] = directory_documents()["agreement"]["PR-2026-004"]["flows"]
    return [{**each, "precision_caps": {}} for each in flows]


def test_an_agreement_that_ends_breaks_what_rests_on_it_and_one_as_it_is_changes_nothing(
    overdracht: Overdracht, settings: Settings, tmp_path: Path
) -> None:
    ended = written(tmp_path / "ended.yaml", state="ended")
    told = overdracht("simulate", "agreement", ended, "--json")
    same = overdracht("simulate", "agreement", written(tmp_path / "same.yaml"))

    (row,) = told.json["rows"]
    assert (told.code, same.code) == (1, 0)
    assert (row["effect"], row["reason"]) == ("broken", "NO_ACTIVE_PROTOCOL")
    assert (row["consents"], row["fields"]) == ("<5", None)
    assert "Nothing changes for any consent or handover." in same.words
    services = build_services(settings)
    said = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    services.close()
    assert [each["what"] for each in said[-2:]] == ["simulation", "simulation"]
    assert said[-1]["id"].startswith("agreement/")


def test_what_is_asked_beyond_consents_is_said_beforehand_and_when_it_is_applied(
    overdracht: Overdracht, tmp_path: Path
) -> None:
    folder = tmp_path / "agreements"
    folder.mkdir()
    wide = written(folder / "wide.yaml", version="3.0", flows=widened())

    simulated = overdracht("simulate", "agreement", wide)
    applied = overdracht("agreements", "apply", folder)

    asks = "Asks for more than today: destap-ww → vdab-gent, P2: ident.birth_date."
    assert simulated.code == 1
    assert asks in simulated.words
    assert "Ask for renewal: <5 consents of destap-ww" in simulated.words
    assert applied.code == 0
    assert asks in applied.words


def test_a_notice_that_changes_what_matters_is_said_beforehand_and_when_it_is_applied(
    overdracht: Overdracht, tmp_path: Path
) -> None:
    text = (DATA / "notices" / "N-P2.nl.md").read_text("utf-8")
    (tmp_path / "N-P2.nl.md").write_text(text.replace("'2.1'", "'2.2'"), "utf-8")

    simulated = overdracht("simulate", "notices", tmp_path, "--json")
    applied = overdracht("notices", "apply", tmp_path)

    assert [each["reason"] for each in simulated.json["rows"]] == ["CONSENT_STALE_NOTICE"]
    assert simulated.json["renew"] == {"destap-ww": "<5"}
    assert "N-P2/2.2/nl changed what matters" in applied.words


def test_what_could_not_be_applied_is_wrong_use(overdracht: Overdracht, tmp_path: Path) -> None:
    unfit = written(tmp_path / "unfit.yaml", title=7)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "wrong.cedar").write_text("permit (principal, action, resource);")

    said = overdracht("simulate", "agreement", unfit)

    assert (said.code, overdracht("simulate", "rules", rules).code) == (2, 2)
    assert "title: is not a text" in said.words
    assert overdracht("simulate", "agreement", tmp_path / "none.yaml").code == 2


def affected(number: int, **change: Any) -> Affected:
    return Affected(
        ClientId(f"client-{number}"),
        Handle(f"handle-{number}"),
        LANE,
        Change(agreement=AgreementId("PR-2026-004"), **change),
        (ConsentId(f"c-{number}"),),
        (HandoverId(f"h-{number}"),) if number % 2 else (),
    )


def test_numbers_are_told_from_five_on_and_what_fewer_share_is_not_named() -> None:
    lost, asked = frozenset({FieldId("work.status")}), frozenset({FieldId("health.needs")})
    summed = Summed()
    summed.add(affected(n, loses=lost) for n in range(6))
    summed.add(affected(n, asks=asked) for n in range(6, 10))
    summed.add([affected(10, loses=lost, reason=Reason.NO_ACTIVE_PROTOCOL)])
    summed.add([affected(11)])

    document = summed.document()
    told = {each["effect"]: each for each in document["rows"]}

    assert {effect: each["consents"] for effect, each in told.items()} == {
        "narrowed": 6,
        "widened": "<5",
        "broken": "<5",
        "unchanged": "<5",
    }
    assert (told["narrowed"]["handovers"], told["narrowed"]["fields"]) == ("<5", ["work.status"])
    assert (told["widened"]["fields"], told["broken"]["fields"]) == (None, None)
    assert document["renew"] == {"destap-ww": "<5"}
    assert "client-" not in str(document)
    assert "c-1" not in str(document)
