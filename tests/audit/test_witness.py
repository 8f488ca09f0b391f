"""A witness signs what extends what it signed, once; a log believes nothing it can not verify."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from audit import witness as witness_module
from audit.checkpoints import (
    Checkpoint,
    NotAKey,
    NoteKey,
    grease,
    new_note_key,
    open_note,
    sign_note,
    verified,
    with_lines,
)
from audit.notes import Algorithm, Line, read_lines, read_note
from audit.policy import Named, NotAPolicy
from audit.tree import EMPTY_ROOT, consistency_proof, root
from audit.witness import Witness, WitnessServer, witness_in, witness_key
from audit.witnessing import (
    MAX_BODY,
    Answer,
    head_known_to,
    origin_hash,
    submission_body,
)
from tests.audit.test_tree import counted

ORIGIN, OTHER = "broker.example/audit/tlog/s0e1", "other.example/log"
LOG = NoteKey(ORIGIN, Algorithm.ED25519, bytes(range(32)))
KEY = NoteKey("witness.example/w1", Algorithm.COSIGNATURE, bytes(range(1, 33)))
NOW = 1_790_000_000
NAMED = Named(KEY.vkey, "http://w.example/w1/")
LEAVES = counted(64)
FORKED = [*LEAVES[:4], *counted(70)[64:], *LEAVES[10:]]


def head(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root(leaves[:size]))


def note(size: int, leaves: list[bytes] = LEAVES) -> str:
    return sign_note(LOG, head(size, leaves).text)


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    return consistency_proof(old, new, leaves) if 0 < old < new else []


def asked(old: int, new: int, leaves: list[bytes] = LEAVES) -> bytes:
    return submission_body(old, proof(old, new, leaves), note(new, leaves))


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    made = Witness(tmp_path / "heads.db", KEY, [LOG.vkey], clock=lambda: NOW)
    yield made
    made.close()


def signed_by(answer: Answer, size: int, leaves: list[bytes] = LEAVES) -> bool:
    lines = read_lines(answer.body.decode()) or ()
    return any(verified(each, head(size, leaves).text, KEY.vkey) for each in lines)


def test_a_head_that_extends_the_last_is_signed_at_the_time_of_the_clock(witness: Witness) -> None:
    first = witness.add(asked(0, 5))
    second = witness.add(asked(5, 12))

    assert (first.status, second.status) == (200, 200)
    assert signed_by(first, 5)
    assert signed_by(second, 12)
    lines = read_lines(second.body.decode())
    assert lines is not None
    assert lines[0].seconds == NOW


def test_the_same_head_again_is_signed_again(witness: Witness) -> None:
    witness.add(asked(0, 5))

    assert signed_by(witness.add(asked(5, 5)), 5)


def test_an_empty_log_has_one_root(witness: Witness) -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    other = Checkpoint(ORIGIN, 0, bytes(32))

    assert witness.add(submission_body(0, [], sign_note(LOG, other.text))).status == 422
    assert witness.add(submission_body(0, [], sign_note(LOG, empty.text))).status == 200


def test_the_checks_come_in_the_order_of_the_specification(witness: Witness) -> None:
    stranger = new_note_key(OTHER)
    unknown = sign_note(stranger, head(5)._replace(origin=OTHER).text)
    forged = with_lines(head(5).text, [Line(ORIGIN, LOG.vkey.id, bytes(64))])
    nobody = with_lines(head(5).text, grease())

    assert witness.add(submission_body(9, [], unknown)).status == 404
    assert witness.add(submission_body(9, [], forged)).status == 403
    assert witness.add(submission_body(9, [], nobody)).status == 403
    assert witness.add(asked(9, 5)).status == 400
    behind = witness.add(asked(3, 5))
    assert (behind.status, behind.kind, behind.body) == (409, "text/x.tlog.size", b"0\n")
    assert witness.add(submission_body(0, [bytes(32)], note(5))).status == 422
    assert witness.shown(origin_hash(ORIGIN)).status == 404


def test_what_is_no_request_is_not_answered_as_one(witness: Witness) -> None:
    for body in (b"", b"old 3\n\n", asked(0, 5)[:-1], asked(0, 5).replace(b"old 0", b"old 00")):
        assert witness.add(body).status == 400


@pytest.mark.case("T90")
@pytest.mark.case("AL07")
@pytest.mark.case("AL06")
def test_t90_a_second_branch_is_refused(witness: Witness) -> None:
    witness.add(asked(0, 5))

    for old, size in ((5, 12), (5, 5), (0, 12), (0, 5)):
        answer = witness.add(asked(old, size, FORKED))
        assert answer.status == (422 if old == 5 else 409)
    honest = witness.add(submission_body(5, proof(5, 12), note(12, FORKED)))
    assert honest.status == 422
    assert signed_by(witness.add(asked(5, 12)), 12)


@pytest.mark.case("AL23")
def test_what_was_signed_is_never_taken_back(witness: Witness) -> None:
    witness.add(asked(0, 5))
    witness.add(asked(5, 12))

    for old, size in ((12, 5), (5, 12), (0, 3)):
        assert witness.add(asked(old, size)).status in {400, 409}
    assert read_known(witness) == head(12)


@pytest.mark.case("AL23")
def test_of_two_who_ask_at_once_one_is_told_yes(tmp_path: Path) -> None:
    def slow() -> float:
        # Between comparing and storing there is time for all the others to come in.
        threading.Event().wait(0.05)
        return NOW

    witness = Witness(tmp_path / "slow.db", KEY, [LOG.vkey], clock=slow)
    witness.add(asked(0, 4))
    bodies = [asked(4, size, leaves) for size in range(5, 13) for leaves in (LEAVES, FORKED)]
    answers: list[int] = []
    barrier = threading.Barrier(len(bodies))

    def ask(body: bytes) -> None:
        barrier.wait()
        answers.append(witness.add(body).status)

    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    witness.close()
    assert sorted(answers) == [200] + [409] * (len(bodies) - 1)


def test_an_answer_is_given_after_its_head_is_stored(tmp_path: Path) -> None:
    first = Witness(tmp_path / "heads.db", KEY, [LOG.vkey])
    assert first.add(asked(0, 5)).status == 200

    second = Witness(tmp_path / "heads.db", KEY, [LOG.vkey])

    assert second.add(asked(0, 5)).status == 409
    assert read_known(second) == head(5)
    first.close()
    second.close()


def test_a_line_that_somebody_made_up_wedges_nobody(witness: Witness) -> None:
    mine = Line(KEY.name, KEY.vkey.id, bytes(72))
    forged = with_lines(head(5).text, [LOG.line(head(5).text), mine, *grease(2)])

    assert witness.add(submission_body(0, [], forged)).status == 200

    shown = witness.shown(origin_hash(ORIGIN))
    note_ = open_note(shown.body, [LOG.vkey, KEY.vkey])
    assert note_ is not None
    assert [each.key for each in note_.signatures] == [LOG.vkey, KEY.vkey]
    parts = read_note(shown.body)
    assert parts is not None
    assert len(parts.lines) == 2
    assert witness.add(asked(5, 12)).status == 200


def read_known(witness: Witness) -> Checkpoint | None:
    def call(url: str, body: bytes | None) -> Answer:
        assert body is None
        return witness.shown(url.split("/")[-2])

    return head_known_to(NAMED, ORIGIN, [LOG.vkey], call=call)


# Over HTTP, and as a program


@pytest.fixture
def server(witness: Witness) -> Iterator[WitnessServer]:
    running = WitnessServer(("127.0.0.1", 0), witness, "/w1/")
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def over_http(
    server: WitnessServer, method: str, path: str, body: bytes = b"", length: str = ""
) -> Answer:
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    headers = {"Content-Length": length} if length else {}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    read = Answer(answer.status, answer.headers["Content-Type"], answer.read())
    connection.close()
    return read


def test_over_http_it_is_asked_and_it_shows_what_it_signed(server: WitnessServer) -> None:
    answer = over_http(server, "POST", "/w1/add-checkpoint", asked(0, 5))
    shown = over_http(server, "GET", f"/w1/{origin_hash(ORIGIN)}/checkpoint")

    assert answer.status == 200
    assert signed_by(answer, 5)
    assert open_note(shown.body, [LOG.vkey]) is not None
    behind = over_http(server, "POST", "/w1/add-checkpoint", asked(0, 5))
    assert (behind.status, behind.kind, behind.body) == (409, "text/x.tlog.size", b"5\n")


def test_over_http_nothing_else_is_answered(server: WitnessServer) -> None:
    assert over_http(server, "GET", "/w1/x/checkpoint").status == 404
    assert over_http(server, "GET", "/w1/x").status == 404
    assert over_http(server, "GET", f"/{origin_hash(ORIGIN)}/checkpoint").status == 404
    assert over_http(server, "POST", "/w1/else", b"x").status == 404
    for length, status in (("x", 411), ("-1", 411), (str(MAX_BODY + 1), 413)):
        assert over_http(server, "POST", "/w1/add-checkpoint", length=length).status == status
    assert over_http(server, "PUT", "/w1/add-checkpoint", b"x").status == 501


def test_the_key_is_made_once_and_belongs_to_one_name(tmp_path: Path) -> None:
    folder = tmp_path / "witness"

    key = witness_key(folder, "w.example/1")

    assert key.algorithm is Algorithm.COSIGNATURE
    assert witness_key(folder, "w.example/1") == key
    assert (folder / "witness.key").stat().st_mode & 0o077 == 0
    with pytest.raises(NotAKey):
        witness_key(folder, "w.example/2")


def test_a_witness_needs_a_log_to_witness(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("quorum none\n")

    with pytest.raises(NotAPolicy):
        witness_in(tmp_path / "data", "w.example/1", tmp_path / "logs")
    (tmp_path / "logs").write_text(f"log {LOG.vkey.text}\nquorum none\n")
    made, key = witness_in(tmp_path / "data", "w.example/1", tmp_path / "logs")
    assert made.add(asked(0, 5)).status == 200
    assert key.name == "w.example/1"
    made.close()


def test_the_program_says_what_is_wrong_with_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--name", "w", "--logs", str(tmp_path / "none"), "--data", str(tmp_path)]

    assert witness_module.main(words) == 2
    assert "none" in capsys.readouterr().err


def test_what_could_not_be_stored_is_neither_answered_nor_shown(
    witness: Witness, tmp_path: Path
) -> None:
    witness.add(asked(0, 5))
    with closing(sqlite3.connect(tmp_path / "heads.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM head").fetchone()  # a reader who holds the file
        with pytest.raises(sqlite3.OperationalError):
            witness.add(asked(5, 12))
        shown = witness.shown(origin_hash(ORIGIN))
        reader.execute("COMMIT")

    assert shown.body.decode().startswith(head(5).text)
    assert witness.add(asked(5, 12)).status == 200
