"""Open what was sealed beside a leaf, for whoever has the key."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from audit.parts import NOBODY, Mac, PartChanged, unseal
from audit.records import LIVE, PartRow


class PartKeys(Protocol):
    """The keys that parts are opened with. It never makes one."""

    @property
    def nobody(self) -> bytes:
        """The log's own key, for what is about nobody."""

    def by_id(self, key_id: bytes) -> bytes | None:
        """The key behind a part, or nothing when it was destroyed or is not ours to have."""

    def blind(self, use: str, identifier: str) -> bytes:
        """The 16 bytes that stand for an identifier in the index."""


class KeyNotAtHand(Exception):
    """The part cannot be opened: its key was destroyed, or is not in this key ring."""


class PartGone(Exception):
    """Only a tombstone is left of the part."""


def open_part(body: Mapping[str, Any], part: PartRow, keys: PartKeys) -> bytes:
    """The plaintext of a part, given its leaf's values.

    Raises `PartGone`, `KeyNotAtHand`, or `PartChanged` when it is not what the leaf says.
    """
    if part.state != LIVE:
        raise PartGone
    if part.key_id is None or part.ct is None or part.label not in body.get("x", {}):
        raise PartChanged
    key = keys.nobody if part.key_id == NOBODY else keys.by_id(part.key_id)
    if key is None:
        raise KeyNotAtHand
    event_id = UUID(body["id"]).bytes
    commitment = urlsafe_b64decode(body["x"][part.label] + "=")
    return unseal(Mac(key), part.label.encode(), event_id, commitment, part.ct)
