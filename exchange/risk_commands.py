"""The command line for risk analyses: the form for a purpose, and its registration."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from exchange.agreement_files import plain_and_lines
from exchange.terminal import Json, done, print_json, say, stop
from policies.yaml_files import InvalidYaml

dpia = typer.Typer(
    no_args_is_help=True,
    help="Risk analyses: without one, no special category leaves for a purpose.",
)


@dpia.command("new")
def dpia_new(
    purpose: Annotated[str, typer.Argument(help="Code of the purpose, for instance P1.")],
    out: Annotated[Path, typer.Option(help="Where the form is written (YAML).")],
    as_json: Json = False,
) -> None:
    """Write the form for PURPOSE, filled in from the configuration. Registers nothing.

    What only people can judge is empty or says `[in te vullen]`: fill it in, ask the data
    protection officer for advice, decide, then: overdracht dpia apply FILE
    """
    document = done("dpia new", {"purpose": purpose})["document"]
    if out.exists():
        stop(f"{out} is there already; choose another --out")
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    out.write_text(text, "utf-8")
    if as_json:
        print_json({"form": str(out), "purpose": purpose})
    else:
        say(f"The form for {purpose} is in {out}.")


@dpia.command("apply")
def dpia_apply(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The complete form.")],
    as_json: Json = False,
) -> None:
    """Register the analysis in FILE. It never changes: a new text is a new version.

    Counts from now on: the newest analysis of a purpose says which special sections may leave.
    """
    try:
        document, lines = plain_and_lines(file.read_bytes())
    except (InvalidYaml, ValueError) as error:
        stop(f"{file} can not be read: {error}")
    result = done("dpia apply", {"document": document, "lines": lines})
    if as_json:
        print_json(result)
    else:
        word = "approved" if result["approved"] else "refused: nothing special leaves for it"
        say(f"{result['registered']} is registered; {word}.")
        _tell_waiting(result["waiting"])


@dpia.command("list")
def dpia_list(as_json: Json = False) -> None:
    """List what is registered, and what waits for an analysis. Exit code 1 when something does."""
    result = done("dpia list", {})
    if as_json:
        print_json(result)
    else:
        for each in result["analyses"]:
            word = "approved" if each["approved"] else "refused"
            sections = ", ".join(each["sections"])
            say(f"{each['analysis']}  {each['date']}  {sections}  {word}, {each['residual_risk']}")
        if not result["analyses"]:
            say("There are none.")
        _tell_waiting(result["waiting"])
    raise typer.Exit(1 if result["waiting"] else 0)


def _tell_waiting(waiting: dict[str, list[str]]) -> None:
    for agreement, elements in waiting.items():
        say(f"[red]mend[/]  {agreement} is not in force without {', '.join(elements)}")
