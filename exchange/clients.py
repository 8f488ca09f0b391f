"""How an organisation finds its client again, and how a new client comes into being."""

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from audit.parts import Mac
from exchange import records
from exchange.considering import ClientRecord
from exchange.key_store import KeyStore
from exchange.transaction import Transaction
from policies.vocabulary import NOBODY, ClientId, Handle, OrganisationId

# Each letter or digit stands for eight bytes: as likely as any other.
_LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8
_WHOLE_IDENTITY = ("given_name", "family_name", "birth_date")


@dataclass(frozen=True, slots=True)
class Registration:
    """Who is to be registered.

    `commitments` are keyed hashes of what the organisation knows them by, the surest first.
    `id`, `wrapped_key` and `handle` are proposals, used only for somebody new.
    `number_sent`: a national number came along, which few may process.
    """

    id: ClientId
    wrapped_key: bytes
    handle: Handle
    record: ClientRecord
    commitments: tuple[bytes, ...]
    number_sent: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """By which handle the organisation knows the client from now on, and whether it is new."""

    client: ClientId
    handle: Handle
    created: bool


class Committer:
    """Makes commitments and proposals, outside every transaction. `key` is 32 bytes."""

    def __init__(self, key: bytes, keys: KeyStore) -> None:
        self._mac, self._keys = Mac(key), keys

    def registration(
        self,
        organisation: OrganisationId,
        *,
        identity: Mapping[str, str],
        insz: str | None = None,
        reference: str | None = None,
    ) -> Registration:
        """What registering this person needs; nothing of it can be read back from the hashes."""
        client, wrapped_key = self.proposed()
        return Registration(
            id=client,
            wrapped_key=wrapped_key,
            handle=new_handle(),
            record=ClientRecord(dict(identity), frozenset()),
            commitments=self.commitments(
                organisation, identity=identity, insz=insz, reference=reference
            ),
            number_sent=insz is not None,
        )

    def proposed(self) -> tuple[ClientId, bytes]:
        """An id for somebody new, and a key of their own, wrapped."""
        client = uuid4()
        return ClientId(str(client)), self._keys.propose(client.bytes)

    def commitments(
        self,
        organisation: OrganisationId,
        *,
        identity: Mapping[str, str],
        insz: str | None = None,
        reference: str | None = None,
    ) -> tuple[bytes, ...]:
        """By what the organisation finds this person again, the surest first.

        A name alone finds nobody: only given name, family name and birth date together do,
        and only for who came without a number and without a reference.
        """
        known_by = []
        if insz:
            known_by.append(("insz", insz))
        if reference:
            known_by.append(("reference", reference))
        whole = [identity.get(name, "") for name in _WHOLE_IDENTITY]
        if all(whole) and not known_by:
            known_by.append(("identity", "\0".join(map(_folded, whole))))
        return tuple(self._commitment(organisation, *each) for each in known_by)

    def _commitment(self, organisation: OrganisationId, kind: str, value: str) -> bytes:
        # Each organisation has hashes of its own: nobody can join the clients of two.
        bound = "\0".join(("commitment", kind, organisation, value))
        return self._mac.digest(bound.encode())


def new_handle() -> Handle:
    """26 letters by which one organisation knows one client; 130 bits of chance."""
    return Handle(os.urandom(26).translate(_LETTERS).decode())


def find_or_add(tx: Transaction, holder: OrganisationId, order: Registration) -> Registered:
    """The client whom a commitment names; else a new one. New commitments are remembered."""
    shard = {"shard": tx.shard}
    found = NOBODY
    new = []
    for value in order.commitments:
        committed = records.client_committed_to(tx.connection, **shard, value=value)
        found = found or committed
        if committed == NOBODY:
            new.append(value)
    if found != NOBODY:
        records.add_commitments(tx.connection, **shard, client=found, values=new)
        handle = records.handle_of(tx.connection, **shard, client=found, organisation=holder)
        return Registered(found, handle or Handle(""), created=False)
    tx.keys.keep(bytes.fromhex(order.id.replace("-", "")), order.wrapped_key)
    sealed = tx.vault.seal(order.id, order.record.to_bytes(), "client")
    records.add_client(
        tx.connection, **shard, client=order.id, holder=holder, sealed=sealed, at=tx.now
    )
    records.add_handle(
        tx.connection, **shard, client=order.id, organisation=holder, handle=order.handle
    )
    records.add_commitments(tx.connection, **shard, client=order.id, values=new)
    return Registered(order.id, order.handle, created=True)


def _folded(name: str) -> str:
    """The same name however it was typed: case, accents' encoding and spaces do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
