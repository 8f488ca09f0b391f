"""The broker and the offline verifier have readers of their own, and judge everything alike."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit import notes, policy, verify
from audit.checkpoints import (
    Checkpoint,
    NoteKey,
    grease,
    new_note_key,
    open_note,
    read_checkpoint,
    with_lines,
)
from audit.notes import Algorithm
from audit.verify import Unfit

ORIGIN = "broker.example/audit/tlog/s0e1"
LOG, NEW = new_note_key(ORIGIN), new_note_key(ORIGIN, Algorithm.ML_DSA_44)
ONE, TWO = (new_note_key(f"w.example/{name}", Algorithm.COSIGNATURE) for name in ("1", "2"))
KEYS = (LOG, NEW, ONE, TWO)
HEAD = Checkpoint(ORIGIN, 12345, bytes(range(32)))
SECONDS = 1_790_000_000

SPACES = ("\n", "\n\n", " ", "\t", "\r", "\x00", "\x7f", "\x85", "\xa0", "\u2028")
SIGNS = ("+", "—", "=", "0", "1", "A", "a", "é", "#", "-", "\uff12", "\u0663")
WORDS = ("any", "all", "none", "log ", "quorum one\n")
PIECES = st.sampled_from((*SPACES, *SIGNS, *WORDS))


def note_of(keys: list[NoteKey], seconds: int = SECONDS) -> str:
    lines = [key.line(HEAD.text, seconds=seconds) for key in keys]
    return with_lines(HEAD.text, [*lines, *grease()])


NOTE = note_of(list(KEYS))
POLICY = "\n".join(
    [
        "# whom we believe",
        f"log {LOG.vkey.text} https://broker.example/",
        f"log {NEW.vkey.text}",
        f"witness one {ONE.vkey.text} https://one.example/w",
        f"witness two {TWO.vkey.text}",
        "group either 1 one two",
        "quorum either",
        "",
    ]
)


@st.composite
def edited(draw: st.DrawFn, whole: str) -> str:
    """A text after some edits: pieces put in, taken out, doubled, or in another place."""
    text = whole
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 3)))
        lines = text.split("\n")
        line = draw(st.integers(0, len(lines) - 1))
        text = draw(
            st.sampled_from(
                [
                    text[:at] + draw(PIECES) + text[at:],
                    text[:at] + draw(PIECES) + text[end:],
                    text[:at] + text[end:],
                    text[:at] + text[at:end].swapcase() + text[end:],
                    "\n".join([*lines[:line], *lines[line + 1 :]]),
                    "\n".join([*lines[:line], lines[line], *lines[line:]]),
                ]
            )
        )
    return text


def accepted(read: Callable[[Any], Any], text: Any) -> Any:
    """What the verifier reads, or nothing."""
    try:
        return read(text)
    except Unfit:
        return None


@given(edited(NOTE))
@example(NOTE.replace("\n\n", "\n\x7f\n\n", 1))
@example(NOTE.replace("12345", "12345678901234567"))
@example(NOTE.replace("12345", str(2**63)))
@example(NOTE + "— x.example/k " + "A" * 66_000 + "\n")
@example(with_lines(HEAD.text, grease(101)))
@example(NOTE.replace("w.example/1", "w.example/\u2028"))
@example(NOTE.replace("w.example/1", "w" * 256))
@settings(max_examples=400, deadline=None)
def test_notes_and_their_checkpoints_are_read_alike(text: str) -> None:
    raw = text.encode()
    ours, theirs = notes.read_note(raw), accepted(verify.read_note, raw)

    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    assert theirs.text == ours.text
    assert [*theirs.signatures] == [tuple(each) for each in ours.lines]
    mine, head = read_checkpoint(ours.text), accepted(verify.read_head, theirs.text)
    assert (mine and tuple(mine)) == (head and tuple(head))


@given(edited(NOTE), st.sampled_from(KEYS))
@example(note_of([ONE], seconds=2**63), ONE)
@example(note_of([TWO, TWO]), TWO)
@settings(max_examples=200, deadline=None)
def test_signatures_are_believed_alike(text: str, key: NoteKey) -> None:
    raw, vkey = text.encode(), key.vkey.text
    theirs = accepted(verify.read_note, raw)
    signed = verify.signed_by(theirs, verify.read_vkey(vkey)) if theirs else []

    opened = open_note(raw, [vkey])

    assert (opened is not None) == (bool(signed) and all(each.holds for each in signed))
    if opened is not None and key.algorithm is Algorithm.COSIGNATURE:
        assert opened.signatures[0].seconds == signed[0].at


@given(st.one_of([edited(key.vkey.text) for key in (LOG, ONE)]))
@example(LOG.vkey.text.replace(LOG.vkey.id.hex(), LOG.vkey.id.hex().upper()))
@example(LOG.vkey.text.replace("+", "+ ", 1))
@example("a b" + LOG.vkey.text)
@settings(max_examples=300, deadline=None)
def test_keys_are_read_alike(text: str) -> None:
    ours, theirs = notes.read_vkey(text), accepted(verify.read_vkey, text)

    assert (ours and (ours.name, ours.id, int(ours.algorithm), ours.public)) == (
        theirs and tuple(theirs)
    )


@given(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 255]), st.sampled_from([0, 31, 32, 33, 1312]))
def test_kinds_of_keys_are_known_alike(kind: int, length: int) -> None:
    raw = bytes((kind,)) + bytes(length)
    text = f"k.example+{notes.key_id('k.example', raw).hex()}+{b64encode(raw).decode()}"

    assert (notes.read_vkey(text) is None) == (accepted(verify.read_vkey, text) is None)


def in_force(text: str) -> policy.Policy | None:
    """What the broker reads; a policy for a verifier must name a log, besides."""
    try:
        found = policy.read_policy(text)
    except policy.NotAPolicy:
        return None
    return found if found.logs else None


@given(edited(POLICY), st.sets(st.sampled_from(["one", "two", "either", "three", "none"])))
@example(POLICY.replace("either 1", "either \u0661"), {"one"})
@example(POLICY.replace("either 1", "either 01"), {"one"})
@example(POLICY.replace("either 1", "either 0"), set())
@example(POLICY.replace("\n", "\r\n"), {"one"})
@example(POLICY + "\n" * 10_001, {"one"})
@example(POLICY.replace("quorum either", "quorum none"), set())
@settings(max_examples=500, deadline=None)
def test_policies_are_read_alike_and_met_by_the_same_witnesses(text: str, names: set[str]) -> None:
    ours, theirs = in_force(text), accepted(verify.read_policy, text.encode())

    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    assert [each.key.public for each in ours.logs] == [each.public for each in theirs.logs]
    assert {name: each.key.public for name, each in ours.witnesses.items()} == {
        name: key.public for name, key in theirs.witnesses.items()
    }
    signed = names & set(ours.witnesses)
    assert ours.met_by(signed) == theirs.reached(signed)
