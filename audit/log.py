"""Append to the log and read it back. There is no update and no delete."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from audit import records, subjects
from audit.opening import KeyNotAtHand, PartGone, PartKeys, open_part
from audit.parts import NOBODY
from audit.prepared import Answer, Asked, together
from audit.sealing import (
    DelayedSubject,
    Keys,
    Recorded,
    Sealer,
    Subject,
    about_nobody,
    clients_in,
    fresh_event_ids,
)
from audit.tree import HASH_BYTES, TILE_WIDTH, Subtree, fold, leaf_hash

__all__ = [
    "Entry",
    "Head",
    "KeyNotAtHand",
    "Keys",
    "LogMoved",
    "NotOpened",
    "PartGone",
    "PartKeys",
    "Recorded",
    "add_tiles",
    "append",
    "asking_head",
    "entries",
    "head",
    "head_in",
    "open_log",
    "open_part",
    "parts_of",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class LogMoved(Exception):
    """Somebody appended without the lock. Nothing of ours may be committed."""


class NotOpened(Exception):
    """There is no log for this shard yet."""


class Head(NamedTuple):
    """Where a shard's log stood when the batch began. `last_t` is in µs since 1970."""

    shard: int
    epoch: int
    size: int
    compact: tuple[bytes, ...]
    last_t: int


class Entry(NamedTuple):
    """What an event has become."""

    index: int  # type: ignore[assignment]  # nobody looks a value up in an Entry
    leaf_hash: bytes


def asking_head(*, shard: int) -> Asked:
    """What to ask for `head_in`, beside other things."""
    return records.asking_state(shard)


def head(connection: Connection, *, shard: int) -> Head:
    """Where the log stands; raises `NotOpened` if there is none."""
    (answer,) = together(connection, asking_head(shard=shard))
    return head_in(answer, shard=shard)


def head_in(answer: Answer, *, shard: int) -> Head:
    """As `head`, from the answer to `asking_head`."""
    row = records.state_in(answer)
    if row is None:
        raise NotOpened
    compact = (row.compact[at : at + HASH_BYTES] for at in range(0, len(row.compact), HASH_BYTES))
    return Head(shard, row.epoch, row.size, tuple(compact), row.last_t)


def open_log(connection: Connection, *, shard: int, origin: str, epoch: int = 1) -> Head:
    """Begin an empty log. `LogOpened`, with the same epoch, must be its first entry.

    `origin` is the log's identity, such as `broker.example/audit/tlog/s0e1`.
    """
    row = {"shard": shard, "origin": origin, "epoch": epoch, "size": 0, "compact": b""}
    records.add_state(connection, row | {"last_t": 0, "min_index": 0})
    return Head(shard, epoch, 0, (), 0)


def append(
    connection: Connection,
    events: Sequence[Recorded],
    *,
    after: Head,
    at: datetime,
    keys: Keys,
    policy: str,
) -> tuple[list[Entry], Head]:
    """Add the events in order, inside the caller's transaction: all of them or none.

    The caller holds the shard's lock since before it read `after`. Every call gives fresh
    event ids. `policy` is the SHA-256 of the rules in force, in 43 characters of base64url.
    Raises `LogMoved` if the log no longer stood at `after`; the caller must then roll back.
    """
    if not events:
        return [], after
    clock = (at - EPOCH) // _MICROSECOND
    t = max(after.last_t, clock)
    people = _subjects(connection, events, after.shard, keys, t)
    sealer = Sealer(shard=after.shard, t=t, policy=policy, keys=keys, subjects=people)
    ids = fresh_event_ids(clock // 1000, len(events))
    hashes = [
        leaf_hash(sealer.add(each, index, event_id))
        for index, (each, event_id) in enumerate(zip(events, ids, strict=True), after.size)
    ]
    compact, completed = fold(after.compact, after.size, hashes)
    now = Head(after.shard, after.epoch, after.size + len(hashes), compact, t)
    add_tiles(connection, after, hashes, completed)
    counters = [(after.shard, each.key_id, each.blind, each.n, 0) for each in people.values()]
    if about_nobody(events):
        # An entry about nobody costs what one about somebody does: time must not tell them apart.
        # It is another number each time, as SQLite writes no page that stays the same; and below
        # zero, as nobody has entries of their own.
        counters.append((after.shard, NOBODY, keys.blind("sub", ""), -now.size, 0))
    delayed = [
        (each.n_delayed, after.shard, each.key_id)
        for each in people.values()
        if isinstance(each, DelayedSubject)
    ]
    moved = records.add_batch(
        connection,
        records.Batch(*sealer.rows, counters, delayed),
        at=(after.shard, after.size, after.epoch),
        to=(now.size, b"".join(compact), t),
    )
    if not moved:
        raise LogMoved
    return [Entry(index, digest) for index, digest in enumerate(hashes, after.size)], now


def entries(
    connection: Connection, *, shard: int, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Index and leaf of the entries in `[start, stop)`, in order; to the end without `stop`.

    Reads a chunk at a time: memory stays flat however long the log.
    """
    end = head(connection, shard=shard).size if stop is None else stop
    return records.entries_between(connection, shard=shard, start=start, stop=end)


def parts_of(connection: Connection, *, shard: int, index: int) -> list[records.PartRow]:
    """What is sealed beside one entry, in order of label; `open_part` opens it."""
    return records.parts_between(connection, shard=shard, start=index, stop=index + 1)


def _subjects(
    connection: Connection, events: Sequence[Recorded], shard: int, keys: Keys, t: int
) -> dict[str, Subject]:
    clients = clients_in(events)
    asked = [*clients.values(), *([NOBODY] if about_nobody(events) else [])]
    known = subjects.known(connection, shard=shard, key_ids=asked)
    people = {
        client: Subject(client, keys, key_id, known.get(key_id))
        for client, key_id in clients.items()
    }
    held = {key_id for key_id, (_, _, until) in known.items() if until is not None and t < until}
    if held:
        for client, key_id in clients.items():
            if key_id in held:
                n = subjects.counted(connection, shard=shard, client=client).n_delayed
                people[client] = DelayedSubject(client, keys, key_id, known[key_id], n)
    return people


def add_tiles(
    connection: Connection, after: Head, hashes: list[bytes], completed: list[Subtree]
) -> None:
    """Write the level-0 tiles that this batch fills, and the roots of full tiles above them."""
    if not completed:
        return
    begun = after.size // TILE_WIDTH * TILE_WIDTH
    earlier = records.entries_between(connection, shard=after.shard, start=begun, stop=after.size)
    leaves = [leaf_hash(leaf) for _, leaf in earlier] + hashes
    tiles: dict[tuple[int, int], bytes] = {}
    growing: dict[tuple[int, int], bytes] = {}
    for level, position, root in completed:
        if level == 1:
            start = position * TILE_WIDTH - begun
            tiles[0, position] = b"".join(leaves[start : start + TILE_WIDTH])
        key = level, position // TILE_WIDTH
        into = tiles if key in tiles or position % TILE_WIDTH == 0 else growing
        into[key] = into.get(key, b"") + root
    records.add_tiles(
        connection,
        new=[
            {"shard": after.shard, "level": level, "n": n, "data": data}
            for (level, n), data in tiles.items()
        ],
        grown=[
            {"at_shard": after.shard, "at_level": level, "at_n": n, "more": data}
            for (level, n), data in growing.items()
        ],
    )
