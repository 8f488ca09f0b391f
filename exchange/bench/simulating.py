"""What a simulation costs: a broker with many consents, each under its own client's key.

The consent of one real client is copied under new names, in ten variants, and sealed like any;
every second copy has an open handover as well.
"""

import copy
import json
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlmodel import col

from consent import records as consents
from consent import sealed
from consent.content import Terms
from consent.records import Consent
from consent.standing import Said
from exchange import handovers, many_clients
from exchange.bench.population import HOLDER, PARTNER, populate
from exchange.clients import new_handle
from exchange.considering import ClientRecord
from exchange.handovers import Handover
from exchange.many_clients import NewClient
from exchange.samples import directory_documents
from exchange.services import build_services
from exchange.settings import Settings
from exchange.simulations import simulate
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import ClientId, ConsentId, HandoverState

AT_ONCE, VARIANTS = 250, 10
TARGET = 100_000 / 60
"""Consents a second: so that a hundred thousand take a minute."""


def figures(settings: Settings, many: int) -> dict[str, float]:
    """Seconds and consents a second for an agreement that is narrowed, and megabytes more."""
    services = build_services(settings)
    populate(services, 1)
    for start in range(0, many, AT_ONCE):
        services.writer.submit(_copy, min(AT_ONCE, many - start)).result()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, busy = time.perf_counter(), time.process_time()
    asked = {"kind": "agreement", "document": _narrowed()}
    *_, told = simulate(services, asked)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    services.close()
    narrowed = sum(each["consents"] for each in told["rows"] if each["effect"] == "narrowed")
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(busy, 1),
        "per_second": narrowed / seconds,
        "narrowed": float(narrowed),
        "more_mb": round(grown / 1024),
    }


def _narrowed() -> dict[str, Any]:
    document = copy.deepcopy(directory_documents()["agreement"]["PR-2026-004"])
    for flow in document["flows"]:
        if flow["purposes"] == ["P2"]:
            flow["sections"] = ["ident", "contact", "goals"]
    told: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return told


def _copy(tx: Transaction, many: int) -> Outcome[None]:
    """So many clients more, each with the consent of the first of all."""
    first = select(col(Consent.client)).order_by(col(Consent.given_at)).limit(1)
    whose = ClientId(tx.connection.execute(first).scalar_one())
    (row,) = consents.consents_to_decide(tx.connection, shard=tx.shard, client=whose)
    variants = list(_variants(sealed.opened(tx.shard, row, tx.vault)))
    new = []
    for _ in range(many):
        id = ClientId(str(uuid4()))
        key = tx.keys.propose(_key_id(id))
        tx.keys.keep(_key_id(id), key)
        who = tx.vault.seal(id, ClientRecord({}, frozenset()).to_bytes(), "client")
        new.append(NewClient(id, key, new_handle(), who))
    many_clients.add_clients(tx.connection, new, shard=tx.shard, holder=HOLDER, at=tx.now)
    for number, each in enumerate(new):
        copied = row._replace(id=ConsentId(f"c-{uuid4()}"), client=each.id, version=1)
        sealed.add(
            tx.connection,
            tx.shard,
            copied,
            variants[number % VARIANTS],
            sealing=tx.vault,
            receipt=None,
        )
        if number % 2:
            handovers.add_handover(tx.connection, _open(tx, each.id))
    return Outcome(None)


def _key_id(client: str) -> bytes:
    return bytes.fromhex(client.replace("-", ""))


def _variants(said: Said) -> Iterator[Terms]:
    """The same terms with one field or another less: consents that say different things."""
    for number in range(VARIANTS):
        grants = tuple(
            replace(
                grant,
                bounds=tuple(
                    replace(bound, levels=frozenset(sorted(bound.levels)[number:]))
                    for bound in grant.bounds
                ),
            )
            for grant in said.terms.grants
        )
        yield replace(said.terms, grants=grants)


def _open(tx: Transaction, client: ClientId) -> Handover:
    return Handover(
        shard=tx.shard,
        id=str(uuid4()),
        client=client,
        sender=HOLDER,
        recipient=PARTNER,
        purpose="P2",
        agreement="PR-2026-004",
        reason_code="other",
        urgency="normal",
        masked=False,
        state=HandoverState.ACCEPTED,
        offered_at=tx.now,
        deadline_at=tx.now,
        events=0,
        idempotency_key=os.urandom(32),
        fingerprint=b"",
        sealed=b"",
    )
