"""The Merkle tree over the log, as in RFC 6962, section 2.1. Hashes only: no reading, no writing.

A proof is first a list of ranges of leaves, leaf side first, and then the roots of those
ranges; so whoever keeps tiles can answer from tiles, and whoever keeps leaves from leaves.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

HASH_BYTES = 32
TILE_WIDTH = 256
EMPTY_ROOT = sha256(b"").digest()
"""The root of a log without entries."""


class Subtree(NamedTuple):
    """A full subtree of `256 ** level` leaves, the `position`-th of its size from the left.

    Its root is hash number `position % 256` of the tile `(level, position // 256)`.
    """

    level: int
    position: int
    root: bytes


# 0x00 before a leaf, 0x01 before a node: without them an entry could pass for a subtree.
def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one entry's bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


def fold(
    compact: Sequence[bytes], size: int, leaf_hashes: Iterable[bytes]
) -> tuple[tuple[bytes, ...], list[Subtree]]:
    """The compact range after more leaves, and the tile-wide subtrees they completed.

    `compact` holds one 32-byte hash for every bit set in `size`, largest subtree first;
    `size` counts the leaves before. The subtrees come in the order of completion. Takes at
    most two hashes a leaf, on average. Whether `compact` fits `size` is for the caller to know.
    """
    stack = list(compact)
    completed: list[Subtree] = []
    for index, leaf in enumerate(leaf_hashes, size):
        rest, merges, digest = index, 0, leaf
        while rest & 1:
            digest = sha256(b"\x01" + stack.pop() + digest).digest()
            rest >>= 1
            merges += 1
            if not merges & 7:
                completed.append(Subtree(merges >> 3, index >> merges, digest))
        stack.append(digest)
    return tuple(stack), completed


def root_of(compact: Sequence[bytes]) -> bytes:
    """The root of the tree behind a compact range; `EMPTY_ROOT` for none."""
    if not compact:
        return EMPTY_ROOT
    digest = compact[-1]
    for left in reversed(compact[:-1]):
        digest = node_hash(left, digest)
    return digest


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes, in order."""
    return root_of(fold((), 0, leaves)[0])


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges `[start, stop)` whose roots prove leaf `index` in a tree of `size`.

    RFC 6962, section 2.1.1. Raises `ValueError` for a leaf outside the tree.
    """
    if not 0 <= index < size:
        raise ValueError("No such leaf in a tree of this size")
    start, stop, ranges = 0, size, []
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """The ranges `[start, stop)` whose roots prove the tree of `new` to extend that of `old`.

    RFC 6962, section 2.1.2. Raises `ValueError` unless `0 < old <= new`: an empty tree
    proves nothing.
    """
    if not 0 < old <= new:
        raise ValueError("No consistency between trees of these sizes")
    start, stop, ranges = 0, new, []
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    # The old root is known to the reader, unless the old tree ends in a smaller subtree.
    return ([(start, stop)] if start else []) + ranges[::-1]


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The proof that leaf `index` is among these leaf hashes, leaf side first.

    Raises `ValueError` for a leaf outside the tree.
    """
    return [root(leaves[start:stop]) for start, stop in inclusion_ranges(index, len(leaves))]


def consistency_proof(old: int, new: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The proof that the first `new` of these leaf hashes extend the first `old`.

    Raises `ValueError` unless `0 < old <= new <= len(leaves)`.
    """
    if new > len(leaves):
        raise ValueError("Not enough leaves for a tree of this size")
    return [root(leaves[start:stop]) for start, stop in consistency_ranges(old, new)]


def verify_inclusion(
    index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the proof shows the leaf hash at `index` under this root.

    False for anything malformed, missing or left over; never raises.
    """
    if not (_counts(index, size) and _hashes(leaf_hash, root) and _is_proof(proof)):
        return False
    if not 0 <= index < size:
        return False
    number, last, digest = index, size - 1, leaf_hash
    for sibling in proof:
        if not last:
            return False
        if number & 1 or number == last:
            digest = node_hash(sibling, digest)
            number, last = _past_the_edge(number, last)
        else:
            digest = node_hash(digest, sibling)
        number, last = number >> 1, last >> 1
    return not last and digest == root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the tree of `new` leaves begins with that of `old`.

    False for anything malformed, missing or left over, and for an empty tree; never raises.
    """
    if not (_counts(old, new) and _hashes(old_root, new_root) and _is_proof(proof)):
        return False
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if not proof:
        return False
    # A perfect old tree is itself the first subtree, and is left out of the proof.
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    return _climb(old - 1, new - 1, path) == (old_root, new_root)


def _climb(number: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots that a consistency path leads to, or nothing when it does not fit."""
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if not last:
            return None
        if number & 1 or number == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            number, last = _past_the_edge(number, last)
        else:
            new = node_hash(new, sibling)
        number, last = number >> 1, last >> 1
    return None if last else (old, new)


def _past_the_edge(number: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the right-most subtree has no sibling."""
    while number and not number & 1:
        number, last = number >> 1, last >> 1
    return number, last


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _counts(*values: Any) -> bool:
    return all(type(value) is int for value in values)


def _hashes(*values: Any) -> bool:
    return all(type(value) is bytes and len(value) == HASH_BYTES for value in values)


def _is_proof(proof: Any) -> bool:
    return isinstance(proof, list | tuple) and _hashes(*proof)
