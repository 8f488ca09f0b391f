"""Clients to measure with: registered, consented and handed over, as many as asked for."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from consent.notices import read_notice
from exchange.considering import sealed_sections
from exchange.flows.administer import (
    NewApplication,
    apply_documents,
    apply_notices,
    register_application,
)
from exchange.flows.deposit_summary import Deposit, deposit_summary
from exchange.flows.give_consent import ConsentOrder, give_consent
from exchange.flows.push_handover import HandoverOrder, push_handover
from exchange.flows.register_client import register_client
from exchange.samples import DATA, directory_documents, samples
from exchange.security.tokens import Caller, new_signing_key, signer_from_jwk
from exchange.services import Services
from policies.decision import Refused
from policies.deposit import read_deposit
from policies.vocabulary import Handle, OrganisationId

HOLDER, PARTNER = OrganisationId("destap-ww"), OrganisationId("vdab-gent")
MOST_PERSONS = 10_000_000
"""The sample agreements are for some dozens a year; here as many come as are measured with."""
_AT_ONCE = 200
CONSENT: dict[str, Any] = {
    "functions": ["gdpr_basis"],
    "capacity": {"type": "adult"},
    "notice": {"id": "N-P2", "version": "2.1", "lang": "nl", "channel": "portal"},
    "evidence": {"method": "portal_click"},
    "grants": [
        {
            "purpose": "P2",
            "recipient": f"org:{PARTNER}",
            "sections": ["ident", "contact", "educ", "work", "goals", "agree"],
            "ops": ["notify", "view", "download"],
            "until": "2028-01-31",
        }
    ],
}


@dataclass(frozen=True)
class Population:
    """The handovers that the partner can fetch, the holder's handles, and two private keys."""

    handovers: Sequence[str]
    handles: Sequence[str]
    keys: dict[str, dict[str, Any]]
    applications: dict[str, str]


def populate(services: Services, clients: int) -> Population:
    """Make the directory, two applications and the clients, through the product's own commands."""
    submit = services.writer.submit
    documents = directory_documents()
    for each in documents["agreement"].values():
        each["volume"] = {"persons_per_year": MOST_PERSONS}
    submit(apply_documents, documents).result()
    notices = [
        read_notice(path.read_bytes()) for path in sorted(Path(DATA / "notices").glob("*.md"))
    ]
    submit(apply_notices, notices).result()
    keys: dict[str, dict[str, Any]] = {}
    applications: dict[str, str] = {}
    for organisation in (HOLDER, PARTNER):
        private = new_signing_key()
        keys[organisation] = dict(private)
        public = signer_from_jwk(private).public_jwk()
        made = submit(register_application, NewApplication(organisation, public)).result().value
        applications[organisation] = _value(made).application
    holder = Caller(applications[HOLDER], HOLDER, frozenset(), "bench")
    handles = _registered(services, holder, clients)
    _deposited(services, holder, handles)
    _consented(services, holder, [handle for _, handle in handles])
    handovers = _pushed(services, holder, [handle for _, handle in handles])
    return Population(handovers, [handle for _, handle in handles], keys, applications)


def _registered(services: Services, holder: Caller, clients: int) -> list[tuple[Any, Handle]]:
    orders = (
        services.committer.registration(HOLDER, identity={}, reference=f"bench-{number}")
        for number in range(clients)
    )
    futures = (services.writer.submit(register_client, holder, order) for order in orders)
    return [(each.client, each.handle) for each in _values(futures)]


def _deposited(services: Services, holder: Caller, known: Sequence[tuple[Any, Handle]]) -> None:
    scanner = services.directory().scanner
    sections = samples()["cl-0004"].sections
    deposited = read_deposit(sections, today=services.clock().date(), scanner=scanner)
    futures = (
        services.writer.submit(
            deposit_summary,
            holder,
            Deposit(
                handle=handle,
                client=client,
                version=1,
                scanned=scanner.fingerprint,
                sealed=sealed_sections(services.vault, client, 1, deposited),
                stored=deposited.stored,
                dropped=0,
                rules=(),
                quarantined=0,
            ),
        )
        for client, handle in known
    )
    list(_values(futures))


def _consented(services: Services, holder: Caller, handles: Sequence[Handle]) -> None:
    signs, rulebook = services.receipts, services.rulebook
    orders = (ConsentOrder(handle, CONSENT) for handle in handles)
    futures = (
        services.writer.submit(give_consent, holder, order, signs, rulebook) for order in orders
    )
    list(_values(futures))


def _pushed(services: Services, holder: Caller, handles: Sequence[Handle]) -> list[str]:
    orders = (
        HandoverOrder(
            client=handle,
            recipient=PARTNER,
            purpose="P2",
            reason_code="work_guidance",
            urgency="normal",
            key=hashlib.sha256(handle.encode()).digest(),
            fingerprint=hashlib.sha256(json.dumps(handle).encode()).digest(),
        )
        for handle in handles
    )
    futures = (
        services.writer.submit(push_handover, holder, order, services.rulebook) for order in orders
    )
    return [each.handover for each in _values(futures)]


def _values(futures: Iterator[Future[Any]]) -> Iterator[Any]:
    """The values, with a window of commands on their way."""
    while window := list(islice(futures, _AT_ONCE)):
        for future in window:
            yield _value(future.result().value)


def _value(value: Any) -> Any:
    if isinstance(value, Refused):
        raise TypeError(f"the population was refused: {value.reason}")
    return value
