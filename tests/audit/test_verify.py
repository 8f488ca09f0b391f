"""The offline verifier's own readers, held against the golden values and against the writer's."""

import json
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import leaf, tree, verify
from audit.verify import Unfit
from tests.audit.log_builders import VECTORS


def _refusable(vector: dict[str, Any]) -> bytes:
    if "leaf_hex" in vector:
        return bytes.fromhex(vector["leaf_hex"])
    if "leaf_repeat" in vector:
        character, times = vector["leaf_repeat"]
        return str(character).encode() * int(times)
    return str(vector["leaf"]).encode()


def test_every_golden_leaf_is_read(golden: dict[str, Any]) -> None:
    for item in golden["items"]:
        raw = bytes.fromhex(item["leaf_hex"])
        read = verify.read_leaf(raw)
        body = leaf.read(raw)
        assert (read.kind, read.id, read.t) == (body["k"], body["id"], body["t"])
        assert verify.leaf_hash(raw).hex() == item["leaf_hash_hex"]


def test_every_leaf_to_refuse_is_refused(golden: dict[str, Any]) -> None:
    vectors = golden["leaves_to_refuse"]
    assert len(vectors) == 46
    for vector in vectors:
        with pytest.raises(Unfit):
            verify.read_leaf(_refusable(vector))


def _agreed(raw: bytes) -> bool:
    try:
        leaf.read(raw)
    except leaf.NotALeaf:
        theirs = False
    else:
        theirs = True
    try:
        verify.read_leaf(raw)
    except Unfit:
        return theirs is False
    return theirs is True


@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_writer_and_verifier_agree_on_every_changed_leaf(
    golden: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray.fromhex(data.draw(st.sampled_from(golden["items"]))["leaf_hex"])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        change = data.draw(st.sampled_from(["flip", "drop", "add", "copy"]))
        if change == "flip":
            raw[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "drop":
            del raw[at : at + data.draw(st.integers(1, 12))]
        elif change == "add":
            raw[at:at] = data.draw(st.sampled_from([b"0", b"a", b'"', b",", b'"u":"P2",', b" "]))
        else:
            raw[at:at] = raw[at : at + data.draw(st.integers(1, 40))]
        if not raw:
            break

    assert _agreed(bytes(raw))


def test_the_kinds_are_those_that_are_written() -> None:
    known = verify.PERSON_KINDS.keys() | verify.LOG_KINDS.keys()

    assert known == leaf.KINDS.keys()
    for kind, (outcome, whole) in verify.PERSON_KINDS.items():
        assert leaf.KINDS[kind].outcome == outcome
        assert ({"p", "c", "u", "d"} <= leaf.KINDS[kind].required) is whole


def _jsonl(name: str) -> list[dict[str, Any]]:
    lines = (VECTORS / "merkle" / name).read_text().splitlines()
    return [json.loads(line) for line in lines]


def _hash(text: str | None) -> bytes:
    return b64decode(text or "")


def _right(*hashes: bytes) -> bool:
    return all(len(each) == 32 for each in hashes)


@pytest.mark.parametrize("name", ["inclusion.jsonl", "consistency.jsonl"])
def test_published_proofs_are_judged_as_published(name: str) -> None:
    vectors = _jsonl(name)
    assert len(vectors) == 98
    for each in vectors:
        path: Sequence[bytes] = [_hash(text) for text in each.get("proof") or []]
        if name == "inclusion.jsonl":
            digest, root = _hash(each["leafHash"]), _hash(each["root"])
            size, index = each["treeSize"], each["leafIdx"]
            holds = _right(digest, root, *path) and verify.included(index, size, digest, path, root)
            assert holds is tree.verify_inclusion(index, size, digest, path, root), each
        else:
            old, new = _hash(each["root1"]), _hash(each["root2"])
            sizes = each["size1"], each["size2"]
            holds = _right(old, new, *path) and verify.consistent(*sizes, old, new, path)
            assert holds is tree.verify_consistency(*sizes, old, new, path), each


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 513])
def test_roots_are_the_trees(size: int) -> None:
    hashes = [tree.leaf_hash(str(number).encode()) for number in range(size)]

    assert verify.root_of(verify.peaks_of(hashes)) == tree.root(hashes)


@pytest.mark.parametrize(
    ("level", "n", "width", "name"),
    [
        (0, 0, 256, "tile/0/000"),
        (3, 1234067, 256, "tile/3/x001/x234/067"),
        ("entries", 1000, 8, "tile/entries/x001/000.p/8"),
    ],
)
def test_tiles_lie_where_c2sp_puts_them(level: int | str, n: int, width: int, name: str) -> None:
    assert verify.tile_name(level, n, width) == name


