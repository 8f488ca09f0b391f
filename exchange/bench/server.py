"""The service as it is measured: the product's own application, and a bare route beside it."""

import gc
import sys
import time
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from sqlalchemy import event

from exchange.app import create_app
from exchange.arrival import arrival
from exchange.services import Services, build_services
from exchange.settings import read_settings
from exchange.threshold import walls

PREPARED = b'{"summary":' + b'"' + b"x" * 2000 + b'"}'
"""About as long as the answer to a fetch."""


def main(port: int, flush_ms: float) -> None:
    """Serve until killed. `flush_ms` is added to every flush, as a slow disk would."""
    services = build_services(read_settings())
    if flush_ms:
        slow_down(services, flush_ms)
    app = create_app(services)
    add_bare(app)
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="error",
        loop="uvloop",
        http=arrival(walls(https=False)),
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )


def slow_down(services: Services, flush_ms: float) -> None:
    """Wait in every COMMIT, without the interpreter's lock, as for a disk."""

    def wait(_connection: Any) -> None:
        time.sleep(flush_ms / 1000)

    event.listen(services.database.writing_engine, "commit", wait)


def add_bare(app: FastAPI) -> None:
    """What the framework alone costs: a route that returns prepared bytes."""

    async def bare() -> Response:
        return Response(PREPARED, media_type="application/json")

    app.add_api_route("/bare", bare)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
