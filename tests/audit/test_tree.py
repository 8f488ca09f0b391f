import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import tree
from tests.audit.log_builders import VECTORS

TWELVE_BYTES = "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json"
EDGES = st.sampled_from([1, 2, 3, 4, 7, 8, 9, 254, 255, 256, 257, 511, 512, 513])


def oracle_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    both = oracle_root(leaves[:k]) + oracle_root(leaves[k:])
    return hashlib.sha256(b"\x01" + both).digest()


def oracle_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*oracle_path(m, leaves[:k]), oracle_root(leaves[k:])]
    return [*oracle_path(m - k, leaves[k:]), oracle_root(leaves[:k])]


def oracle_subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [oracle_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*oracle_subproof(m, leaves[:k], whole=whole), oracle_root(leaves[k:])]
    return [*oracle_subproof(m - k, leaves[k:], whole=False), oracle_root(leaves[:k])]


def counted(size: int) -> list[bytes]:
    return [tree.leaf_hash(str(number).encode()) for number in range(size)]


def vectors(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / "merkle" / name).read_text().splitlines()]


def decoded(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(each) for each in values or []]


def test_the_published_proofs_are_all_there() -> None:
    inclusion, consistency = vectors("inclusion.jsonl"), vectors("consistency.jsonl")

    assert [len(inclusion), len(consistency)] == [98, 98]
    assert [sum(each["wantErr"] for each in some) for some in (inclusion, consistency)] == [92, 92]


@pytest.mark.parametrize("case", vectors("inclusion.jsonl"), ids=lambda case: case["file"])
def test_a_published_inclusion_proof_is_judged_as_published(case: dict[str, Any]) -> None:
    leaf, root = base64.b64decode(case["leafHash"]), base64.b64decode(case["root"])

    holds = tree.verify_inclusion(
        case["leafIdx"], case["treeSize"], leaf, decoded(case["proof"]), root
    )

    assert holds is not case["wantErr"]


@pytest.mark.parametrize("case", vectors("consistency.jsonl"), ids=lambda case: case["file"])
def test_a_published_consistency_proof_is_judged_as_published(case: dict[str, Any]) -> None:
    old, new = base64.b64decode(case["root1"]), base64.b64decode(case["root2"])

    holds = tree.verify_consistency(case["size1"], case["size2"], old, new, decoded(case["proof"]))

    # Roots of twelve bytes are no hashes: this one we refuse on purpose.
    assert holds is (not case["wantErr"] and case["file"] != TWELVE_BYTES)


def test_the_well_known_tree_of_eight_leaves_has_its_roots() -> None:
    known = json.loads((VECTORS / "merkle" / "eight-leaves.json").read_text())
    leaves = [tree.leaf_hash(bytes.fromhex(each)) for each in known["leaf_inputs_hex"]]

    roots = {str(size): tree.root(leaves[:size]).hex() for size in range(9)}

    assert roots == known["roots_hex"]


def test_the_golden_tree_is_built_and_proven_byte_for_byte(golden: dict[str, Any]) -> None:
    known = golden["tree"]
    leaves = [bytes.fromhex(each) for each in known["leaf_hashes_hex"]]

    compact = {str(n): b"".join(tree.fold((), 0, leaves[:n])[0]).hex() for n in range(9)}
    roots = {str(n): tree.root(leaves[:n]).hex() for n in range(9)}

    assert compact == known["compact_ranges_hex"]
    assert roots == known["roots_hex"]
    assert len(known["inclusion"]) == len(known["consistency"]) == 36
    for each in known["inclusion"]:
        proof = tree.inclusion_proof(each["index"], leaves[: each["size"]])
        assert [part.hex() for part in proof] == each["proof_hex"]
        root = bytes.fromhex(roots[str(each["size"])])
        leaf = leaves[each["index"]]
        assert tree.verify_inclusion(each["index"], each["size"], leaf, proof, root)
    for each in known["consistency"]:
        proof = tree.consistency_proof(each["size1"], each["size2"], leaves)
        assert [part.hex() for part in proof] == each["proof_hex"]
        old, new = (bytes.fromhex(roots[str(each[size])]) for size in ("size1", "size2"))
        assert tree.verify_consistency(each["size1"], each["size2"], old, new, proof)


