"""Record a basis: the holder says on what else than consent a release to somebody may rest."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from audit.events import Actor, ClientRefused
from exchange import records
from exchange.bases import Basis, BasisState, fault_of, objected
from exchange.basis_keeping import keep
from exchange.considering import ClientRecord, record_of, stopped
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.bases import BasisKind, Claim, Condition
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, Handle, OrganisationId, Reason

MOST = 20
"""Bases that one client may have, ended ones among them; one more is refused."""


@dataclass(frozen=True, slots=True)
class NewBasis:
    """What the release to one recipient is to rest on, between which Belgian days.

    `checked_by`: the function, as a code, of who checked the conditions of shared secrecy.
    """

    client: Handle
    claim: Claim
    starts: str | None
    until: str | None
    checked_by: str | None


@by_application
def record_basis(tx: Transaction, caller: Caller, order: NewBasis) -> Outcome[Basis]:
    """Keep the basis in the client's sealed record, unless law, agreement or client are against it.

    To anybody but the holder there is no such client.
    """
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=order.client
    )
    if client.id == NOBODY or client.holder != holder:
        return _refuse(caller, NOBODY, Refused(Reason.NOT_THE_HOLDER))
    record = record_of(tx, client)
    fault = next(_faults(tx, client, record, order), None)
    if fault is not None:
        told = Reason.CONTENT_REFUSED
        return _refuse(caller, client.id, Refused(told, told=told, details=(": ".join(fault),)))
    basis = Basis(
        id=tx.new_id(),
        claim=order.claim,
        starts=order.starts,
        until=order.until,
        checked_by=order.checked_by,
        recorded_at=tx.now,
        state=BasisState.STANDING,
        why="recorded",
        changed_at=tx.now,
    )
    return Outcome(basis, (keep(tx, caller.application, client, record, basis),))


def _faults(
    tx: Transaction, client: KnownClient, record: ClientRecord, order: NewBasis
) -> Iterator[tuple[str, str]]:
    claim = order.claim
    if fault := fault_of(claim, tx.directory, client.holder, tx.day):
        yield fault
    if claim.kind is BasisKind.MANDATE and not re.fullmatch(r"[0-9a-f]{64}", claim.reference):
        yield "reference", "not_a_hash"
    yield from _days(order, tx.day.isoformat())
    yield from _secrecy(tx, client.holder, order)
    if stopped(tx, client, claim.recipient, claim.purpose):
        yield "client", "said_no"
    same = [each for each in record.bases if _for_the_same(each.claim, claim)]
    if any(objected(each) for each in same):
        yield "client", "objects"
    if len(record.bases) >= MOST:
        yield "client", "too_many"


def _for_the_same(one: Claim, other: Claim) -> bool:
    return (one.recipient, one.purpose) == (other.recipient, other.purpose)


def _days(order: NewBasis, today: str) -> Iterator[tuple[str, str]]:
    """An authorisation and a mandate have an end of their own, the first a beginning too."""
    kind = order.claim.kind
    for place, said in (("from", order.starts), ("until", order.until)):
        if said is not None and not _is_a_day(said):
            yield place, "no_such_day"
    if order.until is None and kind is not BasisKind.AGREEMENT_ARTICLE:
        yield "until", "missing"
    if order.starts is None and kind is BasisKind.AUTHORISATION:
        yield "from", "missing"
    if order.until is not None and order.until < max(today, order.starts or today):
        yield "until", "over"


def _is_a_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _secrecy(tx: Transaction, holder: OrganisationId, order: NewBasis) -> Iterator[tuple[str, str]]:
    """Only the client frees a holder towards who has none; among holders five things hold."""
    of_holder = tx.directory.recipient(holder, tx.day)
    of_recipient = tx.directory.recipient(order.claim.recipient, tx.day)
    if order.claim.conditions and order.checked_by is None:
        yield "checked_by", "missing"
    if of_holder is None or not of_holder.secrecy:
        return
    if of_recipient is None or not of_recipient.secrecy:
        yield "recipient", "needs_secrecy_release"
    elif order.claim.conditions != frozenset(Condition):
        yield "conditions", "not_all_hold"


def _refuse(caller: Caller, client: ClientId, refusal: Refused) -> Outcome[Basis]:
    event = ClientRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        reason=refusal.reason,
        via="basis",
    )
    return Outcome(refusal, (event,))
