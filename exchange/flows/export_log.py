"""Export from the log: what is asked for is logged before the first byte of a bundle leaves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from audit.events import Actor, AuditExported, ClientRefused, DisclosureExported
from consent import register
from consent.belgian_time import instant
from consent.register import ConsentView
from exchange import handovers, records
from exchange.handovers import Handover
from exchange.security.tokens import Caller
from exchange.stepping import event_context
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import (
    NOBODY,
    ClientId,
    Handle,
    HandoverId,
    OrganisationId,
    Reason,
)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: an application in the name of its organisation, or the operator of the house."""

    application: str
    organisation: OrganisationId | None = None
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Whose handover it was, what it rested on, and the documents that belong to it by name."""

    client: ClientId
    consents: frozenset[str]
    documents: Mapping[str, bytes]


def export_range(tx: Transaction, asker: Asker, start: int, stop: int | None) -> Outcome[None]:
    """Note that entries from a place on were asked for, by whom."""
    if not _live(tx, asker):
        return Outcome(Refused(Reason.CALLER_REVOKED, told=Reason.CALLER_REVOKED))
    asked = {"from": start} | ({} if stop is None else {"to": stop})
    return Outcome(None, (AuditExported(**_said(asker, NOBODY), filter=asked),))


def export_client(
    tx: Transaction, asker: Asker, holder: OrganisationId, handle: Handle
) -> Outcome[ClientId]:
    """The client whose whole record is asked for; of another's client there is none."""
    if not _live(tx, asker):
        return Outcome(Refused(Reason.CALLER_REVOKED, told=Reason.CALLER_REVOKED))
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=handle
    )
    if client.id == NOBODY or client.holder != holder:
        return _refuse(asker)
    event = DisclosureExported(**_said(asker, client.id), provider=holder)
    return Outcome(client.id, (event,))


def export_handover(tx: Transaction, asker: Asker, handover: HandoverId) -> Outcome[Evidence]:
    """What one handover rested on: how it went, the consents, the texts shown, the receipts."""
    if not _live(tx, asker):
        return Outcome(Refused(Reason.CALLER_REVOKED, told=Reason.CALLER_REVOKED))
    found = handovers.handover_with_id(tx.connection, shard=tx.shard, handover=handover)
    if found is None:
        return _refuse(asker)
    said = _words(tx, found, 0)
    consents = frozenset(map(str, said.get("consents", ())))
    documents = {"handover.json": _json(_handover(tx, found, said))}
    for view in register.consents_of(
        tx.connection, shard=tx.shard, client=found.client, sealing=tx.vault
    ):
        if view.consent in consents:
            documents |= _consent(tx, found.client, view)
    event = DisclosureExported(
        **_said(asker, found.client), provider=found.sender, consumer=found.recipient,
        purpose=found.purpose, handover=found.id,
        evidence={name: sha256(each).hexdigest() for name, each in documents.items()},
    )  # fmt: skip
    return Outcome(Evidence(found.client, consents, documents), (event,))


def _handover(tx: Transaction, found: Handover, said: Mapping[str, Any]) -> dict[str, Any]:
    events = handovers.events_of(tx.connection, shard=tx.shard, handover=HandoverId(found.id))
    plain = ("id", "sender", "recipient", "purpose", "agreement", "reason_code", "state")
    return {name: getattr(found, name) for name in (*plain, "offered_at")} | {
        "shared": list(said.get("shared", ())),
        "withheld": list(said.get("withheld", ())),
        "consents": sorted(map(str, said.get("consents", ()))),
        "events": [{"type": each.type, "at": each.at, "by": each.actor_org} for each in events],
    }


def _consent(tx: Transaction, client: ClientId, view: ConsentView) -> dict[str, bytes]:
    """The consent as it stands, the text that was shown, and the receipt that was given."""
    notice = view.terms.notice
    text = tx.directory.notices.text(notice.id, notice.version, notice.lang) or ""
    receipt = register.receipt_of(
        tx.connection, shard=tx.shard, consent=view.consent, client=client, sealing=tx.vault
    )
    shown = {"id": notice.id, "version": notice.version, "lang": notice.lang}
    stands = {"consent": view.consent, "state": view.state, "given_at": instant(view.given_at)}
    shown |= {"sha256": notice.sha256}
    found = {f"consent-{view.consent}.json": _json(stands | {"notice": shown})}
    if text:
        found[f"notice-{notice.sha256}.md"] = text.encode()
    if not isinstance(receipt, Refused):
        found[f"receipt-{view.consent}.jws"] = receipt.encode()
    return found


def _words(tx: Transaction, found: Handover, sequence: int) -> Mapping[str, Any]:
    plain = tx.vault.open(found.client, found.sealed, event_context(found.id, sequence))
    words: Mapping[str, Any] = json.loads(plain)
    return words


def _json(body: object) -> bytes:
    return json.dumps(body, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _live(tx: Transaction, asker: Asker) -> bool:
    """An operator has the machine; an application must still be one."""
    return asker.caller is None or tx.directory.admits(asker.caller, tx.now)


def _said(asker: Asker, client: str) -> dict[str, Any]:
    actor = Actor(system=asker.application)
    return {"application": asker.application, "actor": actor, "client": client}


def _refuse(asker: Asker) -> Outcome[Any]:
    event = ClientRefused(**_said(asker, NOBODY), reason=Reason.NOT_THE_HOLDER, via="export")
    return Outcome(Refused(Reason.NOT_THE_HOLDER), (event,))
