"""Checkpoints are signed as the golden values say, and no bad signature is ever let through."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.checkpoints import (
    Checkpoint,
    NotAKey,
    NoteKey,
    checkpoint_in,
    grease,
    new_note_key,
    open_note,
    read_checkpoint,
    read_note_key,
    sign_note,
    verified,
    with_lines,
)
from audit.notes import Algorithm, Line, read_note, read_vkey
from tests.audit.log_builders import VECTORS

C2SP = json.loads((VECTORS / "c2sp" / "examples.json").read_text())
GOLDEN = json.loads((VECTORS / "overdracht-audit-v1.json").read_text())
SIGNING, HEADS = GOLDEN["signing"], GOLDEN["checkpoints"]
LOG = NoteKey(GOLDEN["origin"], Algorithm.ED25519, bytes.fromhex(SIGNING["log"]["seed_hex"]))
EVERY_KEY = [each["vkey"] for each in SIGNING.values()]
TEXT: str = HEADS[0]["note_text"]
NOTE = sign_note(LOG, TEXT)


def key_of(name: str, algorithm: Algorithm) -> NoteKey:
    vkey = read_vkey(SIGNING[name]["vkey"])
    assert vkey is not None
    return NoteKey(vkey.name, algorithm, bytes.fromhex(SIGNING[name]["seed_hex"]))


def test_the_published_note_verifies() -> None:
    example = C2SP["signed_note"]

    note = open_note(example["note"], [example["vkey"]])

    assert note is not None
    assert note.text == "This is an example message.\n"


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head["size"])
def test_a_golden_checkpoint_is_signed_and_opened_byte_for_byte(head: dict[str, Any]) -> None:
    checkpoint = Checkpoint(GOLDEN["origin"], head["size"], bytes.fromhex(head["root_hex"]))
    witness, cosigned = key_of("witness_w1", Algorithm.COSIGNATURE), head["cosignature_ed25519"]

    assert LOG.vkey.text == SIGNING["log"]["vkey"]
    assert checkpoint.text == head["note_text"]
    assert sign_note(LOG, checkpoint.text) == head["note"]
    line = witness.line(checkpoint.text, seconds=cosigned["timestamp"])
    assert line.text == cosigned["line"]
    note = open_note(head["note_with_grease_and_cosignatures"], EVERY_KEY)
    assert note is not None
    assert checkpoint_in(note) == checkpoint
    assert [(each.key.name, each.seconds) for each in note.signatures] == [
        (GOLDEN["origin"], 0),
        ("witness.example/w1", cosigned["timestamp"]),
        ("witness.example/w2", cosigned["timestamp"]),
    ]


def test_this_build_signs_and_verifies_with_ml_dsa_44() -> None:
    for name, line in (("log_mldsa44", "log_signature_line_mldsa44"),):
        key = key_of(name, Algorithm.ML_DSA_44)
        assert key.vkey.text == SIGNING[name]["vkey"]
        parts = read_note(TEXT + "\n" + HEADS[0][line])
        assert parts is not None
        assert verified(parts.lines[0], TEXT, key.vkey)
        mine = key.line(TEXT, seconds=1_790_000_004)
        assert verified(mine, TEXT, key.vkey)
        assert not verified(mine, HEADS[1]["note_text"], key.vkey)
        later = (1_790_000_005).to_bytes(8) + mine.signature[8:]
        assert not verified(mine._replace(signature=later), TEXT, key.vkey)


def test_the_golden_receipt_opens_with_its_own_key_only() -> None:
    receipt, keys = GOLDEN["receipt"], [SIGNING["receipt"]["vkey"]]

    note = open_note(receipt, keys)

    assert note is not None
    assert read_checkpoint(note.text) is None
    assert open_note(receipt, [SIGNING["log"]["vkey"]]) is None
    key = key_of("receipt", Algorithm.ED25519)
    assert sign_note(key, note.text) == receipt


def test_a_key_that_signs_checkpoints_signs_nothing_else() -> None:
    with pytest.raises(ValueError, match="checkpoints only"):
        key_of("log_mldsa44", Algorithm.ML_DSA_44).line("hello\n", seconds=1)


def test_bad_beside_good_of_a_known_key_rejects_the_note() -> None:
    forged = Line(LOG.name, LOG.vkey.id, bytes(64))
    good = LOG.line(TEXT)

    assert open_note(with_lines(TEXT, [good, good]), [LOG.vkey]) is not None
    assert open_note(with_lines(TEXT, [good, forged]), [LOG.vkey]) is None
    assert open_note(with_lines(TEXT, [forged, good]), [LOG.vkey]) is None
    short = forged._replace(signature=good.signature[:-1])
    assert open_note(with_lines(TEXT, [good, short]), [LOG.vkey]) is None


def test_lines_of_unknown_keys_are_ignored_and_are_never_enough() -> None:
    greased = with_lines(TEXT, [*grease(2), LOG.line(TEXT), *grease(1)])
    note = open_note(greased, [LOG.vkey])

    assert note is not None
    assert len(note.signatures) == 1
    assert open_note(with_lines(TEXT, grease(2)), [LOG.vkey]) is None
    assert open_note(NOTE, []) is None
    assert open_note(NOTE, [new_note_key("other").vkey]) is None
    same_name = new_note_key(LOG.name)
    assert open_note(NOTE, [same_name.vkey]) is None


@pytest.mark.parametrize("keys", [None, 3, "text", ["text"], [None], [LOG.vkey.text + "A"]])
def test_keys_that_are_none_open_nothing(keys: Any) -> None:
    assert open_note(NOTE, keys) is None


@given(st.integers(0, len(NOTE.encode()) * 8 - 1))
@settings(deadline=None, max_examples=300)
def test_no_changed_bit_of_a_signed_note_goes_unseen(bit: int) -> None:
    raw = bytearray(NOTE.encode())
    raw[bit // 8] ^= 1 << bit % 8

    assert open_note(bytes(raw), [LOG.vkey]) is None


@given(st.integers(0, 64 * 8 - 1))
@settings(deadline=None, max_examples=100)
def test_no_changed_bit_of_a_cosignature_goes_unseen(bit: int) -> None:
    witness = key_of("witness_w1", Algorithm.COSIGNATURE)
    line = witness.line(TEXT, seconds=1_790_000_004)
    raw = bytearray(line.signature)
    raw[bit // 8] ^= 1 << bit % 8

    assert verified(line, TEXT, witness.vkey)
    assert verified(line._replace(signature=bytes(raw)), TEXT, witness.vkey) is None


def test_a_cosignature_from_beyond_all_clocks_is_refused() -> None:
    witness = key_of("witness_w1", Algorithm.COSIGNATURE)
    line = witness.line(TEXT, seconds=2**63)

    assert verified(line, TEXT, witness.vkey) is None
    assert verified(witness.line(TEXT, seconds=2**63 - 1), TEXT, witness.vkey)


ROOT = TEXT.split("\n")[2]
NOT_CHECKPOINTS: list[Any] = [
    None, 3, b"bytes", "", "\n", "a\n5\n", f"a\n5\n{ROOT}", f"\n5\n{ROOT}\n", f"a\n05\n{ROOT}\n",
    f"a\n-5\n{ROOT}\n", f"a\n+5\n{ROOT}\n", f"a\n 5\n{ROOT}\n", f"a\n\u0665\n{ROOT}\n",
    f"a\n5\n{ROOT}\nextension\n", f"a\n5\n{ROOT}\n\n", f"a\n{2**63}\n{ROOT}\n", "a\n5\nAAAA\n",
    f"a\n5\n{ROOT[:-1]}\n", f"a\n\n{ROOT}\n", f"a\n{'9' * 5000}\n{ROOT}\n",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_CHECKPOINTS, ids=range(len(NOT_CHECKPOINTS)))
def test_what_is_no_checkpoint_is_nothing(text: Any) -> None:
    assert read_checkpoint(text) is None


@given(st.text(max_size=60))
def test_reading_a_checkpoint_never_raises(text: str) -> None:
    for each in (text, f"{text}\n5\n{ROOT}\n", f"a\n{text}\n{ROOT}\n", f"a\n5\n{text}\n"):
        found = read_checkpoint(each)
        assert found is None or found.text == each


def test_a_private_key_is_kept_in_one_line_and_never_shown() -> None:
    for key in (LOG, new_note_key("log", Algorithm.ML_DSA_44)):
        again = read_note_key(key.text)
        assert again == key
        assert again.vkey == key.vkey
        assert key.seed.hex() not in repr(key)
        assert str(list(key.seed)) not in repr(key)


@pytest.mark.parametrize(
    "text", ["", "PRIVATE+KEY+", LOG.vkey.text, LOG.text[:-1], LOG.text.replace("f072", "f073")]
)
def test_what_is_no_private_key_is_refused(text: str) -> None:
    with pytest.raises(NotAKey):
        read_note_key(text)


@pytest.mark.parametrize("text", ["", "no newline", "a\x00b\n", "\ud800\n"])
def test_what_can_be_no_note_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="text of a note"):
        sign_note(LOG, text)


def test_a_note_is_signed_with_the_text_of_a_key_too() -> None:
    assert sign_note(LOG.text, TEXT) == NOTE
    assert open_note(NOTE.encode(), [LOG.vkey.text]) == open_note(NOTE, [LOG.vkey])