def test_the_counting_tree_keeps_its_roots_tiles_and_proofs(golden: dict[str, Any]) -> None:
    known, leaves = golden["counting_tree"], counted(70_000)
    compact: tuple[bytes, ...] = ()
    done, widths = 0, dict.fromkeys(range(4), 0)

    for size in sorted(map(int, known["roots_hex"])):
        compact, completed = tree.fold(compact, done, leaves[done:size])
        widths[0] += size - done
        for subtree in completed:
            assert subtree.position == widths[subtree.level]
            widths[subtree.level] += 1
        done = size
        shapes = [
            {"level": level, "full": width // 256, "partial_width": width % 256}
            for level, width in widths.items()
            if width
        ]
        assert tree.root_of(compact).hex() == known["roots_hex"][str(size)]
        assert shapes == known["tiles"][str(size)]
    for each in known["inclusion"]:
        proof = tree.inclusion_proof(each["index"], leaves[: each["size"]])
        assert [part.hex() for part in proof] == each["proof_hex"]
    for each in known["consistency"]:
        proof = tree.consistency_proof(each["size1"], each["size2"], leaves)
        assert [part.hex() for part in proof] == each["proof_hex"]
    assert done == 70_000


@given(st.lists(EDGES | st.integers(0, 40), min_size=1, max_size=5))
@settings(deadline=None, max_examples=40)
def test_batches_of_any_size_give_the_tree_that_the_rfc_defines(batches: list[int]) -> None:
    leaves = counted(sum(batches))
    compact: tuple[bytes, ...] = ()
    size = 0

    for batch in batches:
        compact, completed = tree.fold(compact, size, leaves[size : size + batch])
        size += batch
        assert tree.root_of(compact) == oracle_root(leaves[:size])
        assert len(compact) == size.bit_count()
        for level, position, root in completed:
            width = 256**level
            assert root == oracle_root(leaves[position * width : (position + 1) * width])


@given(EDGES | st.integers(1, 300), st.data())
@settings(deadline=None, max_examples=60)
def test_proofs_are_those_of_the_rfc_and_any_other_bit_is_refused(
    size: int, data: st.DataObject
) -> None:
    leaves = counted(size)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    root, old_root = oracle_root(leaves), oracle_root(leaves[:old])

    inclusion = tree.inclusion_proof(index, leaves)
    consistency = tree.consistency_proof(old, size, leaves)

    assert inclusion == oracle_path(index, leaves)
    assert consistency == oracle_subproof(old, leaves, whole=True)
    assert tree.verify_inclusion(index, size, leaves[index], inclusion, root)
    assert tree.verify_consistency(old, size, old_root, root, consistency)
    for wrong in spoilt(inclusion, data):
        assert not tree.verify_inclusion(index, size, leaves[index], wrong, root)
    for wrong in spoilt(consistency, data):
        assert not tree.verify_consistency(old, size, old_root, root, wrong)


def spoilt(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    longer = [[*proof, bytes(32)], [bytes(32), *proof], [*proof, b""]]
    if not proof:
        return longer
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
    return [*longer, [*proof[:at], flipped, *proof[at + 1 :]], proof[:-1], proof[1:]]


NOT_A_PROOF: list[Any] = [None, "proof", 3, [None], [3], ["x" * 32], [b"short"], {b"x" * 32: 1}]


@pytest.mark.parametrize("proof", NOT_A_PROOF, ids=repr)
def test_what_is_no_proof_is_refused_without_an_exception(proof: Any) -> None:
    leaves = counted(3)
    root = tree.root(leaves)

    assert tree.verify_inclusion(0, 3, leaves[0], proof, root) is False
    assert tree.verify_consistency(2, 3, tree.root(leaves[:2]), root, proof) is False


@pytest.mark.parametrize(
    ("index", "size"),
    [(-1, 3), (3, 3), (0, 0), (0, -1), (True, 3), ("0", 3), (0.0, 3), (None, None), (0, 2**70)],
)
def test_an_index_outside_the_tree_is_never_included(index: Any, size: Any) -> None:
    leaves = counted(3)
    proof = tree.inclusion_proof(0, leaves)

    assert tree.verify_inclusion(index, size, leaves[0], proof, tree.root(leaves)) is False


@pytest.mark.parametrize(
    ("old", "new"), [(0, 3), (0, 0), (-1, 3), (4, 3), (True, 3), ("2", 3), (2, None), (2, 2**70)]
)
def test_sizes_that_cannot_follow_each_other_are_never_consistent(old: Any, new: Any) -> None:
    leaves = counted(3)
    proof = tree.consistency_proof(2, 3, leaves)
    roots = tree.root(leaves[:2]), tree.root(leaves)

    assert tree.verify_consistency(old, new, *roots, proof) is False


def test_equal_sizes_need_equal_roots_and_no_proof() -> None:
    root, other = tree.root(counted(3)), tree.root(counted(2))

    assert tree.verify_consistency(3, 3, root, root, [])
    assert not tree.verify_consistency(3, 3, root, other, [])
    assert not tree.verify_consistency(3, 3, root, root, [other])
    assert not tree.verify_consistency(2, 3, other, root, [])


def test_a_root_of_another_length_is_no_root() -> None:
    leaves = counted(1)

    assert tree.verify_inclusion(0, 1, leaves[0], [], leaves[0])
    assert not tree.verify_inclusion(0, 1, leaves[0][:31], [], leaves[0][:31])


IMPOSSIBLE: list[Callable[[], object]] = [
    lambda: tree.inclusion_proof(3, counted(3)),
    lambda: tree.inclusion_proof(-1, counted(3)),
    lambda: tree.consistency_proof(0, 3, counted(3)),
    lambda: tree.consistency_proof(3, 2, counted(3)),
    lambda: tree.consistency_proof(2, 4, counted(3)),
]


@pytest.mark.parametrize("ask", IMPOSSIBLE)
def test_a_proof_of_what_is_not_there_is_not_made(ask: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="size"):
        ask()
