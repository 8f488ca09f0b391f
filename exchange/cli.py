"""The command line. `overdracht COMMAND --help` teaches each command.

Exit codes: 0 good, 1 the check found something, 2 wrong use or configuration.
"""

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from audit import guards
from audit.log import NotOpened
from exchange import agreement_view_commands, tenancy
from exchange.agreement_commands import agreements
from exchange.agreement_files import plain_and_lines
from exchange.alert_commands import alerts, volumes
from exchange.application_commands import applications
from exchange.audit_commands import audit
from exchange.backup_commands import backup
from exchange.checks import Finding, examine
from exchange.database import Database, DatabaseOptions, Unsafe
from exchange.keeping_commands import clients, keys, retention
from exchange.migrations import SchemaBehind, migrate
from exchange.notice_commands import check as check_notices
from exchange.operations import OperationRefused
from exchange.reports import import_report
from exchange.restore_commands import restore
from exchange.risk_commands import dpia
from exchange.rules_commands import rules
from exchange.runtime_role import grant
from exchange.security.keys import KeysRefused
from exchange.services import SHARD, build_services
from exchange.serving import serve as serve_until_stopped
from exchange.settings import SettingsRefused, read_settings
from exchange.simulate_commands import simulate
from exchange.terminal import Json, done, out, print_json, say, stop
from exchange.witness_commands import witness
from policies.rule_texts import RulesRefused
from policies.yaml_files import InvalidYaml

ABOUT = """Warm handovers, with consent.

Settings come from OVERDRACHT_* variables; data lie in OVERDRACHT_DATA_DIR (./overdracht-data).
While a server runs there, commands that change something are carried out by it.
"""
EXITS = "Exit codes: 0 good, 1 the check found something, 2 wrong use or configuration."
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=ABOUT,
    epilog=EXITS,
    pretty_exceptions_show_locals=False,
)
organisations = typer.Typer(no_args_is_help=True, help="The directory of organisations.")
members = typer.Typer(no_args_is_help=True, help="Members of staff: numbers and roles, no names.")
notices = typer.Typer(no_args_is_help=True, help="The texts that clients are shown.")
for name, part in {
    "alerts": alerts,
    "organisations": organisations,
    "members": members,
    "agreements": agreements,
    "notices": notices,
    "applications": applications,
    "audit": audit,
    "clients": clients,
    "dpia": dpia,
    "keys": keys,
    "retention": retention,
    "restore": restore,
    "simulate": simulate,
    "rules": rules,
    "witness": witness,
}.items():
    app.add_typer(part, name=name)
app.command("backup")(backup)
notices.command("check")(check_notices)
agreements.command("volumes")(volumes)
agreements.command("export")(agreement_view_commands.export)
agreements.command("report")(agreement_view_commands.report)

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A file in YAML.")
]
Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, readable=True, help="One file for each.")
]


def main() -> None:
    """Run the command line; every expected failure is one line that names its mend."""
    try:
        app()
    except (SettingsRefused, Unsafe, KeysRefused, RulesRefused, OperationRefused) as refused:
        stop(str(refused))
    except SchemaBehind:
        stop("the database's schema is older than this version; run: overdracht migrate")
    except NotOpened:
        stop("there is no log yet; start the service once: overdracht serve")
    except DBAPIError as error:
        kind = type(error.orig).__name__
        stop(f"the database does not answer ({kind}); check OVERDRACHT_DATABASE_URL and its server")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = 8080,
) -> None:
    """Serve until stopped; SQLite, unless OVERDRACHT_DATABASE_URL=postgresql://… is set.

    Clients are told OVERDRACHT_PUBLIC_BASE_URL (http://127.0.0.1:8080): set it when another host
    or port, or a proxy, is what they see.
    """
    settings = read_settings()
    try:
        with socket.create_server((host, port)):
            pass
    except OSError:
        stop(f"{host}:{port} is in use, or not ours to listen on; choose another --host or --port")
    serve_until_stopped(build_services(settings, steady=time.monotonic), host, port)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Tell the story, verify, exit.")] = False,
    port: Port = 8080,
) -> None:
    """Tell a whole warm handover on sample data, then stay up for you to look around."""
    from exchange.demo import tell  # noqa: PLC0415 - only the demonstration needs its data

    raise typer.Exit(tell(once=once, port=port))


