"""The signer: signs nothing but what it has hashed itself and proven to extend what it signed.

A flipped bit under a signed root would kill the log for ever, so every leaf is hashed again
from its stored bytes before the root over it is signed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from sqlalchemy import Connection

from audit import log, pruning, published, records
from audit.checkpoints import Checkpoint, NoteKey, checkpoint_in, grease, open_note, with_lines
from audit.high_water import Mark
from audit.published import Head
from audit.tile_store import stored_tiles
from audit.tiles import TileMissing, Tiles
from audit.tree import TILE_WIDTH, fold, leaf_hash, root_of, verify_consistency

_SECOND = 1_000_000


class Frozen(Exception):
    """The log is not the one that was signed: nothing may be signed, or released, any more.

    The text says what does not fit; `at` is the first entry where it shows, if one can be named.
    `here`: it is a file of this host that does not fit, which proves nothing to others.
    """

    def __init__(self, why: str, at: int | None = None, *, here: bool = False) -> None:
        super().__init__(why)
        self.why, self.at, self.here = why, at, here


class ClockBehind(Exception):
    """The clock is before the last signing. Signing waits until it has caught up."""


def last_signed(connection: Connection, *, shard: int, mark: Mark | None) -> Mark | None:
    """What was signed last: the high-water mark, or a head that was published after it.

    Raises `Frozen` when the log does not begin with either of them, or the mark is gone.
    """
    head, origin = published.latest(connection, shard=shard), origin_of(connection, shard)
    if mark is None and head is not None:
        raise Frozen("heads were published, but the high-water file is gone", here=True)
    if mark is None:
        return None
    if mark.origin != origin:
        raise Frozen("the high-water file is of another log", here=True)
    require_prefix(connection, shard=shard, size=mark.size, root=mark.root)
    if head is None or head.size <= mark.size:
        return mark
    require_prefix(connection, shard=shard, size=head.size, root=head.root)
    return Mark(origin, head.size, head.root, head.signed_at, head.note)


def require_prefix(connection: Connection, *, shard: int, size: int, root: bytes) -> None:
    """Raise `Frozen` unless the log is at least this long and had this root then."""
    now = log.head(connection, shard=shard).size
    if now < size:
        raise Frozen(f"the log has {now} entries, and {size} were signed", now)
    with _complete():
        if stored_tiles(connection, shard=shard, size=size).root() != root:
            raise Frozen(f"the first {size} entries are not those that were signed")


def next_mark(
    connection: Connection, *, shard: int, keys: Sequence[NoteKey], last: Mark | None, at: int
) -> Mark | None:
    """The log's head, proven and signed; nothing when it has not grown. `at` in µs since 1970.

    Raises `Frozen` when stored leaves, tiles and head do not agree, and `ClockBehind`.
    """
    now = log.head(connection, shard=shard)
    old = 0 if last is None else last.size
    if now.size < old:
        raise Frozen(f"the log has {now.size} entries, and {old} were signed", now.size)
    if now.size == old:
        return None
    with _complete():
        compact = _hashed_again(connection, shard, last, now.size)
        root = root_of(compact)
        if compact != now.compact:
            raise Frozen("the entries are not those that the log's head was made of")
        if last is not None:
            proof = stored_tiles(connection, shard=shard, size=now.size).consistency(old)
            if not verify_consistency(old, now.size, last.root, root, proof):
                raise Frozen(f"the tiles do not prove that the first {old} entries are the same")
    if last is not None and at < last.signed_at:
        raise ClockBehind
    checkpoint = Checkpoint(origin_of(connection, shard), now.size, root)
    return Mark(checkpoint.origin, now.size, root, at, signed(checkpoint, keys, at))


def scrub(connection: Connection, *, shard: int) -> int:
    """Hash again all that was published and is kept, from its first byte; up to which entry.

    Raises `Frozen`, naming the first entry that is not what it was.
    """
    head = published.latest(connection, shard=shard)
    if head is None:
        return 0
    with _complete():
        compact = _hashed_again(connection, shard, None, head.size)
    if root_of(compact) != head.root:
        raise Frozen(f"the first {head.size} entries are not those that were signed")
    return head.size


def signed(checkpoint: Checkpoint, keys: Sequence[NoteKey], at: int) -> str:
    """The note, with a line of each key, and one of a key that nobody knows."""
    lines = [key.line(checkpoint.text, seconds=at // _SECOND) for key in keys]
    return with_lines(checkpoint.text, [*lines, *grease()])


def is_ours(mark: Mark, vkeys: Sequence[str]) -> bool:
    """Whether a mark holds the note of its own head, signed by one of these keys."""
    checkpoint = checkpoint_in(open_note(mark.note, vkeys))
    return checkpoint == Checkpoint(mark.origin, mark.size, mark.root)


def head_of(mark: Mark) -> Head:
    """The mark as it is published."""
    return Head(mark.size, mark.root, mark.note, mark.signed_at)


def _hashed_again(
    connection: Connection, shard: int, last: Mark | None, size: int
) -> tuple[bytes, ...]:
    """The compact range over the leaves as stored, from the last full tile that was signed on.

    Raises `Frozen` where a leaf is missing, or is not what its tile says.
    """
    old = 0 if last is None else last.size
    done = max(old // TILE_WIDTH * TILE_WIDTH, pruning.kept_from(connection, shard=shard))
    compact = stored_tiles(connection, shard=shard, size=done).compact()
    leaves = _dense(records.entries_between(connection, shard=shard, start=done, stop=size), done)
    while done < size:
        # Up to the old size first, so that what was signed is met again on the way.
        until = min(old if done < old else size, done // TILE_WIDTH * TILE_WIDTH + TILE_WIDTH)
        hashes = [leaf_hash(leaf) for leaf in islice(leaves, until - done)]
        if len(hashes) != until - done:
            raise Frozen("an entry is missing", done + len(hashes))
        stored = stored_tiles(connection, shard=shard, size=size)
        _compare(stored, 0, done, hashes)
        compact, completed = fold(compact, done, hashes)
        for level, position, root in completed:
            _compare(stored, level, position, [root])
        done = until
        if last is not None and done == old and root_of(compact) != last.root:
            raise Frozen(f"the first {old} entries are not those that were signed")
    return compact


def _compare(stored: Tiles, level: int, start: int, hashes: list[bytes]) -> None:
    known = stored.hashes(level, start, start + len(hashes))
    for position, (mine, theirs) in enumerate(zip(hashes, known, strict=True), start):
        if mine != theirs:
            at = position << 8 * level
            raise Frozen(
                f"tile {level}/{position // TILE_WIDTH} is not the hash of its entries", at
            )


def _dense(entries: Iterator[tuple[int, bytes]], start: int) -> Iterator[bytes]:
    for expected, (index, leaf) in enumerate(entries, start):
        if index != expected:
            raise Frozen("an entry is missing", expected)
        yield leaf


@contextmanager
def _complete() -> Iterator[None]:
    """A tile that is missing is a finding, and a beginning that nobody owns up to."""
    try:
        yield
    except pruning.NotOwnedUp as unsaid:
        raise Frozen(str(unsaid), 0) from None
    except TileMissing as missing:
        raise Frozen(str(missing), missing.n << 8 * missing.level << 8) from None


def origin_of(connection: Connection, shard: int) -> str:
    """The name of the log."""
    row = records.state_of(connection, shard=shard)
    if row is None:
        raise log.NotOpened
    return row.origin
