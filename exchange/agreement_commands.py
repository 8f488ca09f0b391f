"""The command line for framework agreements: their texts, advices, signatures, and how they end."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from exchange.agreement_files import AgreementRefused, fitting, plain_and_lines
from exchange.security.agreement_signatures import sign_text
from exchange.security.public_keys import KeyRefused
from exchange.security.signing_keys import signer_from_jwk
from exchange.terminal import Json, done, print_json, say, stop, tell_asked
from policies.agreements import incomplete
from policies.yaml_files import InvalidYaml

agreements = typer.Typer(no_args_is_help=True, help="The agreements between organisations.")

Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, readable=True, help="One file for each.")
]
Id = Annotated[str, typer.Argument(help="The agreement, for instance PR-2026-001.")]
Version = Annotated[str, typer.Argument(help="Its version, for instance 2.0.")]
Party = Annotated[str, typer.Option(help="Id of the organisation.")]
By = Annotated[str, typer.Option(help="Id of the party; without: the broker.")]
On = Annotated[str | None, typer.Option(help="Since when (YYYY-MM-DD); without: today.")]


@agreements.command("apply")
def agreements_apply(
    folder: Folder,
    operator: Annotated[str, typer.Option(help="Your number, never a name (production).")] = "",
    as_json: Json = False,
) -> None:
    """Keep every agreement (YAML) in DIR. One that is incomplete is never in force.

    What a document says was done (advice, signature, publication, use) is kept as done on paper,
    as far as it can have been. In production another operator says the same within a day. A
    version that is kept never gets another text: a new text is a new version.
    """
    files = sorted(folder.glob("*.yaml")) or stop(f"there is no *.yaml in {folder}")
    read = {path.name: _yaml(path) for path in files}
    asked = {
        "documents": {name: document for name, (document, _) in read.items()},
        "lines": {name: lines for name, (_, lines) in read.items()},
        "operator": operator or None,
    }
    result = done("agreements apply", asked)
    if as_json:
        print_json(result)
        return
    if result["waiting"]:
        say("Noted. Another operator says the same within a day.")
    say(f"{result['changed']} new or changed, {result['unchanged']} as they were.")
    for agreement, missing in result["incomplete"].items():
        say(f"{agreement} is not complete, so not in force: {', '.join(missing)}")
    for name, steps in result["untaken"].items():
        for each in steps:
            say(f"{name}: {each['act']} by {each['by']} is not taken over: {each['why']}")
    tell_asked(result["asks_more"])


@agreements.command("check")
def agreements_check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An agreement (YAML).")],
    as_json: Json = False,
) -> None:
    """Say whether the agreement in FILE is complete; else what is missing, with its rule.

    Keeps nothing. Exit code 1 when something is missing.
    """
    document, lines = _yaml(file)
    try:
        missing = incomplete(fitting(document, {}, lines))
    except AgreementRefused as error:
        stop(f"{file} does not fit: {error}")
    if as_json:
        found = [{"element": element, "rule": rule} for element, rule in missing]
        print_json({"complete": not missing, "missing": found})
    else:
        for element, rule in missing:
            say(f"[red]missing[/]  {element}  {rule}")
        say(f"{len(missing)} elements are missing." if missing else "It is complete.")
    raise typer.Exit(1 if missing else 0)


@agreements.command("list")
def agreements_list(
    due: Annotated[
        bool, typer.Option("--due", help="Only those whose review is due within 60 days.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List every agreement: its version in use, and what it is worth today."""
    found = done("agreements list", {})["agreements"]
    shown = [each for each in found if each["review_due"] or not due]
    if as_json:
        print_json({"agreements": shown})
        return
    for each in shown:
        review = f"  review {each['review_on']}" if each["review_due"] else ""
        until = f"until {each['valid_until']}"
        say(f"{each['agreement']}/{each['version']}  {each['standing']}  {until}{review}")
    if not shown:
        say("There are none.")


@agreements.command("show")
def agreements_show(
    agreement: Id,
    version: Annotated[str | None, typer.Argument(help="Without: the one in use.")] = None,
    as_json: Json = False,
) -> None:
    """Show a version, all that was done to it, and check its signatures anew.

    Exit code 1 when a signature does not hold.
    """
    found = done("agreements show", {"agreement": agreement, "version": version})
    signatures = [each["signature"] for each in found["steps"] if "signature" in each]
    if as_json:
        print_json(found)
    else:
        _tell(found)
    raise typer.Exit(0 if all(each["holds"] for each in signatures) else 1)


@agreements.command("advise")
def agreements_advise(
    agreement: Id,
    version: Version,
    party: Party,
    outcome: Annotated[str, typer.Option(help="positive, positive_with_remarks or negative.")],
    remarks: Annotated[str | None, typer.Option(help="What the officer remarks.")] = None,
    on: On = None,
) -> None:
    """Note the advice of a party's data protection officer. A negative one stops the version."""
    if outcome not in ("positive", "positive_with_remarks", "negative"):
        raise typer.BadParameter("outcome is positive, positive_with_remarks or negative")
    said = {"outcome": outcome, "remarks": remarks}
    _act("advise", agreement, version, by=party, on=on, **said)


