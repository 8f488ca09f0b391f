"""Erase a client: nothing personal can be read any more, and no proof of the log breaks.

The parts become tombstones, the rows go, the key is destroyed with it all, and the log says so.
"""

from dataclasses import dataclass

from audit import erasure, retention, search, subjects
from audit.events import Actor, ClientRefused, SubjectErased
from audit.search import Filter
from consent.belgian_time import time_of
from exchange import records
from exchange.considering import record_of
from exchange.forgetting import forget_client
from exchange.records import KnownClient
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import NOBODY, Handle, OrganisationId, Reason

OPERATOR = "app:operator"
"""Who erases: an operator at the command line, on the holder's word."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Whose client, on which legal basis and request; both are codes and stand for ever.

    `besides` are entries about the client that the index does not find.
    """

    holder: OrganisationId
    client: Handle
    basis: str
    request: str
    besides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """How many parts are gone. `recipients` read the summary: they must be told to erase too."""

    parts: int
    recipients: tuple[OrganisationId, ...]


def erase_client(tx: Transaction, order: Erasure) -> Outcome[Erased]:
    """Erase, unless the client is no client of this holder, or law keeps something for a time."""
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=order.holder, handle=order.client
    )
    if client.id == NOBODY or client.holder != order.holder:
        return _refuse(order, NOBODY, Reason.NOT_THE_HOLDER)
    until = _kept_until(tx, client)
    if until is not None:
        return _refuse(order, client.id, Reason.SUBJECT_RESTRICTED, until)
    key_id = bytes.fromhex(client.id.replace("-", ""))
    parts = erasure.shred(tx.connection, shard=tx.shard, key_id=key_id, besides=order.besides)
    recipients = forget_client(tx.connection, shard=tx.shard, client=client.id)
    told = tx.keys.destroy(tx.connection, key_id)
    event = SubjectErased(kf=told, n=parts, lb=order.basis, rq=order.request)
    return Outcome(Erased(parts, recipients), (event,))


def finish_erasures(tx: Transaction) -> Outcome[int]:
    """Destroy the keys whose end is committed, where they lie in a file of their own."""
    return Outcome(tx.keys.finish(tx.connection))


def _kept_until(tx: Transaction, client: KnownClient) -> str | None:
    """Until when law keeps what is recorded; an inquiry may have no end that we know."""
    if "under_inquiry" in record_of(tx, client).flags:
        return "the end of an inquiry"
    known = subjects.counted(tx.connection, shard=tx.shard, client=client.id)
    if known.delayed_until is not None and known.delayed(tx.now):
        return time_of(known.delayed_until).date().isoformat()
    wanted = Filter(subject=tx.keys.blind("sub", client.id))
    entries = search.kinds_and_times(tx.connection, shard=tx.shard, wanted=wanted)
    until = retention.kept_until(entries, now=tx.now)
    return None if until is None else time_of(until).date().isoformat()


def _refuse(order: Erasure, client: str, reason: Reason, *details: str) -> Outcome[Erased]:
    event = ClientRefused(
        application=OPERATOR,
        actor=Actor(system=OPERATOR),
        client=client,
        reason=reason,
        via="erasure",
    )
    return Outcome(Refused(reason, details=details), (event,))
