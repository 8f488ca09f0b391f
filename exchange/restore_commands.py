"""`overdracht restore …`: go on after the database was lost and an older one put back."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from exchange.admin_socket import listens
from exchange.regaining import Restored, fetching, from_mirror, named
from exchange.restoring import acknowledge, put_files_aside
from exchange.services import build_services
from exchange.settings import read_settings
from exchange.terminal import say, stop

restore = typer.Typer(no_args_is_help=True, help="Go on after the database was lost.")
_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59}"


@restore.command("acknowledge")
def restore_acknowledge(
    reason: Annotated[str, typer.Option(help="Why, a code: disk.lost. It stands for ever.")],
    operator: Annotated[str, typer.Option(help="Your number; never a name.")],
) -> None:
    """Accept that part of the log is lost: begin a new log that says so. Stop the service before.

    Two operators, the second at least five minutes after the first. Every consent is suspended.
    The log before stays where it is, verifiable. The witnesses must be given the new key.
    """
    if not all(re.fullmatch(_CODE, each) for each in (reason, operator)):
        stop("reason and operator stand in the log for ever: codes, no names, no blanks")
    settings = read_settings()
    if listens(settings.data_dir):
        stop("stop the service first")
    put_files_aside(settings)
    services = build_services(settings)
    try:
        begun = acknowledge(services, reason=reason, operator=operator)
    finally:
        services.close()
    if begun is None:
        say("Noted. Another operator says it again, in five minutes or later.")
        return
    say(f"{begun.origin} follows {begun.before}: lost are {begun.lost_from} to {begun.lost_to}.")
    say(f"{begun.suspended} consents are suspended until they are confirmed.")
    say("Start the service, and give the new key to witnesses and auditors; see docs/backups.md")


@restore.command("from-mirror")
def restore_from_mirror(
    source: Annotated[str, typer.Argument(help="Folder, .odaudit bundle, or address of a log.")],
    operator: Annotated[str, typer.Option(help="Your number; never a name.")],
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="OVERDRACHT_MIRROR_TOKEN_FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="A file with an access token for addresses.",
        ),
    ] = None,
) -> None:
    """Put lost entries back from a mirror, once they are proven. Stop the service before.

    The log goes on under its own name. Every consent is suspended until it is confirmed.
    """
    if not re.fullmatch(_CODE, operator):
        stop("the operator stands in the log for ever: a code, no name, no blanks")
    settings = read_settings()
    if listens(settings.data_dir):
        stop("stop the service first")
    token = "" if token_file is None else token_file.read_text("utf-8").strip()
    fetch = fetching(source, token)
    services = build_services(settings, regains=named(fetch))
    try:
        _tell(from_mirror(services, fetch, operator=operator))
    finally:
        services.close()


def _tell(done: Restored) -> None:
    """What stands again, and what does not."""
    say(f"{done.entries} entries stand again, from {done.first} on.")
    say(f"{done.sealed['s']} of them have their client and number again, {done.lost['s']} not.")
    say(f"{sum(done.lost.values())} sealed parts are lost: {_listed(done.lost)}.")
    say(f"What these entries did is not in the tables: {_listed(done.kinds)}.")
    say(f"{done.forgotten} clients who were erased meanwhile are erased again.")
    say(f"{done.suspended} consents are suspended until they are confirmed.")


def _listed(numbers: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(numbers.items()) if n) or "none"
