"""Signed notes are read in one way only, and keys are who their id says they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.notes import MAX_SIGNATURES, Algorithm, is_timely, read_lines, read_note, read_vkey
from tests.audit.log_builders import VECTORS

C2SP = json.loads((VECTORS / "c2sp" / "examples.json").read_text())
KEYS = json.loads((VECTORS / "c2sp" / "cosignature-keys.json").read_text())
NOTE: str = C2SP["signed_note"]["note"]
TEXT, LINE = NOTE.split("\n\n")


@pytest.mark.parametrize("name", ["checkpoint", "cosigned_checkpoint"])
def test_the_examples_of_the_specification_are_taken_apart(name: str) -> None:
    said, expected = C2SP[name]["note"], C2SP[name]["parsed"]

    parts = read_note(said)

    assert parts is not None
    assert parts.text.splitlines()[0] == expected["origin"]
    for line, known in zip(parts.lines, expected["signatures"], strict=True):
        assert (line.name, line.id.hex()) == (known["name"], known["key_id_hex"])
        assert len(line.signature) == known["signature_bytes"]
        if "timestamp" in known:
            assert line.seconds == known["timestamp"]
    assert said == parts.text + "\n" + "".join(each.text for each in parts.lines)


def test_the_answer_of_a_witness_is_lines_and_nothing_else() -> None:
    said = C2SP["add_checkpoint"]["response"]

    lines = read_lines(said if said.endswith("\n") else said + "\n")

    assert lines is not None
    known = C2SP["add_checkpoint"]["parsed_response"]
    assert [(each.name, each.id.hex()) for each in lines] == [
        (each["name"], each["key_id_hex"]) for each in known
    ]
    # Filler: some of these times no clock can ever show.
    assert not all(is_timely(each) for each in lines)


@pytest.mark.parametrize("key", KEYS["accept"], ids=lambda key: key["type"])
def test_a_published_key_is_read_and_written_as_it_stands(key: dict[str, str]) -> None:
    read = read_vkey(key["vkey"])

    assert read is not None
    assert read.text == key["vkey"]


@pytest.mark.parametrize("key", KEYS["refuse"], ids=lambda key: key["type"])
def test_a_key_whose_id_is_not_its_own_is_refused(key: dict[str, str]) -> None:
    assert read_vkey(key["vkey"]) is None


GOOD = KEYS["accept"][0]["vkey"]
NOT_KEYS: list[Any] = [
    None, 3, b"bytes", "", "+", "++", "name", GOOD[:-1], GOOD + "A", GOOD + "\n", " " + GOOD,
    GOOD.replace("da77ade7", "DA77ADE7"), GOOD.replace("remora", "rem ra"), "x" + GOOD,
    GOOD.partition("+")[2], "\ud800" + GOOD,
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_KEYS, ids=range(len(NOT_KEYS)))
def test_what_is_no_key_is_nothing(text: Any) -> None:
    assert read_vkey(text) is None


def test_a_key_of_a_kind_that_nobody_knows_is_nothing() -> None:
    assert {0x01, 0x04, 0x06} == set(Algorithm)
    assert read_vkey("n+00000000+BQ==") is None


NOT_NOTES: list[Any] = [
    None, 7, 10**12, object(), b"\xff\n\n", "", "\n", "\n\n", TEXT, TEXT + "\n", TEXT + "\n\n",
    NOTE[:-1], NOTE + "\n", NOTE.replace("\n\n", "\n"), NOTE.replace("—", "-"), NOTE + "more",
    NOTE.replace("message", "mess\tage"), NOTE.replace("message", "mess\rage"), "\ud800" + NOTE,
    NOTE.replace("message", "mess\x00age"), NOTE.replace("— ", "—  "), NOTE.replace("— ", "—\t"),
    NOTE.replace("Uw2Q", "Uw2Q "), NOTE.replace("=", ""), NOTE.replace("Uw2Q", "Uw2_"),
    f"{TEXT}\n\n— name AAAAAA==\n", f"{TEXT}\n\n— name AAAA\n", f"{TEXT}\n\n— na+me AAAAAAA=\n",
    f"{TEXT}\n\n—  AAAAAAA=\n", f"{TEXT}\n\n— name AAAAAAB=\n", "a\n" * 40_000 + NOTE,
]  # fmt: skip


@pytest.mark.parametrize("note", NOT_NOTES, ids=range(len(NOT_NOTES)))
def test_what_is_no_note_is_nothing(note: Any) -> None:
    assert read_note(note) is None


def test_text_and_signatures_part_at_the_last_empty_line() -> None:
    parts = read_note(f"one\n\ntwo\n\n{LINE}")

    assert parts is not None
    assert parts.text == "one\n\ntwo\n"


def test_sixteen_signatures_are_read_and_a_flood_is_not() -> None:
    assert read_note(f"text\n\n{LINE * 16}") is not None
    assert read_note(f"text\n\n{LINE * MAX_SIGNATURES}") is not None
    assert read_note(f"text\n\n{LINE * (MAX_SIGNATURES + 1)}") is None


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_whatever_is_read_never_raises(note: bytes | str) -> None:
    for each in (note, NOTE.encode() + bytes(str(note), "utf-8", "replace")):
        parts = read_note(each)
        if parts is not None:
            again = parts.text + "\n" + "".join(line.text for line in parts.lines)
            assert again.encode() == (each.encode() if isinstance(each, str) else each)


@given(st.data())
def test_a_note_with_one_byte_changed_is_none_or_reads_back_as_it_stands(
    data: st.DataObject,
) -> None:
    raw = bytearray(NOTE.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    parts = read_note(bytes(raw))

    if parts is not None:
        again = parts.text + "\n" + "".join(line.text for line in parts.lines)
        assert again.encode() == raw
