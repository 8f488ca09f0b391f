"""A disk that is really full: a small memory file system, or a database that may not grow."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        services.writer.submit(_may_not_grow, 1).result()
        yield
        services.writer.submit(_may_not_grow, 1_000_000).result()
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


def _may_not_grow(tx: Transaction, pages: int) -> Outcome[None]:
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    return Outcome(None)
