"""Notices as their author checks them, and as an operator puts them into use."""

import shutil
from pathlib import Path

import pytest

from exchange.samples import DATA
from exchange.settings import Settings
from tests.exchange.console import Overdracht, command_line


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "notices", tmp_path / "notices"))


def changed(folder: Path, old: str, new: str) -> None:
    """The next version of a Dutch notice, which says that nothing that matters is changed."""
    text = (folder / "N-P2.nl.md").read_text("utf-8")
    for before, after in (("'2.1'", "'2.2'"), ("previous: true", "previous: false"), (old, new)):
        assert before in text
        text = text.replace(before, after)
    (folder / "N-P2.2.nl.md").write_text(text, "utf-8")


def test_a_check_scores_each_notice_and_says_what_is_missing(
    overdracht: Overdracht, folder: Path
) -> None:
    said = overdracht("notices", "check", folder)
    document = overdracht("notices", "check", folder, "--json").json

    assert said.code == 1
    assert "N-P1/2.0/ar: no formula fits its language" in said.words
    assert "N-P2/2.1/nl: 85.1, right for B1" in said.words
    assert "P6 has no notice in nl" in said.words
    assert document["good"] is False
    assert document["missing"] == [["P6", "nl"], ["P6", "en"], ["P6", "fr"]]
    assert document["notices"][0]["reading"]["too_hard"] is False


def test_a_check_of_what_is_no_notice_or_no_folder_of_notices_is_wrong_use(
    overdracht: Overdracht, folder: Path, tmp_path: Path
) -> None:
    (folder / "N-P2.nl.md").write_text("just text", "utf-8")

    assert overdracht("notices", "check", folder).code == 2
    (tmp_path / "empty").mkdir()
    assert overdracht("notices", "check", tmp_path / "empty").code == 2


def test_a_change_that_is_not_declared_is_found_before_and_told_when_it_is_put_into_use(
    overdracht: Overdracht, folder: Path
) -> None:
    overdracht("notices", "apply", folder)
    changed(folder, "6 maanden", "9 maanden")

    checked = overdracht("notices", "check", folder, "--json").json
    applied = overdracht("notices", "apply", folder)
    again = overdracht("notices", "apply", folder, "--json").json

    assert checked["undeclared"] == again["undeclared"] == ["N-P2/2.2/nl"]
    assert checked["lagging"] == again["lagging"] == {"N-P2/2.2": ["en", "fr"]}
    assert "N-P2/2.2/nl changes what matters" in applied.words
    assert "out of date in en, fr" in applied.words


def test_a_comma_put_right_is_nothing_to_tell_of(overdracht: Overdracht, folder: Path) -> None:
    changed(folder, "Geen bedragen.", "Geen bedragen!")

    applied = overdracht("notices", "apply", folder, "--json").json

    assert (applied["undeclared"], applied["lagging"]) == ([], {})
