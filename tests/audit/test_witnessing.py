"""A log believes nothing that a witness can not prove, and asks in one form only."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoints import (
    NoteKey,
    grease,
    new_note_key,
    sign_note,
)
from audit.notes import Line
from audit.witnessing import (
    MAX_BODY,
    Answer,
    Disputed,
    Refused,
    Submission,
    Unreachable,
    head_known_to,
    origin_hash,
    read_submission,
    submission_body,
    submit,
)
from tests.audit.test_witness import KEY, LOG, NAMED, NOW, ORIGIN, OTHER, asked, head, note, proof


def test_the_golden_body_is_built_and_read_byte_for_byte(golden: dict[str, Any]) -> None:
    body = golden["add_checkpoint_body"].encode()

    read = read_submission(body)

    assert read is not None
    assert read.old == 5
    assert submission_body(read.old, read.proof, read.note) == body


def test_an_address_holds_the_hash_of_the_origin(golden: dict[str, Any]) -> None:
    assert origin_hash(golden["origin"]) == golden["witness_origin_hash_hex"]


GOOD = asked(3, 8)
BAD_BODIES = [
    b"", b"old 3", b"old 3\n\n"[:-1], GOOD.replace(b"old 3", b"old 03"), b"x" * (MAX_BODY + 1),
    GOOD.replace(b"old 3", b"old  3"), GOOD.replace(b"old 3", b"old -3"), b"\xff" + GOOD,
    GOOD.replace(b"old 3", b"OLD 3"), GOOD.replace(b"old 3\n", b"old 3\nAAAA\n"),
    GOOD.replace(b"old 3\n", b"old 3\n" + b"A" * 43 + b"=\n" * 1 + b"!\n"),
    GOOD.replace(b"old 3", b"old 99999999999999999999"), GOOD.replace(b"old 3\n", b"old 3\n" * 2),
    submission_body(3, [bytes(32)] * 64, note(8)),
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_what_is_no_request_is_refused(body: bytes) -> None:
    assert read_submission(body) is None


@given(st.binary(max_size=200))
def test_a_body_never_raises_and_reads_back_as_it_stands(raw: bytes) -> None:
    for body in (raw, b"old 3\n" + raw, GOOD[: len(raw)] + raw + GOOD[len(raw) :]):
        read = read_submission(body)
        if read is not None:
            assert submission_body(read.old, read.proof, read.note) == body


def asking(answers: list[Answer]) -> tuple[Any, list[tuple[str, Submission | None]]]:
    seen: list[tuple[str, Submission | None]] = []

    def call(url: str, body: bytes | None) -> Answer:
        seen.append((url, read_submission(body)))
        return answers.pop(0)

    return call, seen


def submitted(answers: list[Answer], old: int = 0) -> tuple[Any, list[Any]]:
    call, seen = asking(answers)
    done = submit(
        NAMED, head(12), note(12), old=old, prove=lambda n: proof(n, 12), call=call, at=NOW
    )
    return done, seen


def said(status: int, body: bytes = b"", kind: str = "text/plain") -> Answer:
    return Answer(status, kind, body)


def at(size: int | str) -> Answer:
    return said(409, f"{size}\n".encode(), "text/x.tlog.size")


LINE = KEY.line(head(12).text, seconds=NOW).text.encode()


def test_the_line_that_verifies_is_kept_and_the_rest_is_dropped() -> None:
    forged = Line(KEY.name, KEY.vkey.id, bytes(72)).text.encode()

    done, seen = submitted([said(200, forged + grease()[0].text.encode() + LINE)])

    assert (done.seconds, done.line.text.encode()) == (NOW, LINE)
    assert seen[0][0] == "http://w.example/w1/add-checkpoint"


def test_a_witness_that_stands_elsewhere_is_given_the_proof_from_there() -> None:
    done, seen = submitted([at(5), said(200, LINE)])

    assert done.seconds == NOW
    assert [each.old for _, each in seen] == [0, 5]
    assert list(seen[1][1].proof) == proof(5, 12)
    done, seen = submitted([at(12), said(200, LINE)])
    assert seen[1][1] == Submission(12, (), note(12))


OTHERS = KEY.line(head(11).text, seconds=NOW).text.encode()
ELSE = NoteKey(KEY.name, KEY.algorithm, bytes(32)).line(head(12).text, seconds=NOW).text.encode()
LATER = (NOW + 1).to_bytes(8) + KEY.line(head(12).text, seconds=NOW).signature[8:]
LIES = {
    "a forged line": [said(200, Line(KEY.name, KEY.vkey.id, bytes(72)).text.encode())],
    "another head's line": [said(200, OTHERS)],
    "another key's line": [said(200, ELSE)],
    "another time": [said(200, Line(KEY.name, KEY.vkey.id, LATER).text.encode())],
    "nothing": [said(200)],
    "no lines": [said(200, b"\xff\n")],
    "the size that it was given": [at(0)],
    "no size": [said(409, b"5\n")],
    "half a size": [at("5x")],
    "ever other sizes": [at(1), at(2), at(3), at(4)],
    "not for us": [said(404)],
    "not signed": [said(403)],
    "not understood": [said(400)],
    "elsewhere": [said(302)],
    "broken": [said(500)],
}


@pytest.mark.case("AL22")
@pytest.mark.parametrize("lie", LIES)
def test_what_a_witness_says_without_proof_is_dropped(lie: str) -> None:
    with pytest.raises(Refused):
        submitted(list(LIES[lie]))


@pytest.mark.case("AL22")
def test_a_witness_that_claims_more_than_we_have_is_only_disputed() -> None:
    for answer in (at(13), at(2**63 - 1), said(422)):
        with pytest.raises(Disputed):
            submitted([answer])
    with pytest.raises(Refused):
        submitted([at(2**63)])


@pytest.mark.case("AL22")
@pytest.mark.parametrize(
    "shown",
    [
        said(404), said(200), said(200, b"\xff"), said(200, note(13).encode()[:-1]),
        said(200, sign_note(new_note_key(ORIGIN), head(13).text).encode()),
        said(200, sign_note(LOG, head(13)._replace(origin=OTHER).text).encode()),
        said(200, sign_note(KEY, head(13).text, seconds=NOW).encode()),
        said(200, sign_note(LOG, "no checkpoint\n").encode()),
    ],
    ids=range(8),
)  # fmt: skip
def test_only_our_own_signature_proves_that_we_forked(shown: Answer) -> None:
    call, seen = asking([shown, said(200, note(13).encode())])

    assert head_known_to(NAMED, ORIGIN, [LOG.vkey], call=call) is None
    assert head_known_to(NAMED, ORIGIN, [LOG.vkey], call=call) == head(13)
    assert seen[0] == (f"http://w.example/w1/{origin_hash(ORIGIN)}/checkpoint", None)


def test_a_witness_that_can_not_be_reached_says_nothing() -> None:
    def call(_url: str, _body: bytes | None) -> Answer:
        raise Unreachable

    with pytest.raises(Unreachable):
        submit(NAMED, head(12), note(12), old=0, prove=lambda n: proof(n, 12), call=call, at=NOW)


@pytest.mark.parametrize("apart", [-301, 301])
def test_a_line_of_another_time_is_not_taken(apart: int) -> None:
    line = KEY.line(head(12).text, seconds=NOW + apart)

    with pytest.raises(Refused):
        submitted([Answer(200, "text/plain", line.text.encode())])


@pytest.mark.parametrize("apart", [-300, 300])
def test_clocks_may_differ_a_little(apart: int) -> None:
    line = KEY.line(head(12).text, seconds=NOW + apart)

    done, _ = submitted([Answer(200, "text/plain", line.text.encode())])

    assert done.seconds == NOW + apart