@agreements.command("authority-advice")
def agreements_authority_advice(
    agreement: Id,
    version: Version,
    body: Annotated[str, typer.Option(help="Who advised.")],
    reference: Annotated[str | None, typer.Option(help="Its number there.")] = None,
    on: On = None,
) -> None:
    """Note the advice of the supervisor, where it was asked; after that of both officers."""
    _act("authority-advice", agreement, version, body=body, reference=reference, on=on)


@agreements.command("sign")
def agreements_sign(
    agreement: Id,
    version: Version,
    party: Party,
    key: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="What `applications new` wrote."),
    ] = None,
    signature: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Or a detached JWS made elsewhere."),
    ] = None,
) -> None:
    """Sign a version for a party, with the key of a machine of it that is registered.

    The key stays here. A JWS made elsewhere is over the bytes that `agreements text` gives:
    ES256, typ framework-agreement+jws, the public key as `jwk` in its header, nothing else.
    """
    if (key is None) == (signature is None):
        raise typer.BadParameter("either --key FILE or --signature FILE")
    if key is not None:
        asked = {"agreement": agreement, "version": version}
        made = _signed(key, done("agreements text", asked)["text"])
    else:
        made = (signature or Path()).read_text("utf-8").strip()
    _act("sign", agreement, version, by=party, signature=made)


@agreements.command("text")
def agreements_text(agreement: Id, version: Version) -> None:
    """Print the bytes that a version's parties sign: its canonical text, without end of line."""
    typer.echo(
        done("agreements text", {"agreement": agreement, "version": version})["text"], nl=False
    )


@agreements.command("publish")
def agreements_publish(
    agreement: Id,
    version: Version,
    party: Party,
    url: Annotated[str, typer.Option(help="Where the party has it on its site (https).")],
    on: On = None,
) -> None:
    """Note that a party has published a version; when all have, it can be activated."""
    if not url.startswith("https://"):
        raise typer.BadParameter("url begins with https://")
    _act("publish", agreement, version, by=party, url=url, on=on)


@agreements.command("activate")
def agreements_activate(agreement: Id, version: Version) -> None:
    """Bring a version into use, from its first day; the one before it ends then."""
    _act("activate", agreement, version)


@agreements.command("review")
def agreements_review(agreement: Id, version: Version, by: By = "") -> None:
    """Begin the review of a version. Nothing leaves under it until it is activated again."""
    _act("review", agreement, version, by=by)


@agreements.command("end")
def agreements_end(agreement: Id, version: Version, by: By = "") -> None:
    """End a version for ever; it stays in the register."""
    _act("end", agreement, version, by=by, reason="ended")


@agreements.command("suspend")
def agreements_suspend(
    agreement: Id,
    reason: Annotated[
        str,
        typer.Option(help="security_incident, unlawful_use, under_review or partner_request."),
    ],
    by: By = "",
    on: On = None,
) -> None:
    """Let nothing leave under an agreement, now, until who says so lifts it."""
    _act("suspend", agreement, None, by=by, reason=reason, on=on)


@agreements.command("lift")
def agreements_lift(
    agreement: Id,
    by: By = "",
    reason: Annotated[
        str | None, typer.Option(help="Which suspension, when it imposed several; else all.")
    ] = None,
) -> None:
    """Lift the suspension that a party, or the broker, imposed itself; others go on standing."""
    _act("lift", agreement, None, by=by, reason=reason)


def _act(verb: str, agreement: str, version: str | None, **said: str | None) -> None:
    asked = {"agreement": agreement, "version": version, **said}
    made = done(f"agreements {verb}", asked)
    say(f"{made['agreement']}: {made['act']}. It is now {made['state']}.")


def _signed(path: Path, text: str) -> str:
    try:
        return sign_text(text, signer_from_jwk(json.loads(path.read_bytes())["private_jwk"]))
    except (ValueError, KeyError, TypeError, KeyRefused):
        stop(f"{path} is no file of `applications new`, with a private_jwk")


def _tell(found: Mapping[str, Any]) -> None:
    say(f"{found['agreement']}/{found['version']}  {escape(found['title'] or '')}")
    say(f"{found['state']}, {found['standing']}; sha-256 {found['hash']}")
    for each in found["suspended"]:
        say(f"  suspended since {each['on']} by {each['by']}: {each['reason']}")
    for each in found["missing"]:
        say(f"  [red]missing[/]  {each}")
    for each in found["steps"]:
        how = " (on paper)" if each["on_paper"] else ""
        if signature := each.get("signature"):
            word = "holds" if signature["holds"] else "[red]does not hold[/]"
            how = f": the signature of {signature['application']} {word}"
        say(f"  {each['on']}  {each['act']} by {each['by']}{how}")
    for each in found["versions"]:
        say(f"  version {each['version']}: {each['state']}, {each['standing']}")


def _yaml(path: Path) -> tuple[Any, dict[str, int]]:
    try:
        return plain_and_lines(path.read_bytes())
    except (InvalidYaml, ValueError, OSError) as error:
        stop(f"{path} is no YAML that can be read: {error}")
