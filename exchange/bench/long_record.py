"""One client's record in a long log: who saw it, and how fast its like is verified offline."""

import os
import time
from uuid import uuid4

from audit import search, verify
from audit.events import Actor, ClientViewed
from exchange.bench import long_log
from exchange.bench.load import distribution
from exchange.services import SHARD, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction

EVENTS, STEPS, ASKED = 500, 5, 20
OTHERS = 2000
"""Clients that the other entries of the index are about."""
LEAVES = 100_000


def lengthen_about(settings: Settings, size: int) -> str:
    """Make a SQLite broker's log this long, one client's events all over it; gives the client."""
    client = str(uuid4())
    for step in range(1, STEPS + 1):
        long_log.lengthen(settings, size * step // STEPS - EVENTS // STEPS)
        services = build_services(settings)
        services.writer.submit(_viewed, client, new=step == 1).result()
        services.close()
    with long_log.straight_into(settings) as file:
        _index_others(file)
    return client


def who_saw(settings: Settings, client: str) -> dict[str, float]:
    """The whole record, with who and why of every entry opened, and that nothing is missing."""
    services, times = build_services(settings), list[float]()
    for _ in range(ASKED):
        began = time.perf_counter()
        with services.database.reading() as connection:
            keys = services.keys
            found = search.timeline(connection, shard=SHARD, client=client, keys=keys)
            search.opened(connection, shard=SHARD, hits=found.hits, labels=("a", "y"), keys=keys)
        times.append(time.perf_counter() - began)
    services.close()
    figures = distribution(times, sum(times))
    complete = found.complete and len(found.hits) == EVENTS
    return figures | {"entries": float(found.size), "events": float(len(found.hits) * complete)}


def verifying(settings: Settings, client: str) -> dict[str, float]:
    """Leaves a second on one core, by the offline verifier: hashed into tiles, and also read.

    In the processor's own seconds: what else runs here takes nothing from a core's rate.
    """
    services = build_services(settings)
    with services.database.reading() as connection:
        keys = services.keys
        hits = search.timeline(connection, shard=SHARD, client=client, keys=keys).hits
    services.close()
    leaves = [hit.leaf for hit in hits] * (LEAVES // len(hits))
    began = time.process_time()
    hashes = [verify.leaf_hash(leaf) for leaf in leaves]
    for start in range(0, len(hashes) - verify.WIDTH + 1, verify.WIDTH):
        verify.perfect_root(hashes[start : start + verify.WIDTH])
    hashed = time.process_time() - began
    check = verify.LeafCheck(verify.Findings())
    for index, leaf in enumerate(leaves):
        check.take(index, leaf)
    whole = time.process_time() - began
    return {"hashed_per_second": len(leaves) / hashed, "read_per_second": len(leaves) / whole}


def _viewed(tx: Transaction, client: str, *, new: bool) -> Outcome[None]:
    """A look at the client's record for each of a step's events; the key is made with the first."""
    if new:
        key_id = bytes.fromhex(client.replace("-", ""))
        tx.keys.keep(key_id, tx.keys.propose(key_id))
    event = ClientViewed(
        application="app:bench", actor=Actor(user="u-bench", capacity="bench"), client=client
    )
    return Outcome(None, (event,) * (EVENTS // STEPS))


def _index_others(file: object) -> None:
    """The index rows of all other entries, as if each were about one of many clients."""
    run = file.execute  # type: ignore[attr-defined]  # a driver's connection, of either driver
    run("CREATE TEMP TABLE other (n INTEGER PRIMARY KEY, blind BLOB)")
    for n in range(OTHERS):
        run("INSERT INTO other VALUES (?, ?)", (n, os.urandom(16)))
    run(
        "INSERT INTO audit_index SELECT e.shard, e.idx, s.last_t, 'client.viewed', 'ok', NULL,"
        " NULL, NULL, 'app:bench', randomblob(16), o.blind, NULL, NULL, randomblob(16)"
        " FROM audit_entry e JOIN audit_state s ON s.shard = e.shard"
        " JOIN other o ON o.n = e.idx % ?"
        " WHERE NOT EXISTS (SELECT 1 FROM audit_index i"
        " WHERE i.shard = e.shard AND i.idx = e.idx)",
        (OTHERS,),
    )
    run("DROP TABLE other")
