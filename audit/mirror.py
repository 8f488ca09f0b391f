"""What a mirror holds of the log (C2SP tlog-tiles), read back and believed only when proven.

A mirror may be a folder, a bundle or an address: whoever calls hands in a `Fetch`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from audit.checkpoints import Checkpoint, checkpoint_in, open_note
from audit.policy import Policy
from audit.tree import TILE_WIDTH
from audit.verify import tile_name

Fetch: TypeAlias = Callable[[str], bytes | None]
"""What the mirror has under a name of C2SP tlog-tiles; nothing where it has none."""

_LENGTH_BYTES = 2


class MirrorRefused(Exception):
    """What the mirror holds is not this log, or not enough of it; the text says what."""


def mirrored_head(fetch: Fetch, vkeys: Sequence[str], policy: Policy) -> Checkpoint:
    """The mirror's head, signed by a key of the log and by enough witnesses.

    Raises `MirrorRefused`.
    """
    raw = fetch("checkpoint")
    head = checkpoint_in(open_note(raw, vkeys))
    if head is None:
        raise MirrorRefused("it shows no checkpoint that a key of this log has signed")
    seen = open_note(raw, [each.key for each in policy.witnesses.values()])
    names = {policy.named(each.key) for each in seen.signatures} if seen else set()
    if not policy.met_by({name for name in names if name is not None}):
        raise MirrorRefused("fewer witnesses have signed its checkpoint than the policy asks for")
    return head


def mirrored_leaves(fetch: Fetch, start: int, stop: int) -> Iterator[bytes]:
    """The leaves in `[start, stop)`; nothing of them is proven yet. Raises `MirrorRefused`."""
    for n in range(start // TILE_WIDTH, -(-stop // TILE_WIDTH)):
        width = min(TILE_WIDTH, stop - n * TILE_WIDTH)
        # A mirror that has more by now may keep the full bundle alone.
        names = {tile_name("entries", n, each): None for each in (width, TILE_WIDTH)}
        found = next((raw for name in names if (raw := fetch(name)) is not None), None)
        if found is None:
            raise MirrorRefused(f"it has no {next(iter(names))}")
        yield from _framed(found, width)[max(0, start - n * TILE_WIDTH) :]


def _framed(raw: bytes, width: int) -> list[bytes]:
    """The first leaves of an entry bundle, each after its length in 16 bits."""
    leaves: list[bytes] = []
    at = 0
    while len(leaves) < width:
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(raw[at:begin])
        if begin > len(raw) or at > len(raw):
            raise MirrorRefused("a bundle of entries that is cut off")
        leaves.append(raw[begin:at])
    return leaves
