"""A disk that is really full: a small memory file system, or a database that may not grow."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from exchange.services import Services
from exchange.transaction import Outcome, Transaction

BIG = 12_000_000
"""Bytes: enough for the furnished database, its log of writes and a few commands."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A memory file system at `folder`, or nothing where this process may mount none."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={BIG}", "tmpfs", str(folder)]
    made = subprocess.run(mount, check=False, capture_output=True)  # noqa: S603 - fixed words
    if made.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - fixed words


@contextmanager
def full(services: Services, disk: Path | None) -> Iterator[None]:
    """In the block the disk under the broker is full to the last byte."""
    if disk is None:
        with _no_page_more(services):
            yield
        return
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    yield
    ballast.unlink()


@contextmanager
def _no_page_more(services: Services) -> Iterator[None]:
    """The database may not grow, whichever connection the writer has."""
    engine = services.database.writing_engine

    def clamp(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")

    services.writer.submit(_pages_at_most, 1).result()
    event.listen(engine, "connect", clamp)
    yield
    event.remove(engine, "connect", clamp)
    services.writer.submit(_pages_at_most, 1_000_000).result()


def _pages_at_most(tx: Transaction, pages: int) -> Outcome[None]:
    """Fewer than there are mean: as many as there are."""
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    return Outcome(None)
