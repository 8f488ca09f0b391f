"""A broker with something in every table of clients' data."""

import hashlib

from consent.held import Held, hold
from consent.records import consent_to_change
from exchange.counted import keep_counted
from exchange.recalls import Round, add_round
from exchange.samples import samples
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import ConsentId, OrganisationId
from tests.builders import Broker

HOLDER, RECIPIENT = "destap-ww", "vdab-gent"


def fill(broker: Broker) -> None:
    """One client, handed over, withdrawn and asked for; and what waits for somebody."""
    story = broker.story("cl-0004", RECIPIENT, "P2")
    signed_and_to_be_confirmed(broker, story.handle)
    assert story.fetch().status_code == 200
    assert story.answer("acceptance").status_code == 200
    broker.services.tally.fields.refusal(RECIPIENT, "P2", None)
    keep_counted(broker.services)
    assert story.withdraw().status_code == 200
    assert broker.asked(story).status_code == 201
    assert broker.pushed(HOLDER, story.handle, RECIPIENT, "P90").status_code == 403
    broker.services.writer.submit(_waiting, story.consent).result()


def signed_and_to_be_confirmed(broker: Broker, handle: str) -> None:
    """Two consents more: one with its page, one that waits for the client's code."""
    holder, page = broker.as_(HOLDER), b"%PDF-1.7 signed"
    named = hashlib.sha256(page).hexdigest()
    for evidence in (
        {"method": "paper_scan", "sha256": named},
        {"method": "oral_witnessed", "witness": "destap-ww/team"},
    ):
        body = {**samples()["cl-0004"].consent, "evidence": evidence}
        given = holder.post(f"/v1/clients/{handle}/consents", json=body).json()["consent"]
        holder.put(f"/v1/consents/{given}/evidence", content=page)


def _waiting(tx: Transaction, consent: str) -> Outcome[None]:
    """A withdrawal of which more are to be told, and one that waits for a key."""
    row = consent_to_change(tx.connection, shard=tx.shard, consent=ConsentId(consent))
    assert row is not None
    whose = (row.id, row.client, OrganisationId(row.controller))
    add_round(tx.connection, Round(tx.shard, tx.new_id(), *whose, None, tx.now, tx.now))
    waits = Held(row.id, row.client, row.controller, "phone", "app:a", None, suspended=False)
    hold(tx.connection, shard=tx.shard, held=waits, at=tx.now)
    return Outcome(None)
