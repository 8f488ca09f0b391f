"""The keys of clients and actors in use: unwrapped in memory, wrapped on their shelf."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from audit.parts import Mac, blind, fingerprint, wrapped_under
from audit.prepared import Answer, Asked
from consent.codes import Codes
from exchange.database import Database
from exchange.key_shelves import FileShelf, SchemaShelf, Shelf
from exchange.security.keys import KEY_BYTES, KeyDestroyed, KeyRing, KeysBehind, Use
from exchange.security.signing_keys import signer_of
from policies.vocabulary import NOBODY

CACHED = 10_000
"""Unwrapped keys held in memory at most; erasing one drops it at once."""


def _key_id(client: str) -> bytes:
    return bytes.fromhex(client.replace("-", ""))


_ALL = 2**31


class Rewrapped(NamedTuple):
    """How many of some keys were wrapped anew, and the last of them; none when that was all."""

    wrapped: int
    last: bytes | None


class KeyStore:
    """The keys in use. `audit.log` seals with them through the same object (its `Keys`).

    `reread` gives the ring as it stands in its file, for keys that another process wrapped
    under an epoch that began since.
    """

    def __init__(
        self, ring: KeyRing, shelf: Shelf, reread: Callable[[], KeyRing] | None = None
    ) -> None:
        self._ring, self._shelf, self._reread = ring, shelf, reread
        self._offered = ring
        self._ending: set[bytes] = set()
        self._forgetting: Callable[[bytes], None] = lambda _: None
        self._cached: dict[bytes, bytes] = {}
        self._proposed: dict[bytes, bytes] = {}
        self._new: dict[bytes, bytes] = {}
        self.stopping = Codes(ring.derived(Use.WITHDRAWAL_CODES), "withdrawal")
        """Hashes the codes with which clients stop sharing."""
        self.nobody = ring.derived(Use.AUDIT_NOBODY)
        self.summaries = signer_of(ring.derived(Use.SUMMARIES))
        self._blinding, self._naming = (
            Mac(ring.derived(Use.AUDIT_INDEX)),
            Mac(ring.derived(Use.ACTOR_ID)),
        )

    def key(self, key_id: bytes) -> bytes:
        """The 32 bytes of a client or actor. Raises `KeyDestroyed` when there are none."""
        found = self._cached.get(key_id) or self._proposed.get(key_id)
        if found is None:
            wrapped = self._new.get(key_id) or self._shelf.get(key_id)
            if wrapped is None:
                raise KeyDestroyed
            found = self._remember(key_id, self._unwrapped(key_id, wrapped))
        return found

    def asking(self, client: str) -> list[Asked]:
        """What to ask beside other things of a client, so that the key needs no look of its own.

        Nothing where keys lie in a file. The answer goes to `heard`.
        """
        return self._shelf.asking(_key_id(client))

    def heard(self, client: str, answers: Sequence[Answer]) -> None:
        """The answer: a key that need not be looked up, or one that somebody has destroyed."""
        key_id = _key_id(client)
        for answer in answers:
            if key_id in self._cached and not answer.rows:
                self._forget(key_id)
            elif answer.rows and key_id not in self._cached:
                self._remember(key_id, self._unwrapped(key_id, answer.rows[0][0]))

    def _unwrapped(self, key_id: bytes, wrapped: bytes) -> bytes:
        try:
            return self._ring.unwrap(key_id, wrapped)
        except KeyDestroyed:
            if self._reread is None:
                raise
            self._ring = self._reread()
            return self._ring.unwrap(key_id, wrapped)

    def by_id(self, key_id: bytes) -> bytes | None:
        """As `key`, with nothing for one that was destroyed."""
        try:
            return self.key(key_id)
        except KeyDestroyed:
            return None

    def propose(self, key_id: bytes) -> bytes:
        """A new key, wrapped: nothing stands on a shelf until a command keeps it."""
        key = os.urandom(KEY_BYTES)
        if len(self._proposed) >= CACHED:
            self._proposed.pop(next(iter(self._proposed)), None)
        self._proposed[key_id] = key
        return self._ring.wrap(key_id, key)

    def keep(self, key_id: bytes, wrapped: bytes) -> None:
        """Have the proposed key stored with this batch (writer's thread only)."""
        self._new[key_id] = wrapped

    @property
    def wrapping(self) -> tuple[int, str]:
        """Epoch and fingerprint of the key that wraps here what is new."""
        return self._ring.wrapping

    def offer(self, ring: KeyRing) -> None:
        """A ring that is about to be named to all hosts: taken as soon as it has been.

        So a ring that lies in a safe need not be asked for while a batch waits.
        """
        self._offered = ring

    def catch_up(self, epoch: int, kek: str) -> None:
        """Have the key that wraps for all hosts, by its epoch and fingerprint.

        Reads the ring's file again when this host is behind. Raises `KeysBehind`: what this host
        would wrap could be lost, and what others wrapped would look destroyed.
        """
        if not self._wraps(epoch, kek) and self._offered.wrapping == (epoch, kek):
            self._ring = self._offered
        if not self._wraps(epoch, kek) and self._reread is not None:
            self._ring = self._reread()
        if not self._wraps(epoch, kek):
            raise KeysBehind(
                "keys.json is not that of the host that rotated it; copy it from there"
            )

    def _wraps(self, epoch: int, kek: str) -> bool:
        # A ring that is ahead was made here, and its rotation is still to be gone on with.
        return self._ring.epoch > epoch or self._ring.wrapping == (epoch, kek)

    def flush(self, connection: Connection) -> None:
        """Make the batch's new keys durable; to be called before its COMMIT, never after.

        One that was proposed before a rotation is wrapped anew: whoever rotates has looked for
        keys of older epochs already, and may destroy what opens them.
        """
        for key_id, wrapped in self._new.items():
            if wrapped_under(wrapped) != self._ring.epoch:
                self._new[key_id] = self._ring.wrap(key_id, self.key(key_id))
        if self._new:
            self._shelf.put(connection, self._new)

    def destroy(self, connection: Connection, key_id: bytes) -> str:
        """End a key with this batch (writer's thread only); gives its fingerprint.

        Raises `KeyDestroyed` when there is none. On SQLite `finish` must follow the commit.
        """
        told = fingerprint(self.key(key_id))
        self._shelf.drop(connection, [key_id])
        self._ending.add(key_id)
        return told

    def finish(self, connection: Connection) -> int:
        """Destroy the keys whose end is committed; how many there were."""
        # Who opened what was released before the end may have looked the key up again.
        gone = self._shelf.finish(connection)
        for key_id in gone:
            self._forget(key_id)
        return len(gone)

    def on_forgetting(self, forget: Callable[[bytes], None]) -> None:
        """Who else holds something made from a key, and must let go of it when the key ends."""
        self._forgetting = forget

    def forget_destroyed(self) -> None:
        """Let go of keys that another process destroyed."""
        held = list(self._cached)
        for key_id in set(held) - self._shelf.standing(held):
            self._forget(key_id)

    def living(self, connection: Connection) -> dict[bytes, bytes]:
        """All keys that were not destroyed, by their ids, in one read; none is kept in memory."""
        return {
            key_id: self._unwrapped(key_id, wrapped)
            for key_id, wrapped in self._shelf.after(connection, b"", _ALL)
        }

    def rewrap(
        self, connection: Connection, ring: KeyRing, *, limit: int, after: bytes
    ) -> Rewrapped:
        """Have the next `limit` keys wrapped under the ring's epoch, and all that are new."""
        self._ring = ring
        looked_at = self._shelf.after(connection, after, limit)
        rows = {
            key_id: (was, ring.wrap(key_id, ring.unwrap(key_id, was)))
            for key_id, was in looked_at
            if wrapped_under(was) != ring.epoch
        }
        if rows:
            self._shelf.replace(connection, rows)
        return Rewrapped(len(rows), looked_at[-1][0] if looked_at else None)

    def _forget(self, key_id: bytes) -> None:
        self._cached.pop(key_id, None)
        self._forgetting(key_id)

    def settle(self, *, stored: bool) -> None:
        """The batch has ended. Keys that were not stored are forgotten: none may be used again."""
        for key_id in self._new:
            key = self._proposed.pop(key_id, None)
            if stored and key is not None:
                self._remember(key_id, key)
            elif not stored:
                self._forget(key_id)
        for key_id in self._ending if stored else ():
            self._forget(key_id)
        self._new.clear()
        self._ending.clear()

    def close(self) -> None:
        self._shelf.close()

    def of_client(self, client: str) -> bytes:
        return self.key(_key_id(client))

    def at_hand(self, client: str) -> str:
        """The client, for an entry about them; nobody where their key is not there.

        An entry under a key that is not there would undo the whole batch, and others' commands.
        """
        return NOBODY if self.by_id(_key_id(client)) is None else client

    def of_actor(self, actor: str) -> tuple[bytes, bytes]:
        """Key id and key of a natural person who acts; made on first use."""
        key_id = self._naming.digest(actor.encode())[:16]
        try:
            return key_id, self.key(key_id)
        except KeyDestroyed:
            self.keep(key_id, self.propose(key_id))
            return key_id, self.key(key_id)

    def blind(self, use: str, identifier: str) -> bytes:
        """16 bytes that find a person in the index, and nobody without the ring's key."""
        return blind(self._blinding, use, identifier)

    def _remember(self, key_id: bytes, key: bytes) -> bytes:
        if len(self._cached) >= CACHED:
            self._cached.pop(next(iter(self._cached)), None)
        self._cached[key_id] = key
        return key


def open_key_store(
    database: Database,
    ring: KeyRing,
    *,
    shard: int,
    reread: Callable[[], KeyRing] | None = None,
) -> KeyStore:
    kind = FileShelf if database.is_sqlite else SchemaShelf
    return KeyStore(ring, kind(database, shard=shard), reread)
