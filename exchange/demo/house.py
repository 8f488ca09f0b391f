"""The broker that the demonstration runs: real in every part, in a directory of its own."""

import socket
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from exchange.agreeing import agreements_apply
from exchange.operations import (
    OperationRefused,
    import_run,
    notices_apply,
    organisations_apply,
)
from exchange.samples import DATA, REFERENCE, directory_documents
from exchange.services import VERSION, Services, build_services, note_start
from exchange.serving import server_for
from exchange.settings import Profile, read_settings

HOST = "127.0.0.1"
EXPORTS = (
    ("registration-csv", "leerwinkel", "leerwinkel-wvl"),
    ("registration-jsonl", "destap", "destap-ww"),
)
"""Kind, folder of the sample data, and whose clients they are."""

START_SECONDS = 20.0


def listening(port: int, *, or_any: bool) -> socket.socket:
    """A socket on the port; with `or_any` on whichever is free when that one is taken."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
    except OSError:
        if not or_any:
            taken.close()
            raise OperationRefused(
                f"port {port} is in use; choose another: overdracht demo --port N"
            ) from None
        taken.bind((HOST, 0))
    return taken


def built(data_dir: Path, address: str, witnesses: Path) -> Services:
    """A broker on SQLite in `data_dir`, whatever database the environment names."""
    settings = read_settings().model_copy(
        update={
            "profile": Profile.DEMO,
            "data_dir": data_dir,
            "database_url": "",
            "public_base_url": address,
            "witness_policy": str(witnesses),
            "log_key": None,
            "high_water": None,
            "signs": True,
        }
    )
    services = build_services(settings)
    services.writer.submit(note_start, VERSION).result()
    return services


def shift_to_today(services: Services) -> timedelta:
    """What the sample data lie behind: added, a seventeen-year-old is seventeen today."""
    return services.clock().date() - REFERENCE


def furnish(services: Services) -> dict[str, Any]:
    """Apply directory, agreements and notices; says how many of each, and what is incomplete."""
    documents = directory_documents(shift_to_today(services))
    organisations, agreements = documents["organisation"], documents["agreement"]
    directory = {
        "organisations": list(organisations.values()),
        "partnerships": list(documents["partnership"].values()),
    }
    texts = {path.name: path.read_text("utf-8") for path in sorted((DATA / "notices").glob("*.md"))}
    list(organisations_apply(services, {"document": directory}))
    (applied,) = agreements_apply(services, {"documents": agreements})
    list(notices_apply(services, {"texts": texts}))
    return {
        "organisations": len(organisations),
        "agreements": len(agreements),
        "incomplete": sorted(applied["incomplete"]),
        "notices": len(texts),
    }


def imported(services: Services, kind: str, folder: str, organisation: str) -> Mapping[str, Any]:
    """Import one of the two exports; its report."""
    asked = {"kind": kind, "path": str(DATA / folder), "organisation": organisation}
    *_, report = import_run(services, asked)
    return report


class Door:
    """The HTTP server in a thread of its own, until it is closed."""

    def __init__(self, services: Services, socket_: socket.socket) -> None:
        host, port = socket_.getsockname()
        self._server = server_for(services, host, port)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [socket_]}, name="http", daemon=True
        )
        self._thread.start()
        until = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise OperationRefused("the HTTP server did not start; see the lines above")
            self._thread.join(0.02)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
