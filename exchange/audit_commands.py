"""`overdracht audit …`: what an operator or auditor asks of the log."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from audit.head_checks import verify_heads
from audit.live import verify_log
from audit.publishing import NotTheSame
from audit.setting_aside import place_of
from audit.tiles import TileMissing
from audit.verify import Finding as LogFinding
from exchange.database import Database, DatabaseOptions
from exchange.publishing import publish
from exchange.services import SHARD, open_keys
from exchange.settings import read_settings
from exchange.terminal import Json, done, print_json, say
from exchange.terminal import stop as stop_with
from exchange.viewing import VIEWS

_FORMS = ", ".join(VIEWS)
audit = typer.Typer(no_args_is_help=True, help="The audit log.")


@audit.command("verify")
def audit_verify(
    deep: Annotated[
        bool, typer.Option("--deep", help="Open every sealed part and rebuild the index, too.")
    ] = False,
    epoch: Annotated[
        int | None, typer.Option(min=1, help="An earlier log, set aside after a loss.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the whole log as it is stored. Exit 0: it holds; 1: tampered; 2: can not be told."""
    settings = read_settings()
    if not (settings.data_dir / "keys.json").exists():
        stop_with(
            f"there is no log in {settings.data_dir}; set OVERDRACHT_DATA_DIR to where it lies"
        )
    database = Database(DatabaseOptions(settings.url, journal=settings.sqlite_journal))
    keys = open_keys(settings, database) if deep else None
    with database.reading() as connection:
        shard = SHARD if epoch is None else place_of(connection, SHARD, epoch)
        report = verify_log(connection, shard=shard, keys=keys, deep=deep)
        heads = verify_heads(connection, shard=shard, everything=deep)
    report = report._replace(findings=(*report.findings, *heads))
    database.close()
    if as_json:
        body = {"origin": report.origin, "size": report.size, "root": report.root.hex()}
        findings = [each._asdict() for each in report.findings]
        print_json(body | {"findings": findings, "exit": report.exit_code})
    else:
        say(f"{report.size} entries, root {report.root.hex()}")
        for each in report.findings:
            say(f"[red]{_told(each)}[/]")
        for note in report.notes:
            say(note)
        say(_VERDICTS[report.exit_code])
    raise typer.Exit(report.exit_code)


@audit.command("export")
def audit_export(
    out: Annotated[Path, typer.Option("--out", help="The new file that the bundle goes into.")],
    client: Annotated[str, typer.Option(help="A client's whole record, by this handle.")] = "",
    organisation: Annotated[str, typer.Option(help="Whose handle it is.")] = "",
    handover: Annotated[str, typer.Option(help="The evidence of one handover.")] = "",
    start: Annotated[int, typer.Option("--from", min=0, help="First entry of a range.")] = 0,
    stop: Annotated[int | None, typer.Option("--to", min=0, help="One past its last.")] = None,
    form: Annotated[str, typer.Option("--as", help=f"Lines of JSON instead: {_FORMS}.")] = "",
    as_json: Json = False,
) -> None:
    """Write a bundle that anybody can verify offline, with the verify.py inside or of a release.

    With --as, write what other registers take: a view of the same entries, which proves nothing.
    """
    if form and form not in VIEWS:
        stop_with(f"there is no such form; choose from {_FORMS}")
    if bool(client) != bool(organisation) or (client and handover):
        stop_with("give --client with --organisation, or --handover, or a range")
    asked = {
        "out": str(out.resolve()),
        "client": client,
        "organisation": organisation,
        "handover": handover,
        "from": start,
        "to": stop,
        "as": form,
    }
    made = done("audit export", asked)
    if as_json:
        print_json(made)
        return
    if form:
        say(f"{made['entries']} entries as {form} in {out}.")
        return
    say(f"{made['entries']} entries of {made['size']} in {out}.")
    if made["unreadable"]:
        say(f"[red]{made['unreadable']} parts can not be opened; see: overdracht audit verify[/]")
    say(f"Verify it: python -I -S verify.py {out.name} --policy MINE.txt")


@audit.command("publish")
def audit_publish(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where a static host serves.")],
    entries: Annotated[
        bool, typer.Option("--entries", help="The entries, too: never for a public address.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the tiles of the last published head as files, and the checkpoint after them."""
    settings = read_settings()
    database = Database(DatabaseOptions(settings.url, journal=settings.sqlite_journal))
    try:
        written = publish(database, folder, shard=SHARD, entries=entries)
    except (NotTheSame, TileMissing) as refused:
        stop_with(f"nothing was replaced: {refused}")
    except OSError as error:
        stop_with(f"{folder} can not be written: {error.strerror}")
    finally:
        database.close()
    if written is None:
        stop_with("no head is published yet; run: overdracht audit checkpoint")
    if as_json:
        print_json({"size": written.size, "files": written.files})
    else:
        say(f"{written.files} new files; {folder} holds the log up to {written.size} entries.")


@audit.command("checkpoint")
def audit_checkpoint(as_json: Json = False) -> None:
    """Sign the log's head now, ask the witnesses, publish it, and print it."""
    made = done("audit checkpoint", {})
    if as_json:
        print_json(made)
    else:
        print(made["note"], end="")  # noqa: T201 - a note is its bytes, also when piped
    raise typer.Exit(0 if made["quorum"] else 1)


_VERDICTS = {
    0: "The log holds.",
    1: "The log does not hold: it was tampered with. Keep it as it is, and compare a backup.",
    2: "Part of the log could not be verified: the lines above say which.",
}


def _told(finding: LogFinding) -> str:
    where = "" if finding.at is None else f"entry {finding.at}: "
    times = "" if finding.times == 1 else f" ({finding.times} times)"
    return escape(f"{where}{finding.code}: {finding.text}{times}")
