"""`overdracht backup`: a copy of the database that may be put back, and is told when it is."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.backing_up import back_up
from exchange.database import DatabaseOptions
from exchange.services import SHARD, VERSION
from exchange.settings import read_settings
from exchange.terminal import Json, print_json, progress, say


def backup(
    out: Annotated[Path, typer.Option("--out", help="The new folder that the copy goes into.")],
    as_json: Json = False,
) -> None:
    """Copy the database while the service works, without keys, with a manifest.

    Keys and log.key are backed up apart. PostgreSQL: needs pg_dump. SQLite with
    OVERDRACHT_SQLITE_JOURNAL=delete: the service waits meanwhile.
    """
    settings = read_settings()
    options = DatabaseOptions(settings.url, journal=settings.sqlite_journal)
    with progress("copied") as tell:
        made = back_up(options, out, shard=SHARD, version=VERSION, tell=tell)
    if as_json:
        print_json(made)
        return
    say(f"{made['size']} entries, {made['bytes']} bytes in {out / made['file']}.")
    for what, mend in made["left_out"].items():
        say(f"Not in it: {what}; {mend}.")
