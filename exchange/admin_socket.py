"""The running server's door for its operator: a socket file that only its owner can open.

One connection carries one request, a line of JSON, and answers with lines of JSON: progress,
then `{"result": …}` or `{"refused": words}`.
"""

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from exchange import (
    agreeing,
    agreement_views,
    applying_rules,
    keeping,
    operations,
    registering,
    reporting,
    risk_analyses,
    simulations,
)
from exchange.observability import log
from exchange.operations import OperationRefused
from exchange.services import Services

VERBS = {
    **operations.VERBS,
    **registering.VERBS,
    **keeping.VERBS,
    **agreeing.VERBS,
    **reporting.VERBS,
    **simulations.VERBS,
    **agreement_views.VERBS,
    **applying_rules.VERBS,
    **risk_analyses.VERBS,
}
_LONGEST = 64 * 1024 * 1024


def socket_path(data_dir: Path) -> Path:
    return data_dir / "admin.sock"


class AdminSocket:
    """Listens in a thread of its own until it is closed; one request at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._path = socket_path(services.settings.data_dir)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(before)
        self._socket.listen(4)
        self._thread = threading.Thread(target=self._serve, name="admin", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # Also closing says what was left unsaid, and fails when the operator hung up; what
            # was committed stays committed.
            with suppress(OSError), connection, connection.makefile("rwb") as stream:
                for line in self._answered(stream.readline(_LONGEST)):
                    stream.write(json.dumps(line).encode() + b"\n")
                    stream.flush()

    def _answered(self, raw: bytes) -> Iterator[dict[str, Any]]:
        try:
            asked = json.loads(raw)
            yield from answers(self._services, asked["verb"], asked["asked"])
        except OperationRefused as refused:
            yield {"refused": str(refused)}
        except Exception as error:  # noqa: BLE001 - the door stays open whatever one request did
            log.error("operation.failed", failure=type(error).__name__)
            yield {"refused": f"it failed inside the server ({type(error).__name__}); see its log"}


def answers(services: Services, verb: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a verb: its progress lines, then its result under `result`."""
    for line in VERBS[verb](services, asked):
        yield line if "progress" in line else {"result": line}


def listens(data_dir: Path) -> bool:
    """Whether a server runs there; a file that one left behind is none."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(socket_path(data_dir))) == 0


def ask_server(
    data_dir: Path, verb: str, asked: Mapping[str, Any]
) -> Iterator[dict[str, Any]] | None:
    """The running server's answers, or nothing when no server listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(socket_path(data_dir)))
    except OSError:
        connection.close()
        return None
    return _lines(connection, {"verb": verb, "asked": asked})


def _lines(connection: socket.socket, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    with connection, connection.makefile("rwb") as stream:
        stream.write(json.dumps(request, default=str).encode() + b"\n")
        stream.flush()
        for raw in stream:
            line = json.loads(raw)
            if "refused" in line:
                raise OperationRefused(line["refused"])
            yield line
