"""From the events of a batch to the rows of the log: ids, counters, seals, leaves."""

import os
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple, Protocol

from audit.leaf import check_policy, check_request, log_leaf, person_leaf
from audit.parts import NOBODY, Mac, seal
from audit.recording import Actor, AuditEvent, LogEvent, PersonEvent
from audit.records import LIVE
from audit.subjects import KEPT_BACK, Known

_ABOUT_NOBODY = b'{"sn":0}'
_RANDOM_BYTES = 10


class Keys(Protocol):
    """The keys that parts are sealed under, unwrapped, and the blinds of the index."""

    @property
    def nobody(self) -> bytes:
        """The log's own key, for what is about nobody."""

    def of_client(self, client: str) -> bytes:
        """The 32-byte key of a client, whose key id is the UUID itself."""

    def of_actor(self, actor: str) -> tuple[bytes, bytes]:
        """Key id (16 bytes) and key of a person who acts; made on first use."""

    def blind(self, use: str, identifier: str) -> bytes:
        """The 16 bytes that stand for an identifier in the index; `use` is sub, act or con."""


class Recorded(NamedTuple):
    """An event, and the request (UUID version 4) that it shares with its siblings.

    An event about the log may have no request: then the text is empty.
    """

    event: AuditEvent
    request: str


class Subject:
    """A client in this batch: the key, and how many entries there are so far."""

    __slots__ = ("blind", "key_id", "mac", "n", "said")

    def __init__(self, client: str, keys: Keys, key_id: bytes, known: Known | None):
        self.key_id, self.mac = key_id, Mac(keys.of_client(client))
        self.n, self.blind, _ = known or (0, keys.blind("sub", client), None)
        self.said = f'{{"client":{encode_basestring(client)},"sn":'

    def next_text(self) -> bytes:
        """The part s of this client's next entry."""
        self.n += 1
        return f"{self.said}{self.n}}}".encode()


class DelayedSubject(Subject):
    """A client whose entries law keeps from them now: they count in the second series."""

    __slots__ = ("n_delayed",)

    def __init__(self, client: str, keys: Keys, key_id: bytes, known: Known, n_delayed: int):
        super().__init__(client, keys, key_id, known)
        self.n_delayed = n_delayed
        self.said = f'{{"client":{encode_basestring(client)},"ser":"{KEPT_BACK}","sn":'

    def next_text(self) -> bytes:
        """The part s of this client's next entry."""
        self.n_delayed += 1
        return f"{self.said}{self.n_delayed}}}".encode()


class Rows(NamedTuple):
    """What a batch adds to the tables, as `records.add_batch` takes it."""

    entries: list[tuple[Any, ...]]
    parts: list[tuple[Any, ...]]
    found_by: list[tuple[Any, ...]]


def clients_in(events: Sequence[Recorded]) -> dict[str, bytes]:
    """The clients these events are about, each with its key id."""
    found = {each.event.client for each in events if isinstance(each.event, PersonEvent)}
    return {client: bytes_of(client) for client in found if client}


def about_nobody(events: Sequence[Recorded]) -> bool:
    """Whether some event is about a person whom we do not know."""
    return any(isinstance(each.event, PersonEvent) and not each.event.client for each in events)


