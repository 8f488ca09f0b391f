"""The command line for whoever watches over purposes and volumes: alerts, and how full it is."""

from typing import Annotated

import typer

from consent.belgian_time import time_of
from exchange.terminal import Json, done, print_json, say

alerts = typer.Typer(no_args_is_help=True, help="What a data protection officer must hear of.")

_WORDS = {
    "prohibited_purpose": "asked for a prohibited purpose",
    "volume_nearly": "serves 80 % of the persons agreed on",
    "volume_reached": "serves all the persons agreed on, or more",
    "volume_refused": "was refused: the agreement is full",
}


@alerts.command("list")
def alerts_list(
    since: Annotated[str, typer.Option(help="From this day on, as 2026-12-31.")] = "",
    as_json: Json = False,
) -> None:
    """List alerts, the newest first: who, by which application, for which purpose, how often.

    One line for each day, organisation and purpose. No client is named: the log knows whom.
    """
    found = done("alerts list", {"since": since})
    if as_json:
        print_json(found)
        return
    for each in found["alerts"]:
        under = f" under {each['agreement']}" if each["agreement"] else ""
        last = time_of(each["last_at"]).strftime("%H:%M UTC")
        say(
            f"{each['day']}  org:{each['organisation']} {_WORDS[each['kind']]}{under}: "
            f"{each['purpose']}, {each['times']} times, last at {last} by {each['application']}"
        )
    if not found["alerts"]:
        say("There are none.")


def volumes(
    year: Annotated[int | None, typer.Option(help="Another year than this one.")] = None,
    as_json: Json = False,
) -> None:
    """Show how many persons each agreement was for this year, beside how many were agreed."""
    found = done("agreements volumes", {"year": year})
    if as_json:
        print_json(found)
        return
    for each in found["agreements"]:
        name = each["agreement"] + (f" {each['purpose']}" if each["purpose"] else "")
        share = "" if each["per_cent"] is None else f" ({each['per_cent']} %)"
        full = "  [red]full: nobody new[/]" if each["full"] else ""
        say(f"{name}  {each['persons']} of {each['agreed']}{share}{full}")
