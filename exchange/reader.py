"""Queries that change nothing and reveal nothing personal, on threads of their own.

A query that serves a caller names the caller's organisation; one that does not sees no client.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from exchange.database import Database
from exchange.tenancy import NOBODY
from exchange.writer import Busy

T = TypeVar("T")
WAITING = 512
"""Queries that may wait for a thread; one more is told to come back."""


class Reader:
    """As many threads as there are read-only connections: no query ever waits for one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        size = database.options.readers
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="reader")
        self._room = threading.Semaphore(size + WAITING)

    async def run(self, query: Callable[[Connection], T], *, tenant: str = NOBODY) -> T:
        """What the query finds, in one transaction that can not write. Raises `Busy`."""
        if not self._room.acquire(blocking=False):
            raise Busy
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._run, query, tenant)
        finally:
            self._room.release()

    def close(self) -> None:
        self._threads.shutdown()

    def _run(self, query: Callable[[Connection], T], tenant: str) -> T:
        with self._database.reading(tenant=tenant) as connection:
            return query(connection)
