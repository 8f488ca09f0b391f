"""The command line for risk analyses and for agreements that can not be taken."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from exchange.samples import DATA, directory_documents
from exchange.settings import Settings
from policies.risk_analysis import TO_FILL_IN
from tests.exchange.console import Overdracht, command_line

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)

FILE = "PR-2026-001-leerwinkel-vdab.yaml"
PEOPLE: dict[str, Any] = {
    "date": "2026-10-01",
    "residual_risk": "low",
    "dpo_advice": {"date": "2026-10-05", "outcome": "positive", "remarks": None},
    "prior_consultation": {"needed": False, "on": None, "reference": None},
    "decision": {"outcome": "approved", "on": "2026-10-12", "function": "coördinator"},
}


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


def special(folder: Path, version: str = "3.0") -> Path:
    """A folder with one agreement, in a new version that lets health go for P1."""
    document = directory_documents()["agreement"]["PR-2026-001"] | {"version": version}
    document["flows"][0]["extra_fields"] = ["health.functional_limits"]
    folder.mkdir()
    (folder / FILE).write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return folder


def test_the_form_is_written_filled_in_and_registered_and_then_the_agreement_counts(
    overdracht: Overdracht, tmp_path: Path
) -> None:
    form = tmp_path / "P1.yaml"
    applied = overdracht("agreements", "apply", special(tmp_path / "new"))
    assert "risk_analysis.P1.health (gdpr-dpia)" in applied.words

    written = overdracht("dpia", "new", "P1", "--out", form)
    empty = overdracht("dpia", "apply", form)
    document = yaml.safe_load(form.read_text("utf-8"))
    document |= PEOPLE
    document["necessity"] = [
        each.replace(TO_FILL_IN, "Besproken.") for each in document["necessity"]
    ]
    document["risks"] = [
        each | {"likelihood": "low", "severity": "high"} for each in document["risks"]
    ]
    waiting = overdracht("dpia", "list", "--json")
    form.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    registered = overdracht("dpia", "apply", form)
    again = overdracht("dpia", "apply", form, "--json")
    form.write_text(form.read_text("utf-8").replace("Besproken", "Bekeken"), "utf-8")
    changed = overdracht("dpia", "apply", form)
    listed = overdracht("dpia", "list", "--json")
    used = overdracht("agreements", "apply", tmp_path / "new", "--json")
    later = overdracht("agreements", "apply", special(tmp_path / "later", "3.1"), "--json")

    assert (written.code, empty.code) == (0, 2)
    assert "date: is not a date" in empty.words
    assert "line " in empty.words
    assert (waiting.code, waiting.json["waiting"]) == (
        1,
        {"PR-2026-001/3.0": ["risk_analysis.P1.health"]},
    )
    assert "P1/1.0 is registered; approved." in registered.words
    assert again.json == {"registered": "P1/1.0", "approved": True, "waiting": {}}
    assert changed.code == 2
    assert "give it a new version" in changed.words
    assert (listed.code, listed.json["waiting"]) == (0, {})
    assert [each["analysis"] for each in listed.json["analyses"]] == ["P1/1.0"]
    assert "activated" in applied.words
    assert (used.json["changed"], used.json["untaken"], used.json["incomplete"]) == (1, {}, {})
    assert (later.json["changed"], later.json["untaken"]) == (1, {})
    assert "Leerwinkel" in str(document["description"])


@SQLITE
def test_a_purpose_that_uses_nothing_special_or_is_none_has_no_form(
    overdracht: Overdracht, tmp_path: Path
) -> None:
    for code, says in (("P6", "needs no analysis"), ("P90", "is no purpose")):
        refused = overdracht("dpia", "new", code, "--out", tmp_path / "form.yaml")

        assert refused.code == 2
        assert says in refused.words
    assert list(tmp_path.glob("form.yaml")) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        pytest.param("onward: false", "onward: true", 27, "gdpr-purpose", id="contradiction"),
        pytest.param("[P2]", "[P90]", 30, "is not a known code", id="unknown"),
        pytest.param("version: '2.0'", "version: '2.0'\nversion: '2.1'", 4, "twice", id="twice"),
        pytest.param("version: '2.0'", "version: &x [*x]", 3, "inside itself", id="cycle"),
        pytest.param("version: '2.0'", "version: [", 5, "expected", id="broken"),
    ],
)
@SQLITE
def test_an_agreement_that_can_not_be_is_refused_with_its_line_and_nothing_is_kept(
    overdracht: Overdracht, tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    folder = special(tmp_path / "new")
    (folder / "PR-2026-004.yaml").write_text(
        (DATA / "agreements" / FILE).read_text("utf-8").replace(old, new, 1), "utf-8"
    )

    refused = overdracht("agreements", "apply", folder)

    assert refused.code == 2
    assert f"line {line}" in refused.words
    assert says in refused.words
    assert "PR-2026-004.yaml" in refused.words
    assert overdracht("dpia", "list", "--json").json["waiting"] == {}
