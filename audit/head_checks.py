"""Whether what the log has said of itself still holds: every signed head, against the tiles."""

from sqlalchemy import Connection

from audit import published, records, tallies
from audit.checkpoints import Checkpoint, checkpoint_in, open_note
from audit.notes import read_lines
from audit.published import Head
from audit.tile_store import stored_tiles
from audit.tiles import TileMissing
from audit.tree import TILE_WIDTH
from audit.verify import Finding, Findings

LAST = 1000
"""Heads that are looked at unless all of them are asked for."""


def verify_heads(
    connection: Connection, *, shard: int, everything: bool = False
) -> tuple[Finding, ...]:
    """What does not hold of the heads that were published: note, signature, root, size.

    Opens notes with the log's own history of keys. Raises nothing of its own.
    """
    findings, state = Findings(), records.state_of(connection, shard=shard)
    if state is None:
        return ()
    history = published.key_history(connection, shard=shard)
    least = tallies.min_index(connection, shard=shard)
    after = 0 if everything else published.size_before_last(connection, LAST, shard=shard)
    for head in published.heads(connection, shard=shard, after=after):
        note = open_note(head.note, published.keys_for(history, head.size))
        said = checkpoint_in(note)
        if said != Checkpoint(state.origin, head.size, head.root):
            findings.add("head", head.size, "a published head is not one that the log signed")
        elif head.size > state.size:
            words = f"the log has {state.size} entries, and a head of more was signed"
            findings.add("head", state.size, words)
        elif head.size < least and head.size % TILE_WIDTH:
            pass  # made of hashes that were pruned; its signature is what is left to hold
        elif not _is_prefix(connection, shard, head):
            words = f"the first {head.size} entries are not those that were signed"
            findings.add("head", None, words)
        _check_lines(connection, shard, head, findings)
    return findings.all()


def _is_prefix(connection: Connection, shard: int, head: Head) -> bool:
    try:
        return stored_tiles(connection, shard=shard, size=head.size).root() == head.root
    except TileMissing:
        return False


def _check_lines(connection: Connection, shard: int, head: Head, findings: Findings) -> None:
    for each in published.cosigned(connection, shard=shard, size=head.size):
        if read_lines(each.line) is None:
            findings.add("witness", head.size, "a witness's line that can not be read")
