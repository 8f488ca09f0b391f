"""What the README says can be done can be done."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer.main
from fastapi import APIRouter

from exchange import api, cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
OVERDRACHT = str(Path(sys.executable).with_name("overdracht"))
LASTS = ("serve", "demo", "bench")
"""Commands that stay up or take their time: these are run elsewhere."""


def said(tool: str) -> list[list[str]]:
    """Every command of a tool that stands in a code span or in a block, in words."""
    spans = re.findall(r"`([^`\n]+)`", TEXT)
    blocks = [line.partition("#")[0] for line in "\n".join(fenced()).splitlines()]
    found = (shlex.split(each) for each in (*spans, *blocks) if each.startswith(f"{tool} "))
    return [words[1:] for words in found]


def fenced() -> list[str]:
    return re.findall(r"^```sh\n(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_every_overdracht_command_exists_with_its_options() -> None:
    commands = said("overdracht")

    assert len(commands) > 15
    for words in commands:
        assert _unknown(words) == []


def _unknown(words: list[str]) -> list[str]:
    """The words that the command line does not know, as far as they are names and options."""
    command: Any = typer.main.get_command(cli.app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        if rest[0] not in command.commands:
            return rest[:1]
        command = command.commands[rest.pop(0)]
    known = {option for each in command.params for option in each.opts}
    return [each for each in rest if each.startswith("--") and each not in known]


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))

    named = {word for words in said("make") for word in words if "=" not in word}

    assert {"demo", "test"} <= named <= targets


def test_every_test_that_shows_a_promise_exists() -> None:
    commands = said(".venv/bin/pytest")

    assert commands
    for place, *picked in commands:
        files = [ROOT / place] if not picked else (ROOT / place).glob(f"test_{picked[1]}*.py")
        assert [each for each in files if each.is_file()], (place, picked)


def test_the_commands_of_the_block_run_as_they_stand(tmp_path: Path) -> None:
    block = next(each for each in fenced() if "organisations apply" in each)
    commands = [shlex.split(line)[1:] for line in block.splitlines()]
    (tmp_path / "exchange").symlink_to(ROOT / "exchange")
    mine = {key: value for key, value in os.environ.items() if not key.startswith("OVERDRACHT_")}

    ended = {
        " ".join(words): subprocess.run(  # noqa: S603 - our own commands
            [OVERDRACHT, *words], cwd=tmp_path, env=mine, capture_output=True, check=False
        ).returncode
        for words in commands
        if words[0] not in LASTS
    }

    assert ended == dict.fromkeys(ended, 0)
    assert len(ended) > 5
    assert (tmp_path / "leerwinkel-wvl.json").stat().st_mode & 0o077 == 0


def test_the_http_table_lists_every_route_and_nothing_else() -> None:
    listed = {tuple(each) for each in re.findall(r"`(GET|POST|PUT|DELETE) (/\S*)`", TEXT)}

    assert listed == routes()


def routes() -> set[tuple[str, str]]:
    modules = [__import__(f"exchange.api.{path.stem}", fromlist=["router"]) for path in parts()]
    modules.append(__import__("exchange.web.stop", fromlist=["router"]))
    routers = [vars(each).get("router") for each in modules]
    return {
        (method, route.path)
        for router in routers
        if isinstance(router, APIRouter)
        for route in router.routes
        if hasattr(route, "methods") and hasattr(route, "path")
        for method in route.methods or ()
    }


def parts() -> list[Path]:
    return sorted(Path(str(api.__file__)).parent.glob("[a-z]*.py"))


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)

    assert len(links) > 4
    assert [each for each in links if not (ROOT / each).exists()] == []
