"""The command line for keeping: erasing a client, rotating keys, letting parts expire."""

from enum import StrEnum
from typing import Annotated

import typer

from exchange.admin_socket import listens
from exchange.key_rings import move_ring
from exchange.operations import OperationRefused
from exchange.settings import KeyRingKind, read_settings
from exchange.terminal import Json, done, print_json, say, stop

clients = typer.Typer(no_args_is_help=True, help="People whose data is held here.")
keys = typer.Typer(no_args_is_help=True, help="The keys that seal what is personal.")
retention = typer.Typer(no_args_is_help=True, help="How long the log keeps what is personal.")


@clients.command("erase")
def clients_erase(
    client: Annotated[str, typer.Argument(help="The organisation's handle for the client.")],
    organisation: Annotated[str, typer.Option(help="Whose client it is.")],
    basis: Annotated[str, typer.Option(help="The legal basis, a code: gdpr-17-1-b.")],
    request: Annotated[str, typer.Option(help="The reference of the request, a code.")],
    as_json: Json = False,
) -> None:
    """Erase CLIENT for ever: key, summary, consents, handovers. No proof of the log breaks.

    Backups can be read until their key-encrypting key is destroyed: see `keys rotate`.
    """
    asked = {"client": client, "organisation": organisation, "basis": basis, "request": request}
    result = done("clients erase", asked)
    if as_json:
        print_json(result)
        return
    say(f"Erased: {result['parts']} sealed parts are gone, and the key they were sealed with.")
    if result["recipients"]:
        say(f"These have read the summary and must be told: {', '.join(result['recipients'])}")
    if not result["journal_emptied"]:
        say("The write-ahead log was in use; it is emptied with the next erasure or stop.")


@clients.command("delay")
def clients_delay(
    client: Annotated[str, typer.Argument(help="The organisation's handle for the client.")],
    organisation: Annotated[str, typer.Option(help="Whose client it is.")],
    reference: Annotated[str, typer.Option(help="Of the order that asks for it, a code.")],
    operator: Annotated[str, typer.Option(help="Your number; never a name.")],
    until: Annotated[str, typer.Option(help="The first day it is over: 2027-01-31.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now instead.")] = False,
    as_json: Json = False,
) -> None:
    """Keep what is logged of CLIENT from now on from the client, until a day. Auditors see it.

    Two operators, within a day of each other. Afterwards all of it is shown to the client.
    """
    if bool(until) == end:
        stop("say either --until DAY or --end")
    asked = {"client": client, "organisation": organisation, "until": until}
    result = done("clients delay", asked | {"reference": reference, "operator": operator})
    if as_json:
        print_json(result)
    elif not result["done"]:
        say("Noted. Another operator says the same within a day.")
    else:
        say("It is over; all is shown again." if end else f"Kept back until {until}.")


class Use(StrEnum):
    """What the keys are for that are changed."""

    KEK = "kek"
    LOG = "log"
    TOKENS = "tokens"


@keys.command("rotate")
def keys_rotate(
    use: Annotated[
        Use, typer.Option(help="kek wraps all keys; log signs the log's heads; tokens, tokens.")
    ] = Use.KEK,
    destroy_old: Annotated[
        bool,
        typer.Option("--destroy-old", help="End the earlier ones: older backups open no more."),
    ] = False,
    compromised: Annotated[
        bool,
        typer.Option("--compromised", help="With tokens: refuse those of the old key at once."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a new key-encrypting key and wrap every living key under it.

    When the last backup from before may go, run it again with --destroy-old. Several servers
    on one database share one keys.json: copy it to them, and restart them, in between.

    With --use log: a new key signs the log beside the old one. Give it to the witnesses and to
    all who verify; then run it again with --destroy-old. What the old one signed still opens.

    With --use tokens: a new key signs access tokens, and the old one is published beside it
    while its tokens last. Other servers take the new one from keys.json within a minute.
    """
    asked = {"use": use.value, "destroy_old": destroy_old, "compromised": compromised}
    result = done("keys rotate", asked)
    if as_json:
        print_json(result)
        return
    if use is Use.TOKENS:
        counts = "no more" if compromised else "until they expire"
        say(f"{result['key']} signs tokens; those of {result['before']} count {counts}.")
        return
    if use is Use.LOG:
        for each in result["keys"]:
            say(f"log {each}")
        say(f"{len(result['ended'])} keys are destroyed." if destroy_old else "Both keys sign.")
        return
    say(f"Epoch {result['epoch']}: {result['wrapped']} keys wrapped anew.")
    if result.get("resumed"):
        say("This was the rest of a turn that had been cut short. For a new one, run it again.")
    if result["destroyed"]:
        say(f"{result['destroyed']} earlier key-encrypting keys are destroyed.")


@keys.command("move")
def keys_move() -> None:
    """Have the key ring kept as OVERDRACHT_KEY_RING says. Stop the service before.

    Moved out of a plain file, turn the keys too: whoever has a copy of that file has those keys.
    """
    settings = read_settings()
    if listens(settings.data_dir):
        raise OperationRefused("the service runs; stop it first")
    before = move_ring(settings)
    say(f"The key ring was kept by: {before.value}. Now by: {settings.key_ring.value}.")
    if before is KeyRingKind.FILE:
        say("Next: overdracht keys rotate. When no older backup is needed: add --destroy-old.")


@retention.command("run")
def retention_run(as_json: Json = False) -> None:
    """Let sealed parts go that are older than ten years. Run it daily; entries and proofs stay.

    With a written policy (OVERDRACHT_PRUNE_POLICY) entries of that age go too, 65,536 at a time,
    once they are signed and every witness that signs for this log has seen them.
    What is proven of later ones still is.
    """
    result = done("retention run", {})
    if as_json:
        print_json(result)
        return
    say(f"{result['parts']} sealed parts have had their time and are gone.")
    if result["entries"]:
        say(f"{result['entries']} entries were pruned, which the log says of itself.")
    if not result["journal_emptied"]:
        say("The write-ahead log was in use; it is emptied with the next run or stop.")