class Sealer:
    """Seals the events of one batch, one after the other, at one time under one policy.

    Keeps nothing of a key beyond the batch.
    """

    def __init__(
        self, *, shard: int, t: int, policy: str, keys: Keys, subjects: Mapping[str, Subject]
    ) -> None:
        check_policy(policy)
        self._shard, self._t, self._policy = shard, t, policy
        self._keys, self._subjects = keys, subjects
        self._nobody = Mac(keys.nobody)
        self._actors: dict[Actor, tuple[bytes, Mac, bytes, bytes | None]] = {}
        self.rows = Rows([], [], [])

    def add(self, recorded: Recorded, idx: int, event_id: bytes) -> bytes:
        """The leaf of an event at its place; its rows are kept."""
        event, request = recorded
        if request or isinstance(event, PersonEvent):
            check_request(request)
        if isinstance(event, PersonEvent):
            leaf = self._person(event, request, idx, event_id)
        elif isinstance(event, LogEvent):
            leaf = self._log(event, request, idx, event_id)
        else:
            raise TypeError("An event is about a person or about the log")
        self.rows.entries.append((self._shard, idx, leaf))
        return leaf

    def _person(self, event: PersonEvent, request: str, idx: int, event_id: bytes) -> bytes:
        stated, shard = event.stated, self._shard
        key_id, mac, said, subject_blind = self._subject(event.client)
        actor_id, actor_mac, actor, actor_blind = self._actor(event.actor)
        a, a_sealed = seal(actor_mac, b"a", event_id, actor)
        s, s_sealed = seal(mac, b"s", event_id, said)
        y, y_sealed = seal(mac, b"y", event_id, event.detail)
        parts = self.rows.parts
        parts += (
            (shard, idx, "a", actor_id, a_sealed, LIVE),
            (shard, idx, "s", key_id, s_sealed, LIVE),
            (shard, idx, "y", key_id, y_sealed, LIVE),
        )
        public = (event.provider_of_record, stated.consumer, stated.purpose, stated.application)
        consent = event.consent_of_record
        # The columns of `records.IndexRow`, in their order.
        row = (
            *(shard, idx, self._t, event.kind, stated.outcome, *public),
            bytes_of(request),
            *(subject_blind, actor_blind),
            self._keys.blind("con", consent) if consent else None,
            event_id,
        )
        self.rows.found_by.append(row)
        return person_leaf(
            stated,
            event_id=text_of(event_id),
            policy=self._policy,
            request=request,
            t=self._t,
            commitments=a + b"\x00" + s + b"\x00" + y + b"\x00",
        )

    def _log(self, event: LogEvent, request: str, idx: int, event_id: bytes) -> bytes:
        commitment, blind = None, None
        if event.actor is not None:
            key_id, mac, text, blind = self._actor(event.actor)
            commitment, sealed = seal(mac, b"a", event_id, text)
            self.rows.parts.append((self._shard, idx, "a", key_id, sealed, LIVE))
        asked = bytes_of(request) or None
        row = (self._shard, idx, self._t, event.kind, event.outcome, *_NOBODYS, asked)
        self.rows.found_by.append((*row, None, blind, None, event_id))
        return log_leaf(
            event.kind,
            event.extra(),
            event_id=text_of(event_id),
            t=self._t,
            request=request,
            actor=commitment,
        )

    def _subject(self, client: str) -> tuple[bytes, Mac, bytes, bytes | None]:
        """Key id, key, text and blind of whom it is about, who has one entry more by it."""
        if not client:
            return NOBODY, self._nobody, _ABOUT_NOBODY, None
        subject = self._subjects[client]
        return subject.key_id, subject.mac, subject.next_text(), subject.blind

    def _actor(self, actor: Actor) -> tuple[bytes, Mac, bytes, bytes | None]:
        """Key id, key, text and blind of who did it; a system is nobody."""
        found = self._actors.get(actor)
        if found is None:
            if actor.user is None:
                found = NOBODY, self._nobody, actor.plaintext(), None
            else:
                key_id, key = self._keys.of_actor(actor.user)
                found = key_id, Mac(key), actor.plaintext(), self._keys.blind("act", actor.user)
            self._actors[actor] = found
        return found


_NOBODYS = (None, None, None, None)
"""Provider, consumer, purpose and application of what is about the log."""


def fresh_event_ids(milliseconds: int, count: int) -> list[bytes]:
    """As many UUIDs of version 7 at this time, never given before.

    A part's key follows from its event id, and its nonce is constant: an id used again would
    give two parts away.
    """
    time, random = milliseconds.to_bytes(6, "big"), os.urandom(_RANDOM_BYTES * count)
    return [
        time
        + bytes((random[at] & 0x0F | 0x70, random[at + 1], random[at + 2] & 0x3F | 0x80))
        + random[at + 3 : at + _RANDOM_BYTES]
        for at in range(0, _RANDOM_BYTES * count, _RANDOM_BYTES)
    ]


def fresh_request_id() -> str:
    """A UUID of version 4 as text: what the standard library gives, in a third of the time."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return text_of(raw)


def bytes_of(uuid: str) -> bytes:
    """The 16 bytes of a UUID's text; none of no text."""
    return bytes.fromhex(uuid.replace("-", ""))


def text_of(uuid: bytes | bytearray) -> str:
    """The 16 bytes of a UUID as text."""
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
