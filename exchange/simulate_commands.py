"""The command line that says what a document would change, before it is applied."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from exchange.terminal import Json, done, out, print_json, say, stop, tell_asked
from policies.rule_texts import read_set
from policies.vocabulary import Reason
from policies.yaml_files import InvalidYaml, read_yaml

simulate = typer.Typer(
    no_args_is_help=True,
    help="What a document would change, before it is applied. Changes nothing.",
    epilog="Exit codes: 0 nothing changes, 1 something would, 2 wrong use.",
)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, readable=True)]

_MOST_FIELDS = 6


@simulate.command("agreement")
def simulate_agreement(file: File, as_json: Json = False) -> None:
    """Which consents and handovers the agreement in FILE (YAML) would widen, narrow or break.

    It is taken as it is written: a draft changes nothing while another version is in use; write
    `state: active` to see what it would change. A consent gives no more than on the day it was
    given: what the agreement asks beyond that waits for the client's renewed word.
    """
    _run("agreement", _yaml(file), as_json)


@simulate.command("organisations")
def simulate_organisations(file: File, as_json: Json = False) -> None:
    """What the directory in FILE (YAML) would change: accreditations, members, hard denials."""
    _run("organisations", _yaml(file), as_json)


@simulate.command("notices")
def simulate_notices(folder: Folder, as_json: Json = False) -> None:
    """Which consents the notices (Markdown) in DIR would make out of date."""
    texts = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.md"))}
    _run("notices", texts or stop(f"there is no *.md in {folder}"), as_json)


@simulate.command("rules")
def simulate_rules(folder: Folder, as_json: Json = False) -> None:
    """What the rules (Cedar) in DIR would keep back, in place of the installation's own."""
    _run("rules", read_set(folder), as_json)


@simulate.command("model")
def simulate_model(file: File, as_json: Json = False) -> None:
    """What the summary model in FILE (YAML) would change, with the purposes of this version."""
    _run("model", file.read_text("utf-8"), as_json)


def _run(kind: str, document: Any, as_json: bool) -> None:
    result = done("simulate", {"kind": kind, "document": document}, shown=not as_json)
    if as_json:
        print_json(result)
    else:
        _tell(result)
    raise typer.Exit(1 if result["changes"] or result["asks_more"] else 0)


def _tell(result: Mapping[str, Any]) -> None:
    if result["rows"]:
        out.print(_table(result))
    tell_asked(result["asks_more"])
    for holder, number in result["renew"].items():
        say(f"Ask for renewal: {number} consents of {holder}; until then they give no more.")
    if result["renew"]:
        say("Which they are each holder asks for itself: POST /v1/simulations.")
    if any(each["effect"] == "broken" and _for_good(each) for each in result["rows"]):
        say("Broken handovers stay open and give nothing: tell both sides before you apply it.")
    if not (result["changes"] or result["asks_more"]):
        say("Nothing changes for any consent or handover.")


def _for_good(row: Mapping[str, Any]) -> bool:
    return bool(row["reason"] != Reason.CONSENT_STALE_NOTICE)


def _table(result: Mapping[str, Any]) -> Table:
    table = Table(title=f"If the {result['kind']} were applied")
    for name in ("from", "to", "purpose", "agreement", "effect", "consents", "handovers", "fields"):
        table.add_column(name, overflow="fold")
    for row in result["rows"]:
        effect = f"{row['effect']} ({row['reason']})" if row["reason"] else row["effect"]
        way = (row["holder"], row["recipient"], row["purpose"], row["agreement"] or "-")
        numbers = (str(row["consents"]), str(row["handovers"]))
        table.add_row(*way, effect, *numbers, _fields(row["fields"]))
    return table


def _fields(fields: list[str] | None) -> str:
    if fields is None:
        return "not told: too few"
    more = len(fields) - _MOST_FIELDS
    return ", ".join(fields[:_MOST_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _yaml(path: Path) -> Any:
    try:
        return json.loads(json.dumps(read_yaml(path.read_bytes()), default=str))
    except (InvalidYaml, ValueError, OSError):
        stop(f"{path} is no YAML that can be read: UTF-8, no member twice, plain values only")
