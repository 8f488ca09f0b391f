"""Renew a consent: the client says yes once more, on a notice and with a receipt of today."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from audit.events import Actor, ConsentRenewed, ConsentResumed
from consent import confirming, register
from consent import records as consents
from consent.codes import Code, make
from consent.receipts import Receipt, receipt_claims
from consent.register import Changed
from consent.renewal import Renewal, read_renewal
from consent.terms import Terms, TermsRefused
from exchange import records
from exchange.changing import refused
from exchange.circumstances import circumstances_of
from exchange.considering import Rulebook
from exchange.proposing import bound_anew
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import (
    ClientId,
    ConsentId,
    ConsentState,
    Handle,
    OrganisationId,
    Reason,
)

Signed = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class RenewalOrder:
    """Which consent, what the client said with the yes, and at which version of it.

    `code` is a proposal, as when a consent is given.
    """

    consent: ConsentId
    body: Mapping[str, Any]
    version: int | None = None
    code: Code = field(default_factory=make)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The consent as it now stands, with the receipt that the client keeps (a compact JWS)."""

    consent: ConsentId
    changed: Changed
    receipt: str
    code: Code | None = None


@by_application
def renew_consent(
    tx: Transaction,
    caller: Caller,
    order: RenewalOrder,
    issuer: str,
    sign: Signed,
    rulebook: Rulebook,
) -> Outcome[Renewed]:
    """Renew it. A hold ends with it: the client was asked anew, and said yes.

    It lets leave from now on what today's preview shows, and no longer what was shown then.
    """
    controller, receipts = OrganisationId(caller.organisation), list[str]()

    def receipt(client: ClientId, terms: Terms) -> str:
        made = Receipt(
            issuer=issuer,
            handle=_handle(tx, client, controller),
            consent=order.consent,
            controller=controller,
            state=ConsentState.RENEWED,
            at=tx.at,
            withdraw_at=f"{issuer}/stop",
            names=tx.directory.names,
        )
        receipts.append(sign(receipt_claims(made, terms)))
        return receipts[-1]

    was_held = register.is_held(tx.connection, shard=tx.shard, consent=order.consent)
    try:
        renewal = _read(tx, caller, order, rulebook)
        changed = register.renew(
            tx.connection,
            shard=tx.shard,
            consent=order.consent,
            controller=controller,
            renewal=renewal,
            at=tx.at,
            sealing=tx.vault,
            receipt=receipt,
            version=order.version,
            mergers=tx.directory.mergers,
        )
    except TermsRefused as unfit:
        details = tuple(f"{place}: {code}" for place, code in unfit.problems)
        refusal = Refused(Reason.CONTENT_REFUSED, details=details)
        return refused(caller, order.consent, refusal, None)
    if isinstance(changed, Refused):
        return refused(caller, order.consent, changed, renewal.evidence.method)
    if order.body.get("preview") not in (None, changed.terms.agreed):
        unlike = Refused(Reason.CONTENT_REFUSED, details=("preview: not_what_was_shown",))
        return refused(caller, order.consent, unlike, renewal.evidence.method)
    code = confirming.await_anew(
        tx.connection,
        shard=tx.shard,
        consent=order.consent,
        terms=changed.terms,
        code=order.code,
        codes=tx.vault.codes,
        client=changed.client,
    )
    events = _events(caller, order.consent, changed, was_held=was_held)
    return Outcome(Renewed(order.consent, changed, receipts[-1], code), events)


def _read(tx: Transaction, caller: Caller, order: RenewalOrder, rulebook: Rulebook) -> Renewal:
    """The renewal as it is asked for; of the caller's own client, held against their file."""
    known = tx.directory.notices.known
    whose = consents.client_of(tx.connection, shard=tx.shard, consent=order.consent)
    client = (
        None
        if whose is None
        else records.client_with_id(tx.connection, shard=tx.shard, client=whose)
    )
    if client is None or client.holder != caller.organisation:
        return read_renewal(order.body, at=tx.at, notice_known=known)
    detained = circumstances_of(tx, client).detained
    renewal = read_renewal(order.body, at=tx.at, notice_known=known, detained=detained)

    def bind(terms: Terms) -> Terms:
        return bound_anew(tx, rulebook, client, terms)

    return replace(renewal, bind=bind)


def _events(
    caller: Caller, consent: ConsentId, changed: Changed, *, was_held: bool
) -> tuple[ConsentRenewed | ConsentResumed, ...]:
    about: dict[str, Any] = {
        "application": caller.application,
        "actor": Actor(system=caller.application),
        "client": changed.client,
        "provider": caller.organisation,
        "consent": consent,
        "via": changed.terms.evidence.method,
    }
    notice = changed.terms.notice
    renewed = ConsentRenewed(
        **about,
        grants=tuple(each.id for each in changed.terms.grants if not each.withdrawn),
        notice=f"{notice.id}/{notice.version}/{notice.lang}",
    )
    return (renewed, ConsentResumed(**about, reason="renewed")) if was_held else (renewed,)


def _handle(tx: Transaction, client: ClientId, controller: OrganisationId) -> Handle:
    known = records.handle_of(tx.connection, shard=tx.shard, client=client, organisation=controller)
    return known or Handle("")
