"""Agreements in the forms of others, and the yearly report on one."""

from enum import StrEnum
from typing import Annotated

import typer

from exchange.terminal import Json, done, print_json, say
from exchange.yearly_report import lines

Id = Annotated[str, typer.Argument(help="The agreement, for instance PR-2026-004.")]


class Form(StrEnum):
    """The forms of others that an agreement has."""

    ODRL = "odrl"
    DPV = "dpv"


class Language(StrEnum):
    """The languages that a report is told in."""

    NL = "nl"
    EN = "en"


def export(
    id: Id,
    form: Annotated[Form, typer.Option("--as", help="Which form.")],
) -> None:
    """Print an agreement as JSON-LD: an ODRL 2.2 policy, or a description in DPV 2.2.

    As it stands today: an agreement that lets nothing go prohibits all use in its policy. What
    the form cannot say is named in the document (`term:notSaid`).
    """
    print_json(done("agreements export", {"id": id, "as": form.value}))


def report(
    id: Id,
    year: Annotated[
        int | None, typer.Option(min=2000, max=9999, help="Which year.", show_default="this one")
    ] = None,
    lang: Annotated[Language, typer.Option(help="In which language.")] = Language.NL,
    as_json: Json = False,
) -> None:
    """Tell what became of an agreement in a year, and what it could do without.

    Releases, refusals, recalls; how often each field was asked for, let go and filled in; the
    fields that could leave the agreement. Sums alone, rounded, and none that is small.
    """
    found = done("agreements report", {"id": id, "year": year})
    if as_json:
        print_json(found)
        return
    for line in lines(found, lang.value):
        say(line)
