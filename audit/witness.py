"""A witness: signs a log's head when it extends the one it signed before, and never another.

Any organisation that takes part can run it (`python -m audit.witness`); it needs one key, a
list of logs and a folder. It compares and stores in one transaction before it answers, so two
who ask at once can not both be told yes (C2SP tlog-witness).
"""

import argparse
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from audit.checkpoints import (
    Checkpoint,
    NotAKey,
    Note,
    NoteKey,
    checkpoint_in,
    new_note_key,
    open_note,
    read_note_key,
    with_lines,
)
from audit.notes import Algorithm, Vkey, read_note
from audit.policy import NotAPolicy, read_policy
from audit.tree import EMPTY_ROOT, verify_consistency
from audit.witnessing import MAX_BODY, SIZE_TYPE, Answer, Submission, origin_hash, read_submission

TEXT: Final = "text/plain; charset=utf-8"
SECONDS: Final = 10
"""How long one request may take to arrive."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS head (origin TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL) STRICT"
)


class Witness:
    """What is known of each log, in one SQLite file. Used from many threads."""

    def __init__(
        self,
        path: Path,
        key: NoteKey,
        logs: Sequence[Vkey],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._clock, self._turn = key, clock, threading.Lock()
        self._logs: dict[str, list[Vkey]] = {}
        for each in logs:
            self._logs.setdefault(each.name, []).append(each)
        path.touch(mode=0o600)
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Not WAL: this must be safe on every SQLite there is.
        for pragma in ("journal_mode=DELETE", "synchronous=EXTRA"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute(_TABLE)

    def add(self, body: bytes) -> Answer:
        """The answer to add-checkpoint. The order of the checks is that of C2SP tlog-witness."""
        asked = read_submission(body)
        parts = None if asked is None else read_note(asked.note)
        checkpoint = checkpoint_in(parts)
        if asked is None or checkpoint is None:
            return _said(400, "not an add-checkpoint request")
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return _said(404, "not a log that is witnessed here")
        note = open_note(asked.note, keys)
        if note is None:
            return _said(403, "not signed by the log")
        if asked.old > checkpoint.size:
            return _said(400, "the old size is larger than the new one")
        with self._turn:
            return self._compared(asked, note, checkpoint)

    def shown(self, name: str) -> Answer:
        """The head that was signed last of the log with this hash, with the witness's line."""
        with self._turn:
            row = self._file.execute("SELECT note FROM head WHERE hash = ?", (name,)).fetchone()
        return _said(404, "nothing") if row is None else Answer(200, TEXT, row[0].encode())

    def close(self) -> None:
        with self._turn:
            self._file.close()

    def _compared(self, asked: Submission, note: Note, checkpoint: Checkpoint) -> Answer:
        """Compare and store in one transaction, then answer: never the other way round."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            answer = self._decided(asked, note, checkpoint)
            self._file.execute("COMMIT")
        except BaseException:
            # A commit that failed leaves the transaction open, and what is in it must not be shown.
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
        return answer

    def _decided(self, asked: Submission, note: Note, checkpoint: Checkpoint) -> Answer:
        found = self._file.execute(
            "SELECT size, root FROM head WHERE origin = ?", (checkpoint.origin,)
        ).fetchone()
        size, root = found or (0, EMPTY_ROOT)
        if asked.old != size:
            return Answer(409, SIZE_TYPE, f"{size}\n".encode())
        if not _extends(size, root, checkpoint, asked.proof):
            return _said(422, "this does not extend what was signed before")
        line = self._key.line(checkpoint.text, seconds=int(self._clock()))
        # Only what was verified is kept: a line that somebody made up must not come back out.
        kept = with_lines(note.text, [*(each.line for each in note.signatures), line])
        self._file.execute(
            "INSERT INTO head VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
            " SET size = excluded.size, root = excluded.root, note = excluded.note",
            (checkpoint.origin, origin_hash(checkpoint.origin), checkpoint.size,
             checkpoint.root, kept),
        )  # fmt: skip
        return Answer(200, TEXT, line.text.encode())


def _extends(size: int, root: bytes, new: Checkpoint, proof: Sequence[bytes]) -> bool:
    if new.size == size:
        return new.root == root and not proof
    if size == 0:
        return not proof
    return verify_consistency(size, new.size, root, new.root, proof)


def _said(status: int, words: str) -> Answer:
    return Answer(status, TEXT, f"{words}\n".encode())


class _Handler(BaseHTTPRequestHandler):
    """Two addresses, and nothing else: add-checkpoint, and the head that was signed last."""

    timeout = SECONDS
    protocol_version = "HTTP/1.1"
    server: "WitnessServer"

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != f"{self.server.prefix}add-checkpoint":
            self._answer(_said(404, "nothing"))
        elif not (length.isascii() and length.isdecimal() and len(length) <= 7):  # noqa: PLR2004 - a number
            self._answer(_said(411, "a length is needed"))
        elif int(length) > MAX_BODY:
            self._answer(_said(413, "too large"))
        else:
            self._answer(self.server.witness.add(self.rfile.read(int(length))))

    def do_GET(self) -> None:
        path = self.path.removeprefix(self.server.prefix)
        name = path.removesuffix("/checkpoint")
        shown = path != self.path and path == f"{name}/checkpoint"
        self._answer(self.server.witness.shown(name) if shown else _said(404, "nothing"))

    def log_message(self, *_: Any) -> None:
        """Keep no record of who asks."""

    def _answer(self, answer: Answer) -> None:
        if answer.status >= 400:  # noqa: PLR2004 - what was sent may not have been read to its end
            self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(answer.body)


class WitnessServer(ThreadingHTTPServer):
    """The witness over HTTP. TLS is for what stands before it."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness, prefix: str = "/") -> None:
        self.witness, self.prefix = witness, prefix
        super().__init__(address, _Handler)

    def handle_error(self, *_: Any) -> None:
        """Somebody who hangs up is not news."""


