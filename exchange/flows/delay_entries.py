"""Keep a client's entries from the client for a time, where law asks for it, and end that.

During an inquiry, say. Two operators say it, one after the other; there is always an end, and
each step is an entry of the log, which names the order and no client. What is kept back counts
in a series of its own (audit-log.md, section 4.3): so the client's record is complete as shown,
and complete once more, with what was kept back, when the time is over.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from audit import subjects
from audit.events import Actor, AdminChanged
from consent.belgian_time import day_of, instant
from exchange import records
from exchange.dual_control import first_to_say, forget_word, keep_word
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, Handle, OrganisationId, Reason

LONGEST = timedelta(days=366)
"""No delay is ordered for longer at a time; it can be ordered again."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Whose client, until when (µs since 1970; nothing: end it now), on which order, by whom.

    `reference` and `operator` are codes and stand for ever.
    """

    holder: OrganisationId
    client: Handle
    until: int | None
    reference: str
    operator: str


@dataclass(frozen=True, slots=True)
class Delayed:
    """Whether it is done; if not, it waits for another operator."""

    done: bool


def delay_entries(tx: Transaction, order: Delay) -> Outcome[Delayed]:
    """Begin or prolong a delay, or end it, when this is the second operator who says so."""
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=order.holder, handle=order.client
    )
    if client.id == NOBODY or client.holder != order.holder:
        return _refuse(order, Reason.NOT_THE_HOLDER, "client")
    key_id = bytes.fromhex(client.id.replace("-", ""))
    lacking = _lacking(tx, order, client.id)
    if lacking:
        return _refuse(order, Reason.CONTENT_REFUSED, lacking)
    what = sha256(f"delay|{client.id}|{order.until}|{order.reference}".encode()).digest()
    word: dict[str, Any] = {"shard": tx.shard, "what": what, "now": tx.now}
    first = first_to_say(tx.connection, **word)
    if first == order.operator:
        return _refuse(order, Reason.CONTENT_REFUSED, "operator")
    if first is None:
        keep_word(tx.connection, **word, operator=order.operator)
        return Outcome(Delayed(done=False), (_changed(order, "asked"),))
    forget_word(tx.connection, **word)
    whose: dict[str, Any] = {"shard": tx.shard, "key_id": key_id, "at": tx.now}
    if order.until is None:
        subjects.end_delay(tx.connection, **whose)
    else:
        subjects.delay(tx.connection, **whose, until=order.until)
    return Outcome(Delayed(done=True), (_changed(order, "done"),))


def _lacking(tx: Transaction, order: Delay, client: ClientId) -> str | None:
    """What is wrong with the order, if anything is."""
    if order.until is not None:
        fits = tx.now < order.until <= instant(tx.at + LONGEST)
        return None if fits else "until"
    known = subjects.counted(tx.connection, shard=tx.shard, client=client)
    return None if known.delayed(tx.now) else "nothing"


def _changed(order: Delay, step: str) -> AdminChanged:
    """Public for ever: the order and its end, and which step of it; sealed, which operator."""
    until = "" if order.until is None else f"/{day_of(order.until).isoformat()}"
    return AdminChanged(
        what="delay.end" if order.until is None else "delay",
        act=step,
        id=f"{order.reference}{until}",
        actor=Actor(user=order.operator, capacity="operator"),
    )


def _refuse(order: Delay, reason: Reason, detail: str) -> Outcome[Delayed]:
    # Nothing about the client: whatever stood in their record would tell them.
    return Outcome(Refused(reason, details=(detail,)), (_changed(order, "refused"),))
