"""Put entries that were lost back into the tables, byte for byte, from a copy of their leaves.

What is sealed beside a leaf is in no copy. But what a leaf commits to can be recognised by one who
has the keys: whose entry it is, and which number it has, is guessed and compared. So clients'
numbers go on without a gap, and the part s is sealed again to the very bytes that it had.
"""

from base64 import urlsafe_b64decode
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection

from audit import log, records
from audit.leaf import NotALeaf, read
from audit.log import Head
from audit.mirror import MirrorRefused
from audit.opening import PartKeys
from audit.parts import NOBODY, Mac, commitment_of, salt_of, seal
from audit.recording import Actor
from audit.records import LIVE, LOST, SHREDDED
from audit.sealing import bytes_of, text_of
from audit.subjects import KEPT_BACK
from audit.tree import fold, leaf_hash, root_of

_ABOUT_NOBODY = b'{"sn":0}'
_NOT_REPEATABLE = ("parts.expired", "log.pruned", "log.closed")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the lost entries are, once they are known to be the ones that were signed."""

    kinds: Counter[str]
    erased: list[int]
    """How many parts each erasure among them has taken."""
    log_keys: list[tuple[int, Mapping[str, Any]]]
    """Where a key of the log was changed or ended, and what was said."""
    last_t: int


def survey(after: Head, leaves: Iterable[bytes], roots: Mapping[int, bytes]) -> Surveyed:
    """Read and hash all of the leaves; `roots` are those the log must have at which sizes.

    Raises `MirrorRefused`, also for what can not be repeated. Nothing is written.
    """
    found = Surveyed(Counter(), [], [], 0)
    compact, size, last_t = after.compact, after.size, after.last_t
    for leaf in leaves:
        try:
            body = read(leaf)
        except NotALeaf as error:
            raise MirrorRefused(f"entry {size} is no leaf: {error}") from None
        if body["t"] < last_t or body["k"] in _NOT_REPEATABLE:
            raise MirrorRefused(f"entry {size} ({body['k']}) can not be put back")
        compact, _ = fold(compact, size, [leaf_hash(leaf)])
        size, last_t = size + 1, body["t"]
        if size in roots and root_of(compact) != roots[size]:
            raise MirrorRefused(f"the first {size} entries are not those that were signed")
        found.kinds[body["k"]] += 1
        if body["k"] == "subject.erased":
            found.erased.append(body["e"]["n"])
        elif body["k"] == "key.rotated" or body.get("e", {}).get("what") == "log.key":
            found.log_keys.append((size - 1, body["e"]))
    if size < max(roots):
        raise MirrorRefused(f"it has {size} of {max(roots)} entries")
    return Surveyed(found.kinds, found.erased, found.log_keys, last_t)


@dataclass
class Regained:
    """How many entries stand again, and of their parts by label what could be made again."""

    head: Head
    entries: int = 0
    sealed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)


class _Person:
    __slots__ = ("_said", "mac", "numbers")

    def __init__(self, key_id: bytes, key: bytes, numbers: tuple[int, int]) -> None:
        self.mac, self.numbers = Mac(key), list(numbers)
        client = f'{{"client":"{text_of(key_id)}"'
        self._said = f'{client},"sn":', f'{client},"ser":"{KEPT_BACK}","sn":'

    def next_text(self, series: int) -> bytes:
        """The part s that this person's next entry of the series has."""
        return f"{self._said[series]}{self.numbers[series] + 1}}}".encode()


class _Owner(NamedTuple):
    """Whose entry it is, and the text of its part s."""

    key_id: bytes
    mac: Mac
    text: bytes


class People:
    """Everybody whose key lives, and the number of their last entry.

    Finds whose an entry is by trying each key with its next number: three hashes a try. Who was
    met last is tried first; what was kept from a client for a time, when nothing else fits.
    """

    def __init__(
        self,
        keys: PartKeys,
        living: Mapping[bytes, bytes],
        counts: Mapping[bytes, tuple[int, int]],
    ) -> None:
        """`living` are the keys by their ids, read before: a look for each would take too long."""
        self.keys, self.nobody = keys, Mac(keys.nobody)
        self._people: OrderedDict[bytes, _Person] = OrderedDict()
        for key_id, key in living.items():
            self._people[key_id] = _Person(key_id, key, counts.get(key_id, (0, 0)))

    def owner(self, event_id: bytes, committed: bytes) -> _Owner | None:
        """Whose entry it is; nothing when no living key fits. That person has one entry more."""
        if _fits(self.nobody, b"s", event_id, _ABOUT_NOBODY, committed):
            return _Owner(NOBODY, self.nobody, _ABOUT_NOBODY)
        for series in range(2):
            for key_id in reversed(self._people):
                person = self._people[key_id]
                text = person.next_text(series)
                if _fits(person.mac, b"s", event_id, text, committed):
                    person.numbers[series] += 1
                    self._people.move_to_end(key_id)
                    return _Owner(key_id, person.mac, text)
        return None

    def number(self, key_id: bytes) -> int:
        """How many entries this person has by now that were never kept back."""
        return self.numbers(key_id)[0]

    def numbers(self, key_id: bytes) -> tuple[int, int]:
        """How many entries this person has by now, in both series."""
        if key_id == NOBODY:
            return 0, 0
        n, n_delayed = self._people[key_id].numbers
        return n, n_delayed


