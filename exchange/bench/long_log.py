"""The log by itself: how fast it grows, and what a proof and a start cost when it is long."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from sqlalchemy import Connection, func, select
from sqlmodel import col

from audit.events import AdminChanged
from audit.leaf import log_leaf
from audit.records import AuditEntry, AuditState, AuditTile
from audit.sealing import fresh_event_ids, text_of
from audit.tile_store import stored_tiles
from audit.tree import TILE_WIDTH, fold, leaf_hash
from exchange.bench.load import distribution
from exchange.database import sqlite_driver, sqlite_path
from exchange.services import SHARD, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction

WAITING = 64
PROOFS = 2000
STRIDE = 7_919
"""A prime: the places asked for lie all over the log."""
STARTS = 5
_CHUNK = 65_536
# Upper tiles only grow: the guards of the log let nothing else pass.
_GROW = (
    "INSERT INTO audit_tile (shard, level, n, data) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (shard, level, n) DO UPDATE SET data = excluded.data"
)


def appends(settings: Settings, seconds: float) -> dict[str, float]:
    """Durable appends a second, with 64 of them waiting at all times."""
    services = build_services(settings)
    room, times = BoundedSemaphore(WAITING), list[float]()
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        room.acquire()
        future = services.writer.submit(_note)

        def done(_: object, sent: float = now) -> None:
            times.append(time.perf_counter() - sent)
            room.release()

        future.add_done_callback(done)
    services.close()
    return distribution(times, seconds)


def _note(_tx: Transaction) -> Outcome[None]:
    return Outcome(None, (AdminChanged(what="bench", act="noted", id="x"),))


def proofs(settings: Settings) -> dict[str, float]:
    """Inclusion proofs from the stored tiles, at places all over the log."""
    services = build_services(settings)
    times = []
    with services.database.reading() as connection:
        size = _size(connection)
        for number in range(PROOFS):
            index = number * STRIDE % size
            began = time.perf_counter()
            stored_tiles(connection, shard=SHARD, size=size).inclusion(index)
            times.append(time.perf_counter() - began)
    services.close()
    return distribution(times, sum(times)) | {"entries": float(size)}


def starts(settings: Settings) -> dict[str, float]:
    """Everything that a server builds and checks before it opens its port."""
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        build_services(settings).close()
        times.append(time.perf_counter() - began)
    return distribution(times, sum(times))


def bytes_an_entry(settings: Settings) -> dict[str, float]:
    """What an entry of the log takes: its leaf, and its share of the tree."""
    services = build_services(settings)
    with services.database.reading() as connection:
        size = _size(connection)
        leaves, tiles = (
            connection.scalar(select(func.sum(func.length(column)))) or 0
            for column in (col(AuditEntry.leaf), col(AuditTile.data))
        )
    services.close()
    return {"leaf": leaves / size, "tree": tiles / size, "entries": float(size)}


def lengthen(settings: Settings, size: int) -> None:
    """Make the log of a SQLite broker this long, written straight into its tables.

    One that is longer stays as it is.
    Real leaves and real tiles: only the order of work is another than the writer's.
    """
    services = build_services(settings)
    with services.database.reading() as connection:
        state = connection.execute(select(*AuditState.__table__.columns)).mappings().one()  # type: ignore[attr-defined]  # SQLModel hides it
        first = [bytes(leaf) for leaf in connection.scalars(select(col(AuditEntry.leaf)))]
    services.close()
    if len(first) < size:
        with straight_into(settings) as file:
            _write(file, dict(state), first, size)


def _write(file: Any, state: dict[str, Any], first: list[bytes], size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in first]
    compact, completed = fold((), 0, hashes)
    upper: dict[int, list[bytes]] = {}
    for level, _, root in completed:
        upper.setdefault(level, []).append(root)
    done, t = len(first), state["last_t"]
    pending = hashes[done // TILE_WIDTH * TILE_WIDTH :]
    while done < size:
        leaves = _leaves(min(_CHUNK, size - done), t)
        rows = [(SHARD, index, leaf) for index, leaf in enumerate(leaves, done)]
        file.executemany("INSERT INTO audit_entry (shard, idx, leaf) VALUES (?, ?, ?)", rows)
        hashes = [leaf_hash(leaf) for leaf in leaves]
        compact, completed = fold(compact, done, hashes)
        pending = _full_tiles(file, done // TILE_WIDTH, pending + hashes)
        for level, _, root in completed:
            upper.setdefault(level, []).append(root)
        done += len(leaves)
    for level, roots in upper.items():
        for n in range(0, len(roots), TILE_WIDTH):
            data = b"".join(roots[n : n + TILE_WIDTH])
            file.execute(_GROW, (SHARD, level, n // TILE_WIDTH, data))
    file.execute("UPDATE audit_state SET size = ?, compact = ?", (size, b"".join(compact)))


def _full_tiles(file: Any, n: int, pending: list[bytes]) -> list[bytes]:
    while len(pending) >= TILE_WIDTH:
        data = b"".join(pending[:TILE_WIDTH])
        file.execute("INSERT INTO audit_tile VALUES (?, 0, ?, ?)", (SHARD, n, data))
        pending, n = pending[TILE_WIDTH:], n + 1
    return pending


def _leaves(count: int, t: int) -> list[bytes]:
    extra = {"what": "bench", "act": "noted", "id": os.urandom(8).hex()}
    ids = fresh_event_ids(t // 1000, count)
    return [log_leaf("admin.changed", extra, event_id=text_of(each), t=t) for each in ids]


@contextmanager
def straight_into(settings: Settings) -> Iterator[Any]:
    """The file of a SQLite broker that nobody serves, in one transaction."""
    path = sqlite_path(settings.url)
    file: Any = sqlite_driver(settings.sqlite_journal).connect(path, isolation_level=None)
    file.execute("PRAGMA synchronous=OFF")
    file.execute("BEGIN IMMEDIATE")
    try:
        yield file
    except BaseException:
        file.execute("ROLLBACK")
        raise
    else:
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        file.close()


def _size(connection: Connection) -> int:
    return connection.scalars(select(col(AuditState.size))).one()
