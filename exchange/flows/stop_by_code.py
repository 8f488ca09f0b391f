"""Stop by code: whoever holds the letter says stop, without signing in anywhere."""

from dataclasses import dataclass
from typing import ClassVar

from audit.events import Actor, AuditEvent, ConsentRefused
from consent import records as consents
from consent.lifecycle import releases
from exchange import stop_codes
from exchange.stop_codes import Meant
from exchange.transaction import BROKER, Outcome, Transaction
from exchange.withdrawing import Stopped, Withdrawal, end
from policies.vocabulary import NOBODY, ConsentId, ConsentState, OrganisationId, Reason

VIA = "letter_code"


@dataclass(frozen=True, slots=True)
class ByCode:
    """The keyed hash of the code that somebody typed."""

    digest: bytes

    via: ClassVar[str] = VIA


def stop_by_code(tx: Transaction, order: ByCode) -> Outcome[int]:
    """End every consent that this client gave to who sent the letter; how many ended.

    All, and not only the one that came with the code: who reads "sharing has stopped" must be
    able to rely on it. How many there were is told to nobody.
    """
    meant = stop_codes.meant_by(tx.connection, shard=tx.shard, digest=order.digest)
    if meant is None:
        return Outcome(0, (_refused(Reason.CONSENT_NOT_FOUND, None),))
    events: list[AuditEvent] = []
    ended = 0
    for consent in _standing(tx, meant):
        stopped = end(tx, BROKER, Withdrawal(consent, VIA), OrganisationId(meant.controller))
        if isinstance(stopped, Stopped):
            events += stopped.events
            ended += 1
    if not events:
        return Outcome(0, (_refused(Reason.ALREADY_WITHDRAWN, meant.consent),))
    return Outcome(ended, tuple(events))


def note_wrong_code(tx: Transaction) -> Outcome[None]:
    """Log that somebody tried a code that is nobody's. Which it was is not kept."""
    return Outcome(None, (_refused(Reason.CONSENT_NOT_FOUND, None),))


def _standing(tx: Transaction, meant: Meant) -> list[ConsentId]:
    rows = consents.consents_to_show(tx.connection, shard=tx.shard, client=meant.client)
    return [
        row.id
        for row in rows
        if row.controller == meant.controller and releases(ConsentState(row.state))
    ]


def _refused(reason: Reason, consent: ConsentId | None) -> ConsentRefused:
    return ConsentRefused(
        application=BROKER,
        actor=Actor(system=BROKER),
        client=NOBODY,
        consent=consent,
        reason=reason,
        via=VIA,
    )
