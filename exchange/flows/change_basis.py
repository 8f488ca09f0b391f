"""Change a basis: its holder ends it, or the client objects and is answered. Or look at all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from audit.events import Actor, ClientRefused, ClientViewed
from exchange import records
from exchange.bases import Basis, BasisState
from exchange.basis_keeping import keep
from exchange.considering import record_of
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, Handle, OrganisationId, Reason


class Word(StrEnum):
    """By which word a basis changes: the holder's end, the client's objection, its answer."""

    ENDED = "ended"
    OBJECTION = "objection"
    UPHELD = "objection_upheld"
    COMPELLING_GROUNDS = "compelling_grounds"
    LEGAL_CLAIMS = "legal_claims"


_ANY = frozenset(BasisState) - {BasisState.ENDED}
_OBJECTED = frozenset({BasisState.OBJECTED})
_NEXT: Mapping[Word, tuple[frozenset[BasisState], BasisState]] = {
    Word.ENDED: (frozenset({BasisState.STANDING, BasisState.SUSPENDED}), BasisState.ENDED),
    Word.OBJECTION: (_ANY - _OBJECTED, BasisState.OBJECTED),
    Word.UPHELD: (_OBJECTED, BasisState.ENDED),
    Word.COMPELLING_GROUNDS: (_OBJECTED, BasisState.STANDING),
    Word.LEGAL_CLAIMS: (_OBJECTED, BasisState.STANDING),
}
"""From which states a word leads where; the two grounds are those of GDPR 21(1)."""


@dataclass(frozen=True, slots=True)
class BasisChange:
    """Which basis of which client, and by which word it changes."""

    client: Handle
    basis: str
    word: Word


@by_application
def change_basis(tx: Transaction, caller: Caller, order: BasisChange) -> Outcome[Basis]:
    """Bring the basis to its next state, in force with this commit.

    A client, or basis, of another holder is none. What does not follow on how it stands, as
    an answer to an objection that nobody made, is refused.
    """
    client = _held(tx, caller, order.client)
    if client is None:
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (_refused(caller, NOBODY),))
    record = record_of(tx, client)
    basis = next((each for each in record.bases if each.id == order.basis), None)
    if basis is None:
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (_refused(caller, client.id),))
    states, to = _NEXT[order.word]
    if basis.state not in states:
        told = Reason.CONTENT_REFUSED
        details = (f"basis: {basis.state}",)
        refused = _refused(caller, client.id, told)
        return Outcome(Refused(told, told=told, details=details), (refused,))
    changed = replace(basis, state=to, why=str(order.word), changed_at=tx.now)
    return Outcome(changed, (keep(tx, caller.application, client, record, changed),))


@by_application
def view_bases(tx: Transaction, caller: Caller, handle: Handle) -> Outcome[tuple[Basis, ...]]:
    """Every basis of the client, ended ones too: a look at personal data, so it is logged."""
    client = _held(tx, caller, handle)
    if client is None:
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (_refused(caller, NOBODY),))
    viewed = ClientViewed(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=client.holder,
        via="bases",
    )
    return Outcome(record_of(tx, client).bases, (viewed,))


def _held(tx: Transaction, caller: Caller, handle: Handle) -> KnownClient | None:
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=handle
    )
    return client if client.id != NOBODY and client.holder == holder else None


def _refused(caller: Caller, client: str, reason: Reason = Reason.NOT_THE_HOLDER) -> ClientRefused:
    return ClientRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        reason=reason,
        via="basis",
    )
