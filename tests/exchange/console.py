"""The command line as its user sees it: what was said, and the exit code."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from exchange import cli
from exchange.settings import Settings


@dataclass(frozen=True)
class Ran:
    """What a command came to. Words are joined to one line, however the console broke them."""

    code: int
    out: str
    words: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Overdracht: TypeAlias = Callable[..., Ran]


def command_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    """Runs `overdracht` with these settings, in this process."""
    monkeypatch.setenv("OVERDRACHT_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OVERDRACHT_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def overdracht(*words: object) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["overdracht", *map(str, words)])
        code = _exit_code()
        said = capsys.readouterr()
        return Ran(code, said.out, " ".join((said.out + said.err).replace("│", " ").split()))

    return overdracht


def _exit_code() -> int:
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
