"""`overdracht witness …`: sign the heads of somebody else's log."""

from pathlib import Path
from typing import Annotated

import typer

from audit.checkpoints import NotAKey
from audit.policy import NotAPolicy
from audit.witness import WitnessServer, witness_in
from exchange.terminal import say, stop

witness = typer.Typer(no_args_is_help=True, help="Witness a log of another organisation.")


@witness.command("serve")
def witness_serve(
    name: Annotated[str, typer.Option(help="Name of the witness's key, such as w.example/1.")],
    logs: Annotated[Path, typer.Option(help="Policy file with a `log` line for each log.")],
    data: Annotated[Path, typer.Option(help="Folder for the key and the heads.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8099,
) -> None:
    """Sign every head that extends the one before it, until stopped. TLS is for a proxy."""
    try:
        serving, key = witness_in(data, name, logs)
        server = WitnessServer((host, port), serving)
    except (NotAKey, NotAPolicy) as refused:
        stop(f"{logs} or the key in {data} does not fit: {refused}")
    except OSError as error:
        stop(
            f"the witness can not start: {error.strerror}; choose another --data, --logs or --port"
        )
    say(f"witness {key.vkey.text} http://{host}:{port}/")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("Stopped.")
    finally:
        server.server_close()
        serving.close()