def witness_key(folder: Path, name: str) -> NoteKey:
    """The key of the witness in this folder, made when it is first asked for. Raises `NotAKey`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "witness.key"
    if not path.exists():
        key = new_note_key(name, Algorithm.COSIGNATURE)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.text + "\n")
            file.flush()
            os.fsync(file.fileno())
    key = read_note_key(path.read_text("utf-8").strip())
    if key.name != name:
        raise NotAKey(f"the key in {path} is of {key.name}")
    return key


def witness_in(folder: Path, name: str, logs: Path) -> tuple[Witness, NoteKey]:
    """The witness in a folder, for the logs that a policy file names.

    Raises `NotAKey`, `NotAPolicy` or `OSError`.
    """
    policy = read_policy(logs.read_text("utf-8"))
    if not policy.logs:
        raise NotAPolicy("it names no log to witness")
    key = witness_key(folder, name)
    return Witness(folder / "witness.db", key, [each.key for each in policy.logs]), key


def main(words: Sequence[str] | None = None) -> int:
    """Run a witness until it is stopped. Exit 2: wrong use."""
    asked = argparse.ArgumentParser(prog="audit.witness", description=__doc__)
    asked.add_argument("--name", required=True, help="name of the witness's key")
    asked.add_argument("--logs", required=True, type=Path, help="policy file with the logs")
    asked.add_argument("--data", required=True, type=Path, help="folder for key and heads")
    asked.add_argument("--host", default="127.0.0.1")
    asked.add_argument("--port", type=int, default=8099)
    given = asked.parse_args(words)
    try:
        witness, key = witness_in(given.data, given.name, given.logs)
    except (NotAKey, NotAPolicy, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    server = WitnessServer((given.host, given.port), witness)
    sys.stdout.write(f"witness {key.vkey.text} http://{given.host}:{given.port}/\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
        witness.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