def test_the_golden_checkpoints_and_cosignatures_hold(golden: dict[str, Any]) -> None:
    policy = verify.read_policy(golden["policy"].encode())
    log_key = policy.logs[0]
    for checkpoint in golden["checkpoints"]:
        note = verify.read_note(checkpoint["note_with_grease_and_cosignatures"].encode())
        head = verify.read_head(note.text)
        assert (head.size, head.root.hex()) == (checkpoint["size"], checkpoint["root_hex"])
        assert [each.holds for each in verify.signed_by(note, log_key)] == [True]
        seen = {name: verify.signed_by(note, key)[0] for name, key in policy.witnesses.items()}
        assert all(each.holds for each in seen.values())
        assert seen["clinic"].at == checkpoint["cosignature_ed25519"]["timestamp"]
        assert policy.reached(seen)
        assert not policy.reached(["clinic"])


def test_ml_dsa_signatures_of_the_log_hold_too(golden: dict[str, Any]) -> None:
    key = verify.read_vkey(golden["signing"]["log_mldsa44"]["vkey"])
    for checkpoint in golden["checkpoints"]:
        line = checkpoint["log_signature_line_mldsa44"]
        note = verify.read_note((checkpoint["note"] + line).encode())

        assert [each.holds for each in verify.signed_by(note, key)] == [True]


@pytest.mark.parametrize("bit", range(0, 512, 7))
def test_a_signature_with_one_bit_changed_is_false(golden: dict[str, Any], bit: int) -> None:
    key = verify.read_vkey(golden["signing"]["log"]["vkey"])
    note = verify.read_note(golden["checkpoints"][0]["note"].encode())
    changed = bytearray(note.signatures[0][2])
    changed[bit // 8] ^= 1 << bit % 8

    assert verify.verify_ed25519(key.public, bytes(note.signatures[0][2]), note.text.encode())
    assert not verify.verify_ed25519(key.public, bytes(changed), note.text.encode())


def test_an_s_beyond_the_order_and_a_point_in_another_encoding_are_false(
    golden: dict[str, Any],
) -> None:
    key = verify.read_vkey(golden["signing"]["log"]["vkey"])
    note = verify.read_note(golden["checkpoints"][0]["note"].encode())
    signature = note.signatures[0][2]
    order = 2**252 + 27742317777372353535851937790883648493
    beyond = int.from_bytes(signature[32:], "little") + order

    again = signature[:32] + beyond.to_bytes(32, "little")
    assert not verify.verify_ed25519(key.public, again, note.text.encode())
    # The neutral element is 1; 1 + p is the same point in a second encoding.
    second = (2**255 - 19 + 1).to_bytes(32, "little")
    assert verify.verify_ed25519(
        (1).to_bytes(32, "little"), (1).to_bytes(32, "little") + bytes(32), b""
    )
    assert not verify.verify_ed25519(second, (1).to_bytes(32, "little") + bytes(32), b"")
    assert not verify.verify_ed25519((1).to_bytes(32, "little"), second + bytes(32), b"")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "quorum none\n",
        "log nonsense\nquorum none\n",
        "{log}\n",
        "{log}\nquorum nobody\n",
        "{log}\nquorum none\nquorum none\n",
        "{log}\n{log}\nquorum none\n",
        "{log}\n{w}\n{w}\nquorum clinic\n",
        "{log}\n{w}\ngroup g 2 clinic\nquorum g\n",
        "{log}\n{w}\ngroup g 1 clinic clinic\nquorum g\n",
        "{log}\n{w}\ngroup g 1 clinic\ngroup h 1 clinic\nquorum h\n",
        "{log}\n{w}\ngroup g 1 later\nquorum g\n",
        "{log}\nnonsense\nquorum none\n",
    ],
)
def test_a_policy_that_could_be_read_in_two_ways_is_refused(
    golden: dict[str, Any], wrong: str
) -> None:
    lines = golden["policy"].splitlines()
    filled = wrong.replace("{log}", lines[1]).replace("{w}", lines[2])

    with pytest.raises(Unfit):
        verify.read_policy(filled.encode())


@settings(max_examples=400, deadline=None)
@given(raw=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_readers_refuse_and_never_raise_anything_else(raw: bytes) -> None:
    for reader in (verify.read_leaf, verify.read_note, verify.read_policy, verify.read_proof):
        try:
            reader(raw)
        except Unfit:
            continue


def test_it_needs_the_standard_library_alone() -> None:
    imported = [
        line.split()[1].partition(".")[0]
        for line in Path(verify.__file__).read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]

    assert "audit" not in imported
    assert "cryptography" not in imported
