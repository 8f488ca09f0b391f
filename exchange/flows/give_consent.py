"""Give a consent: what a client agreed to, and what not, goes on record with its receipt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.events import Actor, ConsentGiven, ConsentRefused, ConsentSuspended
from consent import confirming, register
from consent.capacity import USUAL, CapacityRules
from consent.codes import Code, make
from consent.receipts import Receipt, receipt_claims
from consent.terms import Terms, TermsRefused, read_terms
from exchange import records, stop_codes
from exchange.changing import Given
from exchange.circumstances import circumstances_of
from exchange.considering import Rulebook
from exchange.proposing import proposed, refuse_untold, summary_of
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.stop_codes import Meant
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentId,
    ConsentState,
    Handle,
    OrganisationId,
    Reason,
)


@dataclass(frozen=True, slots=True)
class ConsentOrder:
    """A consent record as its controller sends it, for a client of its own.

    `code` is a proposal: it counts where the client must confirm what was recorded. `past`: it
    comes from another register, where it was given before.
    """

    client: Handle
    body: Mapping[str, Any]
    rules: CapacityRules = USUAL
    code: Code = field(default_factory=make)
    past: bool = False


@dataclass(frozen=True, slots=True)
class Receipts:
    """Signs what the client keeps, in the name of `issuer` (an address)."""

    issuer: str
    sign: Callable[[Mapping[str, Any]], str]


@by_application
def give_consent(
    tx: Transaction,
    caller: Caller,
    order: ConsentOrder,
    receipts: Receipts,
    rulebook: Rulebook,
    codes: tuple[bytes, ...] = (),
) -> Outcome[Given]:
    """Record the consent, with what it can let leave: never more than would today.

    Who was a minor, and on which notice, is settled here and kept. With `preview` in the body
    it is refused when what is agreed to is no longer what was shown.

    `codes` are the keyed hashes of codes to stop with; the first that is nobody's yet is kept.
    """
    controller = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=controller, handle=order.client
    )
    if client.id == NOBODY or client.holder != controller:
        return _refuse(caller, NOBODY, Refused(Reason.NOT_THE_HOLDER))
    filed = summary_of(tx, client)
    known = circumstances_of(tx, client, filed.sections)
    try:
        terms = read_terms(
            order.body,
            controller=controller,
            at=tx.at,
            born=known.born,
            detained=known.detained,
            directory=tx.directory,
            notice_known=tx.directory.notices.known,
            rules=order.rules,
        )
        terms, shown = proposed(tx, rulebook, client, terms, filed)
        refuse_untold(tx, controller, terms, shown, past=order.past)
    except TermsRefused as refused:
        reason = Reason.CONTENT_REFUSED
        details = tuple(f"{place}: {code}" for place, code in refused.problems)
        return _refuse(caller, client.id, Refused(reason, told=reason, details=details))
    if order.body.get("preview") not in (None, terms.agreed):
        reason = Reason.CONTENT_REFUSED
        changed = Refused(reason, told=reason, details=("preview: not_what_was_shown",))
        return _refuse(caller, client.id, changed)
    return _record(tx, caller, order, client, terms, receipts, codes)


def _record(
    tx: Transaction,
    caller: Caller,
    order: ConsentOrder,
    client: KnownClient,
    terms: Terms,
    receipts: Receipts,
    codes: tuple[bytes, ...],
) -> Outcome[Given]:
    controller = OrganisationId(caller.organisation)
    consent = ConsentId(f"c-{tx.new_id()}")
    made = Receipt(
        issuer=receipts.issuer,
        handle=order.client,
        consent=consent,
        controller=controller,
        state=ConsentState.GIVEN if terms.grants else ConsentState.REFUSED,
        at=tx.at,
        withdraw_at=f"{receipts.issuer}/stop",
        names=tx.directory.names,
    )
    receipt = receipts.sign(receipt_claims(made, terms))
    state = register.give(
        tx.connection,
        shard=tx.shard,
        consent=consent,
        client=client.id,
        controller=controller,
        terms=terms,
        at=tx.at,
        sealing=tx.vault,
        receipt=receipt,
    )
    code = confirming.await_code(
        tx.connection,
        shard=tx.shard,
        consent=consent,
        terms=terms,
        code=order.code,
        codes=tx.vault.codes,
        client=client.id,
    )
    event = ConsentGiven(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=controller,
        consent=consent,
        grants=tuple(grant.id for grant in terms.grants),
        notice=f"{terms.notice.id}/{terms.notice.version}/{terms.notice.lang}",
        via=terms.evidence.method,
    )
    stop_code = _stop_code(tx, codes, Meant(consent, client.id, controller), state)
    given = Given(consent, state, terms, receipt, code, stop_code)
    return Outcome(given, (event, *_held(tx, caller, client.id, consent, terms)))


def _held(
    tx: Transaction, caller: Caller, client: ClientId, consent: ConsentId, terms: Terms
) -> tuple[ConsentSuspended, ...]:
    """What was taken over on a notice that is out of date is held: among what is to be renewed."""
    notice = terms.notice
    late = tx.directory.notices.stale(notice.id, notice.version, notice.lang)
    if not late or not terms.grants:
        return ()
    register.suspend(tx.connection, shard=tx.shard, consent=consent, at=tx.at, sealing=tx.vault)
    event = ConsentSuspended(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=caller.organisation,
        consent=consent,
        reason="notice_out_of_date",
    )
    return (event,)


def _stop_code(
    tx: Transaction, codes: tuple[bytes, ...], meant: Meant, state: ConsentState
) -> int | None:
    """Which of the codes stops it; none where nothing was agreed to, or all were somebody's."""
    if state != ConsentState.GIVEN:
        return None
    return stop_codes.keep(tx.connection, shard=tx.shard, digests=codes, meant=meant, at=tx.now)


def _refuse(caller: Caller, client: ClientId, refusal: Refused) -> Outcome[Given]:
    event = ConsentRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=caller.organisation,
        reason=refusal.reason,
    )
    return Outcome(refusal, (event,))
