"""Whose signatures count (C2SP tlog-policy): logs, witnesses, groups and the quorum.

Standard library only: the broker, a witness and whoever verifies an export read the same file.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from audit.notes import Algorithm, Vkey, read_vkey

NONE: Final = "none"
_MAX_LINES = 10_000


class NotAPolicy(Exception):
    """The file can not be used; the text names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A log or a witness: its key, and where it is reached (empty: not over the network)."""

    key: Vkey
    url: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is trusted for what. Groups stand in the order in which they were defined."""

    logs: tuple[Named, ...]
    witnesses: Mapping[str, Named]
    groups: Mapping[str, tuple[int, tuple[str, ...]]]
    quorum: str

    def met_by(self, witnesses: Collection[str]) -> bool:
        """Whether these witnesses together make the quorum."""
        if self.quorum == NONE:
            return True
        met = set(self.witnesses) & set(witnesses)
        for name, (least, members) in self.groups.items():
            if sum(each in met for each in members) >= least:
                met.add(name)
        return self.quorum in met

    def named(self, key: Vkey) -> str | None:
        """The witness to whom a key belongs."""
        return next((name for name, each in self.witnesses.items() if each.key == key), None)


NO_WITNESSES: Final = Policy((), {}, {}, NONE)


@dataclass(slots=True)
class _Reading:
    """What was read so far. Names are given once, and each is a member at most once."""

    logs: list[Named] = field(default_factory=list)
    witnesses: dict[str, Named] = field(default_factory=dict)
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)
    quorum: str | None = None

    def take(self, words: list[str]) -> None:
        word, *rest = words
        take = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }.get(word)
        if take is None:
            raise NotAPolicy("neither log, witness, group nor quorum")
        take(rest)

    def _log(self, rest: list[str]) -> None:
        if not 1 <= len(rest) <= 2:  # noqa: PLR2004 - a key, and perhaps an address
            raise NotAPolicy("a log has a key and perhaps an address")
        self.logs.append(self._named(*rest))

    def _witness(self, rest: list[str]) -> None:
        if not 2 <= len(rest) <= 3:  # noqa: PLR2004 - a name, a key, and perhaps an address
            raise NotAPolicy("a witness has a name, a key and perhaps an address")
        name, *said = rest
        self._new(name)
        witness = self._named(*said)
        if witness.key.algorithm is Algorithm.ED25519:
            raise NotAPolicy("this key signs without a time, so it is no witness's")
        self.witnesses[name] = witness

    def _group(self, rest: list[str]) -> None:
        if len(rest) < 3:  # noqa: PLR2004 - a name, a number, a member
            raise NotAPolicy("a group has a name, a number and members")
        name, least, *members = rest
        self._new(name)
        for each in members:
            if each not in self.witnesses and each not in self.groups:
                raise NotAPolicy("a member that was not defined before")
            if each in self.members:
                raise NotAPolicy("a member that has a group already")
            self.members.add(each)
        self.groups[name] = (_least(least, len(members)), tuple(members))

    def _quorum(self, rest: list[str]) -> None:
        if self.quorum is not None or len(rest) != 1:
            raise NotAPolicy("there is one quorum, and it is one name")
        (name,) = rest
        if name != NONE and name not in self.witnesses and name not in self.groups:
            raise NotAPolicy("a quorum that was not defined before")
        self.quorum = name

    def _new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise NotAPolicy("a name that is taken")

    def _named(self, text: str, url: str = "") -> Named:
        key = read_vkey(text)
        if key is None:
            raise NotAPolicy("not a verifier key, or its id is not that of the key")
        if key.public in self.keys:
            raise NotAPolicy("a key that stands here already")
        if url and not re.fullmatch(r"https?://[^\s?#]+", url):
            raise NotAPolicy("not an address")
        self.keys.add(key.public)
        return Named(key, url)


def read_policy(text: str) -> Policy:
    """The policy in a file's text. Raises nothing but `NotAPolicy`."""
    lines = text.split("\n")
    if len(lines) > _MAX_LINES:
        raise NotAPolicy("too many lines")
    reading = _Reading()
    for number, line in enumerate(lines, 1):
        plain = line.strip(" \t")
        if not plain or plain.startswith("#"):
            continue
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", plain):
            raise NotAPolicy(f"line {number}: a control character")
        try:
            reading.take(re.split(r"[ \t]+", plain))
        except NotAPolicy as error:
            raise NotAPolicy(f"line {number}: {error}") from None
    if reading.quorum is None:
        raise NotAPolicy("there is no quorum line")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)


def _least(said: str, members: int) -> int:
    if said in ("any", "all"):
        return 1 if said == "any" else members
    if not re.fullmatch(r"[1-9][0-9]{0,3}", said) or int(said) > members:
        raise NotAPolicy("a group needs any, all, or a number up to its members")
    return int(said)
