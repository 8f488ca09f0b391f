"""Entries as others want to see them: what every outward form shares (audit-log.md, 3.3).

A view is made on reading and is never the record; whoever doubts one asks for the bundle.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from audit.leaf import KINDS, UNDISCLOSED, WITHHOLD_PROVIDER, read
from audit.tree import leaf_hash

_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_BY_RECIPIENT = (
    *("summary.released", "summary.authorised", "summary.refused", "summary.received"),
    *("handover.accepted", "handover.declined", "handover.first_contact", "handover.closed"),
    *("notice.acknowledged", "audit.inspected", "breakglass."),
)
"""The kinds, or beginnings of kinds, in which the organisation that gets the data acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Who shows the entry: its log's origin, its organisation, and what only it can know.

    `pseudonym` gives 64 hexadecimal digits for a use (sub, act) and an identifier, the same
    each time and nobody's but the house's to tell; `under_inquiry` answers for a client.
    """

    origin: str
    organisation: str
    pseudonym: Callable[[str, str], str]
    under_inquiry: Callable[[str], bool]


@dataclass(frozen=True)
class Shown:
    """One entry, with the parts of it that may be shown, opened, by label."""

    index: int
    leaf: bytes
    parts: Mapping[str, Mapping[str, Any]]
    before: bytes = bytes(32)
    """The hash of the leaf before, or zeros where there is none."""

    @cached_property
    def body(self) -> dict[str, Any]:
        return read(self.leaf)

    @property
    def kind(self) -> str:
        return str(self.body["k"])

    @property
    def personal(self) -> bool:
        """Whether it is about a person, or about nobody we know, and not about the log."""
        return not KINDS[self.kind].extra

    @property
    def leaf_hash(self) -> bytes:
        return leaf_hash(self.leaf)

    @property
    def detail(self) -> Mapping[str, Any]:
        return self.parts.get("y", {})

    @property
    def actor(self) -> Mapping[str, Any]:
        return self.parts.get("a", {})

    @property
    def client(self) -> str | None:
        client: str | None = self.parts.get("s", {}).get("client")
        return client

    @property
    def recipient(self) -> str | None:
        return _organisation(self.body.get("c"))

    @property
    def provider(self) -> str | None:
        """Who holds the data; where the leaf withholds it, only if part y is shown."""
        withheld = self.kind in WITHHOLD_PROVIDER
        return _organisation(self.detail.get("provider") if withheld else self.body.get("p"))

    @property
    def acting(self) -> str | None:
        """The organisation that did it."""
        by_recipient = self.kind.startswith(_BY_RECIPIENT)
        first, second = self.recipient, self.provider
        return (first or second) if by_recipient else (second or first)

    @property
    def time(self) -> str:
        """When, to the microsecond, in UTC."""
        at = _1970 + timedelta(microseconds=self.body["t"])
        return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def pseudonym_from(blind: Callable[[str, str], bytes]) -> Callable[[str, str], str]:
    """Pseudonyms made of the keyed blinds of the index, and which do not give these away."""

    def pseudonym(use: str, identifier: str) -> str:
        return sha256(b"overdracht-audit-view-v1\x00" + blind(use, identifier)).hexdigest()

    return pseudonym


def _organisation(text: str | None) -> str | None:
    return None if text in (None, UNDISCLOSED) else str(text).removeprefix("org:")