def regain(
    connection: Connection, leaves: Iterable[bytes], *, after: Head, people: People, erased: int
) -> Regained:
    """Append the leaves as they are, in the caller's transaction.

    They must have been surveyed. `erased` parts of those that can not be made again were shredded
    by erasures among these entries; the others are lost.
    """
    result, again = Regained(after), _Again(people, after.shard, erased)
    source = iter(leaves)
    while chunk := list(islice(source, records.CHUNK)):
        now = result.head
        for index, leaf in enumerate(chunk, now.size):
            again.take(index, leaf, result)
        hashes = [leaf_hash(leaf) for leaf in chunk]
        compact, completed = fold(now.compact, now.size, hashes)
        log.add_tiles(connection, now, hashes, completed)
        result.head = Head(now.shard, now.epoch, now.size + len(chunk), compact, again.last_t)
        moved = records.add_batch(
            connection,
            again.batch(),
            at=(now.shard, now.size, now.epoch),
            to=(result.head.size, b"".join(compact), again.last_t),
        )
        if not moved:
            raise log.LogMoved
        result.entries += len(chunk)
    return result


class _Again:
    """The rows beside leaves, made again as far as keys and guesses reach."""

    def __init__(self, people: People, shard: int, erased: int) -> None:
        self._people, self._shard, self._erased = people, shard, erased
        self._rows: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        self._met: dict[bytes, bytes] = {}
        self.last_t = 0

    def take(self, index: int, leaf: bytes, result: Regained) -> None:
        body = read(leaf)
        entries, parts, found_by = self._rows
        event_id, self.last_t = bytes_of(body["id"]), body["t"]
        committed = {label: urlsafe_b64decode(said + "=") for label, said in _x(body)}
        owner = self._people.owner(event_id, committed["s"]) if "s" in committed else None
        texts = {"s": owner, "a": self._actor(body, event_id, committed)}
        for label in sorted(committed):
            known = texts.get(label)
            if known is None:
                state = self._gone(label, owner)
                result.lost[label] += state == LOST
                parts.append((self._shard, index, label, None, None, state))
            else:
                result.sealed[label] += 1
                _, ct = seal(known.mac, label.encode(), event_id, known.text)
                parts.append((self._shard, index, label, known.key_id, ct, LIVE))
        blind = None if owner is None else self._blind(owner.key_id)
        public = tuple(body.get(name) for name in ("p", "c", "u", "ap"))
        row = (self._shard, index, body["t"], body["k"], body["o"], *public)
        found_by.append((*row, bytes_of(body.get("q", "")) or None, blind, None, None, event_id))
        entries.append((self._shard, index, leaf))

    def batch(self) -> records.Batch:
        """The rows so far, which are then forgotten."""
        counters, delayed = [], []
        for key_id, blind in self._met.items():
            n, n_delayed = self._people.numbers(key_id)
            counters.append((self._shard, key_id, blind, n, 0))
            if n_delayed:
                delayed.append((n_delayed, self._shard, key_id))
        made = records.Batch(*self._rows, counters, delayed)
        self._rows, self._met = ([], [], []), {}
        return made

    def _blind(self, key_id: bytes) -> bytes | None:
        """The blind in the index; the counter of whom it is about is written with the batch."""
        client = "" if key_id == NOBODY else text_of(key_id)
        blind = self._met.setdefault(key_id, self._people.keys.blind("sub", client))
        return blind if client else None

    def _actor(
        self, body: Mapping[str, Any], event_id: bytes, committed: Mapping[str, bytes]
    ) -> _Owner | None:
        """A system that acted by itself is nobody, and named in the leaf."""
        if "a" not in committed or "ap" not in body:
            return None
        nobody, text = self._people.nobody, Actor(system=body["ap"]).plaintext()
        fits = _fits(nobody, b"a", event_id, text, committed["a"])
        return _Owner(NOBODY, nobody, text) if fits else None

    def _gone(self, label: str, owner: _Owner | None) -> int:
        """An entry of nobody who lives was perhaps one of those that were erased since."""
        if owner is None and label != "a" and self._erased > 0:
            self._erased -= 1
            return SHREDDED
        return LOST


def _x(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from body.get("x", {}).items()


def _fits(mac: Mac, label: bytes, event_id: bytes, text: bytes, committed: bytes) -> bool:
    return commitment_of(label, event_id, salt_of(mac, label, event_id), text) == committed
