"""`overdracht rules`: what the author of a rule, and who puts it in force, are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.admin_socket import AdminSocket
from exchange.services import Services
from exchange.settings import Settings
from tests.exchange.console import Overdracht, command_line

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)

DOCS = """// Training providers get no documents.
@id("SITE_NO_DOCUMENTS")
@en("Training providers get no documents.")
@nl("Opleidingen krijgen geen documenten.")
forbid (
  principal == Recipient::"training_provider",
  action == Action::"release",
  resource == Section::"docs"
);
"""
CASES = """- recipient: training_provider
  purpose: P4
  section: docs
  expect: SITE_NO_DOCUMENTS
"""


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "own"
    rules.mkdir()
    (rules / "docs.cedar").write_text(DOCS)
    (rules / "docs.cases.yaml").write_text(CASES)
    return rules


@pytest.fixture
def server(services: Services) -> Iterator[Services]:
    admin = AdminSocket(services)
    yield services
    admin.close()


def test_rules_are_checked_and_tried_without_a_broker(overdracht: Overdracht, folder: Path) -> None:
    assert overdracht("rules", "check").words == "The rules hold."
    assert overdracht("rules", "check", folder, "--json").json == {"good": True, "findings": []}
    assert overdracht("rules", "test", folder).words.endswith("cases come out as they say.")

    (folder / "docs.cedar").write_text(DOCS.replace("docs", "diary"))
    (folder / "docs.cases.yaml").write_text(CASES.replace("P4", "P12"))

    found = overdracht("rules", "check", folder, "--json")
    assert (found.code, found.json["good"]) == (1, False)
    assert found.json["findings"] == [
        {
            "file": "docs.cedar",
            "line": 2,
            "level": "error",
            "words": "Section 'diary' does not exist",
        }
    ]
    assert overdracht("rules", "test", folder).words.startswith("error docs.cedar:2: Section")


def test_cases_that_come_out_otherwise_end_with_one(overdracht: Overdracht, folder: Path) -> None:
    (folder / "docs.cases.yaml").write_text(CASES.replace("docs", "educ"))

    found = overdracht("rules", "test", folder)

    assert found.code == 1
    assert (
        "docs.cases.yaml:1: educ for P4 to training_provider: expected SITE_NO_DOC" in found.words
    )


def test_who_asks_is_told_which_rules_speak(overdracht: Overdracht, folder: Path) -> None:
    asked = ("--recipient", "training_provider", "--purpose", "P4")

    told = overdracht("rules", "explain", folder, *asked, "--lang", "nl", "--json").json["rules"]
    outside = overdracht("rules", "explain", folder, *asked, "--outside-eea", "--section", "docs")
    code = ("--field", "resid.status", "--code", "undocumented")

    assert [(each["id"], each["words"], each["keeps_back"]) for each in told] == [
        ("SITE_NO_DOCUMENTS", "Opleidingen krijgen geen documenten.", ["docs"])
    ]
    assert "HARD_RULE_H6" in outside.words
    assert "HARD_RULE_H5" in overdracht("rules", "explain", folder, *asked[:2], *code).words
    assert overdracht("rules", "explain", folder, *asked[:2], "--purpose", "P12").code == 2
    assert (
        overdracht("rules", "explain", folder, *asked[:2], "--field", "a", "--code", "b").code == 2
    )


def test_a_set_is_put_in_force_at_the_running_server_and_shown_from_it(
    overdracht: Overdracht, folder: Path, server: Services
) -> None:
    done = overdracht("rules", "apply", folder, "--operator", "op-1")
    shown = overdracht("rules", "explain", "--json").json

    assert (done.code, done.words) == (0, f"In force: {server.ruling.overlay.site}")
    assert shown["set"] == server.ruling.overlay.site
    assert shown["rules"][-1]["text"] == DOCS.partition("\n")[2].strip()
    assert overdracht("rules", "apply", folder).words == "These are in force already."


def test_a_set_is_put_in_force_where_no_server_runs(
    overdracht: Overdracht, folder: Path, settings: Settings
) -> None:
    assert overdracht("rules", "apply", folder, "--json").json["changed"]
    (settings.data_dir / "rules").mkdir()

    assert "not those in force" in overdracht("doctor").words
    assert overdracht("rules", "apply").code == 2
    assert overdracht("rules", "apply", folder).words.endswith("put it there too.")
    assert overdracht("rules", "apply", "--none").words.startswith("In force: ")
    assert overdracht("doctor").code == 0


def test_what_can_not_be_put_in_force_is_told_and_changes_nothing(
    overdracht: Overdracht, folder: Path
) -> None:
    (folder / "more.cedar").write_text("forbid (")

    found = overdracht("rules", "apply", folder)

    assert (found.code, found.words) == (1, "error more.cedar:1: unexpected end of input")
    assert overdracht("rules", "apply", folder, "--none").code == 2
    assert overdracht("rules", "apply").code == 2
    assert overdracht("rules", "explain").words.endswith(
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    )
