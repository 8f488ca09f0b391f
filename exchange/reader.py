"""Queries that change nothing and reveal nothing personal, on threads of their own.

A query that serves a caller names the caller's organisation; one that does not sees no client.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection

from exchange.database import Database
from exchange.tenancy import NOBODY
from exchange.writer import Busy

T = TypeVar("T")
WAITING = 512
"""Queries that may wait for a thread; one more is told to come back."""
LONG, LONG_WAITING = 2, 16
"""Long pieces of work at once, and those that may wait: the other connections are for the rest."""


class Reader:
    """As many threads as there are read-only connections, and a few for what takes long."""

    def __init__(self, database: Database) -> None:
        self._database = database
        size = database.options.readers
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="reader")
        self._room = threading.Semaphore(size + WAITING)
        self._long_threads = ThreadPoolExecutor(LONG, thread_name_prefix="long-reader")
        self._long_room = threading.Semaphore(LONG + LONG_WAITING)

    async def run(self, query: Callable[[Connection], T], *, tenant: str = NOBODY) -> T:
        """What the query finds, in one transaction that can not write. Raises `Busy`."""
        with _place_in(self._room):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._run, query, tenant)

    async def run_long(self, work: Callable[[], T]) -> T:
        """What comes of work that takes long, and opens its connections itself. Raises `Busy`."""
        with _place_in(self._long_room):
            return await asyncio.get_running_loop().run_in_executor(self._long_threads, work)

    def close(self) -> None:
        self._threads.shutdown()
        self._long_threads.shutdown()

    def _run(self, query: Callable[[Connection], T], tenant: str) -> T:
        with self._database.reading(tenant=tenant) as connection:
            return query(connection)


@contextmanager
def _place_in(room: threading.Semaphore) -> Iterator[None]:
    if not room.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        room.release()
