"""The server: one process, its watchdog, its sweep of deadlines, and an orderly end."""

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import uvicorn

from exchange.admin_socket import AdminSocket
from exchange.app import create_app
from exchange.arrival import arrival
from exchange.checkpointing import Signing
from exchange.checks import require_fit
from exchange.counted import keep_counted
from exchange.database import Unsafe
from exchange.flows.note_failures import note_failures
from exchange.following import follow
from exchange.observability import log, without_words
from exchange.publishing import keep_publishing
from exchange.services import SHARD, VERSION, Services, note_start
from exchange.settings import Settings, unknown_variables
from exchange.sweeps import SWEEPS, Sweep
from exchange.threshold import walls
from exchange.writer import Writer

EXIT_STUCK = 75
STUCK_SECONDS = 5.0
"""A batch that runs longer than this will not end well: the process is ended, and restarted."""

SWEEP_SECONDS = 30.0


class Upkeep:
    """What must happen without anybody asking: deadlines, and a look at the writer's health."""

    def __init__(self, services: Services, end: Callable[[int], None] = os._exit) -> None:
        self._services, self._end = services, end
        self._closing = threading.Event()
        self.thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self.thread.start()

    def close(self) -> None:
        self._closing.set()
        self.thread.join(5)
        self._attempt(lambda: keep_counted(self._services))
        self._attempt(partial(self._note_failures, unfinished=True))

    def _run(self) -> None:
        swept = 0.0
        while not self._closing.wait(0.5):
            if is_stuck(self._services.writer, time.monotonic()):
                log.error("writer.stuck", seconds=STUCK_SECONDS)
                self._end(EXIT_STUCK)
            if time.monotonic() - swept >= SWEEP_SECONDS:
                swept = time.monotonic()
                self._sweep()

    def _sweep(self) -> None:
        for sweep in SWEEPS:
            self._attempt(partial(self._wait_for, sweep))
        # Another process may have erased somebody whose key this one still holds.
        self._attempt(self._services.keys.forget_destroyed)
        self._attempt(lambda: follow(self._services))
        self._attempt(lambda: keep_counted(self._services))
        self._attempt(self._note_failures)

    def _note_failures(self, *, unfinished: bool = False) -> None:
        """Those of the minutes that are over; what can not be written now is noted later."""
        failures = self._services.quotas.failures
        counted = failures.take(unfinished=unfinished)
        if not counted:
            return
        try:
            self._services.writer.submit(note_failures, counted).result(10)
        except Exception:
            for each in counted:
                failures.note(*each)
            raise

    def _wait_for(self, sweep: Sweep) -> None:
        self._services.writer.submit(sweep).result(10)

    def _attempt(self, due: Callable[[], object]) -> None:
        try:
            due()
        except Exception as error:  # noqa: BLE001 - the thread that watches the writer goes on
            log.warning("sweep.postponed", failure=type(error).__name__)


def is_stuck(writer: Writer, now: float) -> bool:
    """Whether the writer's thread has died, or its batch has run for too long."""
    since = writer.busy_since
    return not writer.alive or (since is not None and now - since > STUCK_SECONDS)


def _publish(services: Services) -> None:
    settings = services.settings
    if settings.tiles is not None:
        entries = settings.tiles_with_entries
        keep_publishing(services.database, settings.tiles, shard=SHARD, entries=entries)


def server_for(services: Services, host: str, port: int) -> uvicorn.Server:
    """The HTTP server; not yet started. Raises `Unsafe` when its certificate can not be used."""
    settings = services.settings
    _check_certificate(settings)
    config = uvicorn.Config(
        create_app(services),
        host=host,
        port=port,
        access_log=False,  # addresses would tell what is asked
        log_level="warning",
        server_header=False,
        date_header=False,
        loop="uvloop",
        http=arrival(walls(https=settings.https)),
        ws="none",
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=20,
        forwarded_allow_ips="",
        proxy_headers=False,
    )
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(without_words)
    return uvicorn.Server(config)


def _check_certificate(settings: Settings) -> None:
    certificate, key = settings.tls_certificate, settings.tls_key
    if (certificate is None) != (key is None):
        raise Unsafe("set both OVERDRACHT_TLS_CERTIFICATE and OVERDRACHT_TLS_KEY, or neither")
    if key is not None and key.stat().st_mode & 0o077:
        raise Unsafe(f"others may read the key of the certificate; run: chmod 600 {key}")


def serve(services: Services, host: str, port: int) -> None:
    """Serve until told to stop. What was taken is finished, and the log is left whole.

    Raises `Unsafe` when the installation is not fit for its profile.
    """
    require_fit(services.settings)
    for name in unknown_variables():
        log.warning("setting.unknown", failure=name)
    if services.admission.frozen is None:
        services.writer.submit(note_start, VERSION).result()
    admin, upkeep = AdminSocket(services), Upkeep(services)
    settings = services.settings
    signing = Signing(
        services.checkpointing,
        settings.checkpoint_seconds,
        signs=settings.signs,
        then=partial(_publish, services),
    )
    services.threads.extend([upkeep.thread, *signing.threads])
    # Objects that live for ever need not be looked at by every collection.
    gc.collect()
    gc.freeze()
    log.info("service.started", address=f"{host}:{port}", version=VERSION)
    # When it has shut down, uvicorn sends itself the signal that told it to: by default that
    # would end the process here, before what follows is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        server_for(services, host, port).run()
    finally:
        signing.close()
        upkeep.close()
        admin.close()
        services.close()
        log.info("service.stopped")
