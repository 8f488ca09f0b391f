"""How a log talks to its witnesses (C2SP tlog-witness): what is sent, and what may be believed.

The network is handed in. Nothing that a witness says is taken on trust: a line counts when it
verifies, and a claim that the log has forked counts when our own signature proves it.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from audit.checkpoints import Checkpoint, Signature, checkpoint_in, open_note, verified
from audit.notes import MAX_BYTES, Vkey, plain_base64, read_lines
from audit.policy import Named
from audit.tree import HASH_BYTES

MAX_PROOF: Final = 63
MAX_BODY: Final = MAX_BYTES + 4096
"""A note, and before it a proof as long as any can be."""
SIZE_TYPE: Final = "text/x.tlog.size"
TRIES: Final = 4
"""The first, and three more from where the witness says that it stands."""
MOST_APART: Final = 300
"""Seconds that a witness's clock may be from ours: a line of another time proves nothing of now."""
OK, CONFLICT, UNPROVEN = 200, 409, 422
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Submission(NamedTuple):
    """What a log asks a witness to sign: a note, and the proof that it extends size `old`."""

    old: int
    proof: tuple[bytes, ...]
    note: str


class Answer(NamedTuple):
    """An HTTP answer, of which no more was read than `MAX_BODY`."""

    status: int
    kind: str
    body: bytes


class Unreachable(Exception):
    """No answer, or none that ends. Says nothing about the log."""


class Refused(Exception):
    """The witness did not sign, or its answer is not good. `status` is what it answered."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Disputed(Exception):
    """The witness says it knows another log of ours: a longer one, or one that differs."""


Call: TypeAlias = Callable[[str, bytes | None], Answer]
"""POST these bytes to an address, or GET it without any. Raises `Unreachable`."""
Prove: TypeAlias = Callable[[int], Sequence[bytes]]
"""The proof that our head extends the tree of a size."""


def submission_body(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of an add-checkpoint request."""
    lines = [f"old {old}", *(_base64(each) for each in proof)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def read_submission(body: Any) -> Submission | None:
    """The body of an add-checkpoint request, read in its one form; nothing for anything else."""
    if not isinstance(body, bytes) or len(body) > MAX_BODY:
        return None
    try:
        head, gap, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        return None
    first, *lines = head.split("\n")
    word, _, digits = first.partition(" ")
    old = read_size(digits)
    proof = [plain_base64(line) for line in lines]
    if not gap or word != "old" or old is None or len(lines) > MAX_PROOF:
        return None
    hashes = [each for each in proof if each is not None and len(each) == HASH_BYTES]
    return Submission(old, tuple(hashes), note) if len(hashes) == len(lines) else None


def read_size(text: Any) -> int | None:
    """A size in decimal, without anything else; below 2^63."""
    if not isinstance(text, str) or not _SIZE.fullmatch(text):
        return None
    size = int(text)
    return size if size < 2**63 else None


def submit(
    witness: Named,
    checkpoint: Checkpoint,
    note: str,
    *,
    old: int,
    prove: Prove,
    call: Call,
    at: float,
) -> Signature:
    """The witness's signature under our head; `old` is the size that it signed last.

    `at` is our time in seconds; a signature of another time is not taken.

    Raises `Unreachable`, `Refused`, or `Disputed`, which is still to be proven.
    """
    for _ in range(TRIES):
        proof = prove(old) if 0 < old < checkpoint.size else ()
        body = submission_body(old, proof, note)
        answer = call(f"{_folder(witness.url)}add-checkpoint", body)
        if answer.status == OK:
            return _signature(answer, checkpoint, witness.key, at)
        if answer.status == UNPROVEN:
            raise Disputed
        if answer.status != CONFLICT:
            raise Refused(answer.status, "it does not sign for us")
        known = _size_in(answer)
        if known is None or known == old:
            raise Refused(CONFLICT, "it contradicts itself")
        if known > checkpoint.size:
            raise Disputed
        old = known
    raise Refused(CONFLICT, "it never stands where it says")


def head_known_to(
    witness: Named, origin: str, vkeys: Sequence[Vkey | str], *, call: Call
) -> Checkpoint | None:
    """The head of ours that a witness shows to everybody, if our own key signed it.

    This alone proves that we are a fork of ourselves. Raises `Unreachable`.
    """
    answer = call(f"{_folder(witness.url)}{origin_hash(origin)}/checkpoint", None)
    if answer.status != OK:
        return None
    checkpoint = checkpoint_in(open_note(answer.body, vkeys))
    return checkpoint if checkpoint is not None and checkpoint.origin == origin else None


def origin_hash(origin: str) -> str:
    """The name of a log in a witness's addresses: hex SHA-256 of its origin."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _signature(answer: Answer, checkpoint: Checkpoint, key: Vkey, at: float) -> Signature:
    """The line of now that verifies under the witness's key; what else it says is dropped."""
    try:
        lines = read_lines(answer.body.decode()) or ()
    except UnicodeDecodeError:
        lines = ()
    for line in lines:
        signature = verified(line, checkpoint.text, key)
        if signature is not None and abs(signature.seconds - at) <= MOST_APART:
            return signature
    raise Refused(OK, "no line of it verifies, or is of now")


def _size_in(answer: Answer) -> int | None:
    if answer.kind.partition(";")[0].strip().lower() != SIZE_TYPE:
        return None
    try:
        return read_size(answer.body.decode().removesuffix("\n"))
    except UnicodeDecodeError:
        return None


def _folder(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