@app.command("migrate")
def migrate_schema(
    put_back: Annotated[
        bool, typer.Option("--guards", help="Put back guards and policies that were taken off.")
    ] = False,
    role: Annotated[
        str, typer.Option(help="PostgreSQL: the role that the service works as; made, if new.")
    ] = "",
) -> None:
    """Bring the database's schema up to date. Stop the service before, on SQLite.

    On PostgreSQL run it as the owner of the tables. With --role NAME the service can work as
    NAME, who may add to the log and change nothing of it; give that role a password.
    """
    settings = read_settings()
    if role and not settings.database_url:
        raise Unsafe("roles are for PostgreSQL; a SQLite file is guarded by its mode alone")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(DatabaseOptions(settings.url, journal=settings.sqlite_journal))
    database.claim()
    migrate(database)
    if put_back:
        with database.writing(shard=SHARD) as connection:
            guards.put_up(connection, guards.missing(connection))
            tenancy.put_up(connection)
    if role:
        with database.writing(shard=SHARD) as connection:
            grant(connection, role)
        say(f"The service can work as {role}, who only adds to the log.")
    database.close()
    say("The schema is up to date.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Run every start-up check, and say the exact mend for each finding."""
    found: list[Finding] = examine(read_settings())
    if as_json:
        print_json({"findings": [vars(each) for each in found]})
    else:
        for each in found:
            mark = "[green]good[/]" if each.good else "[red]mend[/]"
            mend = "" if each.good else f": {escape(each.mend)}"
            say(f"{mark}  {each.check}{mend}")
    raise typer.Exit(0 if all(each.good for each in found) else 1)


@app.command("import")
def import_export(
    kind: Annotated[str, typer.Argument(help="registration-csv or registration-jsonl.")],
    path: Annotated[Path, typer.Argument(exists=True, help="Folder or file of the export.")],
    organisation: Annotated[str, typer.Option(help="Whose clients these are.")],
    mapping: Annotated[str, typer.Option(help="Column mapping: a name or a file.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, store nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Import a registration system's export. The same export again changes nothing."""
    asked = {
        "kind": kind,
        "path": str(path.resolve()),
        "organisation": organisation,
        "mapping": mapping,
        "dry_run": dry_run,
    }
    report = done("import", asked, shown=not as_json)
    if as_json:
        print_json(report)
    else:
        out.print(import_report(report))


@organisations.command("apply")
def organisations_apply(file: File, as_json: Json = False) -> None:
    """Store the directory in FILE (YAML). The same again changes nothing."""
    _tell_applied(done("organisations apply", {"document": _yaml(file)}), as_json)


@members.command("apply")
def members_apply(file: File, as_json: Json = False) -> None:
    """Store the members in FILE: `members: [{id, organisation, roles, site}]` (YAML)."""
    document = _yaml(file)
    if not isinstance(document, dict) or not isinstance(document.get("members"), list):
        stop(f"{file} holds no list `members`; each needs id, organisation and roles")
    _tell_applied(done("members apply", {"document": document}), as_json)


@notices.command("apply")
def notices_apply(folder: Folder, as_json: Json = False) -> None:
    """Put every notice (Markdown) in DIR into use. One that is in use never changes."""
    texts = {path.name: path.read_text("utf-8") for path in _files(folder, "*.md")}
    result = done("notices apply", {"texts": texts})
    _tell_applied(result, as_json)
    if not as_json:
        for name in result["renew"]:
            say(f"{name} changed what matters: consents on older texts give nothing unrenewed.")
        for name in result["undeclared"]:
            say(f"{name} changes what matters, though it says it does not: consents are renewed.")
        for name, behind in result["lagging"].items():
            say(f"{name} changed what matters; they are out of date in {', '.join(behind)}.")


@app.command()
def bench(
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each row runs.")] = 5.0,
    large: Annotated[
        bool, typer.Option("--large", help="Measure the log at a million entries.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure against a bare endpoint of the same framework, in the same run."""
    from exchange.bench import measure  # noqa: PLC0415 - only measuring needs its tools

    raise typer.Exit(measure(seconds=seconds, as_json=as_json, large=large))


def _tell_applied(result: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        say(f"{result['changed']} new or changed, {result['unchanged']} as they were.")


def _yaml(path: Path) -> Any:
    try:
        return plain_and_lines(path.read_bytes())[0]
    except (InvalidYaml, ValueError, OSError) as error:
        stop(f"{path} is no YAML that can be read: {error}")


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) or stop(f"there is no {pattern} in {folder}")


if __name__ == "__main__":
    main()
