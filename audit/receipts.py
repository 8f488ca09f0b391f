"""Receipts: the log's word, to one who was answered, that the entry of the answer stands in it.

A receipt is a signed note under a key of its own (audit-log.md, section 6.6). Whoever holds one
can show that the entry was left out, or another one put in its place.
"""

import base64
import re
from typing import Any, NamedTuple

from audit.checkpoints import NoteKey, open_note, read_checkpoint, sign_note
from audit.notes import Algorithm, is_text

VERSION = "overdracht-audit-receipt/v1"
COVERED_WITHIN = 60
"""Seconds after an entry's time within which a signed head must cover it."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


class Receipt(NamedTuple):
    """Which leaf stands where, at which time (µs since 1970), and until when a head covers it."""

    origin: str
    index: int  # type: ignore[assignment]  # nobody looks a value up in a Receipt
    leaf_hash: bytes
    t: int
    within: int = COVERED_WITHIN

    @property
    def text(self) -> str:
        """The six lines that are signed."""
        digest = base64.b64encode(self.leaf_hash).decode()
        lines = (VERSION, self.origin, self.index, digest, self.t, self.within)
        return "".join(f"{each}\n" for each in lines)


def receipt_key(origin: str, seed: bytes) -> NoteKey:
    """The key that signs the receipts of a log; `seed` is 32 secret bytes for this one use."""
    return NoteKey(f"{origin}/receipt", Algorithm.ED25519, seed)


def receipt_note(receipt: Receipt, key: NoteKey) -> str:
    """The receipt as it is handed out."""
    return sign_note(key, receipt.text)


def open_receipt(note: Any, vkey: str) -> Receipt | None:
    """The receipt in a note that this key signed; nothing for anything else. Never raises."""
    found = open_note(note, [vkey])
    receipt = None if found is None else read_receipt(found.text)
    mine = receipt is not None and vkey.startswith(f"{receipt.origin}/receipt+")
    return receipt if mine else None


def read_receipt(text: Any) -> Receipt | None:
    """The six lines, each in its one form; nothing for anything else."""
    if not is_text(text):
        return None
    version, *lines = text.split("\n")[:-1]
    if version != VERSION or len(lines) != 5:  # noqa: PLR2004 - and the first
        return None
    origin, index, digest, t, within = lines
    # Origin, a number and a digest in their one form: what a checkpoint is made of too.
    said = read_checkpoint(f"{origin}\n{index}\n{digest}\n")
    if said is None or not all(map(_NUMBER.fullmatch, (index, t, within))):
        return None
    return Receipt(said.origin, said.size, said.root, int(t), int(within))
