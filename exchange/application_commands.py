"""The command line for the machines of partners: their keys, their end."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from exchange.security.possession import proof_of_key
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.terminal import Json, done, print_json, say, stop

applications = typer.Typer(no_args_is_help=True, help="Machines that may call the service.")

Out = Annotated[Path | None, typer.Option("--out", help="Where the private key is written.")]
Given = Annotated[
    Path | None,
    typer.Option(
        "--key", exists=True, dir_okay=False, help="Or the partner's own: {key, proof} (JSON)."
    ),
]
Id = Annotated[str, typer.Argument(help="Its id, as `applications list` shows it.")]


@applications.command("new")
def applications_new(
    organisation: Annotated[str, typer.Argument(help="Id of the organisation.")],
    out_file: Out = None,
    key_file: Given = None,
    scope: Annotated[list[str] | None, typer.Option(help="Narrow what it may do.")] = None,
    until: Annotated[
        str | None, typer.Option(help="First day on which it is let in no more.")
    ] = None,
) -> None:
    """Register a fresh ES256 key for ORGANISATION, and write what its system needs to FILE.

    With --key: register the public JWK that the partner made. It sends along a proof that it
    holds the private half: a JWT of type key-possession+jwt, by that key, with `jwk` in its
    header and the claims aud (the issuer), sub (ORGANISATION), iat (within the hour) and jti.
    """
    asked = {"scopes": scope or [], "until": until, "organisation": organisation}
    made = _with_key("applications new", asked, out_file, key_file)
    where = f" Key in {out_file} (0600)." if out_file else ""
    say(f"{made['application']} may: {', '.join(made['scopes'])}.{where}")


@applications.command("rotate")
def applications_rotate(
    application: Id,
    out_file: Out = None,
    key_file: Given = None,
    hours: Annotated[int, typer.Option(help="How long the key before goes on counting.")] = 24,
) -> None:
    """Give an application another key. For a while it may sign with either: so it changes over.

    With --hours 0 the key before ends now: when it was stolen.
    """
    asked = {"application": application, "hours": hours}
    made = _with_key("applications rotate", asked, out_file, key_file)
    say(f"{application} signs with {made['key']}; the key before counts for {made['hours']} h.")


@applications.command("list")
def applications_list(as_json: Json = False) -> None:
    """List every application, revoked ones too."""
    found = done("applications list", {})
    if as_json:
        print_json(found)
        return
    for each in found["applications"]:
        keys = f"{len(each['keys'])} keys" if len(each["keys"]) > 1 else "1 key"
        say(f"{each['application']}  {each['state']}  {keys}  {' '.join(each['scopes'])}")
    if not found["applications"]:
        say("There are none yet; make one with: overdracht applications new ORG --out FILE")


@applications.command("revoke")
def applications_revoke(application: Id) -> None:
    """End an application at once, for ever: also the tokens that it still holds."""
    done("applications revoke", {"application": application})
    say(f"{application} is revoked.")


@applications.command("suspend")
def applications_suspend(application: Id) -> None:
    """Let an application in no more, until `resume`: also with the tokens that it still holds."""
    done("applications suspend", {"application": application})
    say(f"{application} is suspended.")


@applications.command("resume")
def applications_resume(application: Id) -> None:
    """Let an application in again that was suspended."""
    done("applications resume", {"application": application})
    say(f"{application} may come in again.")


def _with_key(
    verb: str, asked: dict[str, Any], out_file: Path | None, key: Path | None
) -> dict[str, Any]:
    """What a verb gives for a key that the partner made, or for one that is made here."""
    if (out_file is None) == (key is None):
        raise typer.BadParameter("either --out FILE, for a key that is made here, or --key FILE")
    if out_file is None:
        return done(verb, {**asked, **_given(key)})
    private = new_signing_key()
    signer = signer_from_jwk(private)
    with _new_secret(out_file) as secret:
        terms = done("applications terms", asked)
        issuer, at = terms["issuer"], datetime.fromtimestamp(terms["at"], UTC)
        proof = proof_of_key(signer, issuer=issuer, organisation=terms["organisation"], at=at)
        made = done(verb, {**asked, "key": signer.public_jwk(), "proof": proof})
        named = {"issuer": issuer, "token_endpoint": f"{issuer}/oauth/token"}
        said = {"application": made["application"], **named, "private_jwk": private}
        secret.write(json.dumps(said, indent=1))
    return made


def _given(path: Path | None) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes() if path else b"")
        return {"key": said["key"], "proof": said["proof"]}
    except (ValueError, KeyError, TypeError):
        stop(f"{path} holds no JSON object with `key` (public JWK) and `proof`")


@contextmanager
def _new_secret(path: Path) -> Iterator[TextIO]:
    """A new file for its owner alone; made first, so that no key is registered and then lost."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        stop(f"{path} exists; a private key is never written over another file")
    except OSError as error:
        stop(f"{path} can not be written: {error.strerror}")
    try:
        with os.fdopen(file, "w") as stream:
            yield stream
    except BaseException:
        path.unlink(missing_ok=True)
        raise
