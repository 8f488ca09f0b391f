"""Valid things in one line; a test states only what it is about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from audit import log
from audit.opening import open_part
from audit.records import LIVE
from exchange import handovers, records
from exchange.app import create_app
from exchange.clients import new_handle
from exchange.directory import moved, put_documents
from exchange.flows.administer import NewApplication, register_application
from exchange.handovers import Handover
from exchange.samples import Sample, samples
from exchange.security.signing_keys import Signer
from exchange.security.tokens import Caller, new_signing_key, signer_from_jwk
from exchange.services import Services
from exchange.stepping import sealed_words
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import ApplicationId, Handle, HandoverId, HandoverState, OrganisationId

REFERENCE = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)
"""Monday 2026-11-02T15:00+01:00: the time at which the sample data are true."""


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = REFERENCE

    def __call__(self) -> datetime:
        return self.now

    def move(self, to: datetime | timedelta) -> None:
        self.now = to if isinstance(to, datetime) else self.now + to


@dataclass
class Broker:
    """A whole broker, and those who talk to it over HTTP."""

    services: Services
    clock: Clock
    signers: dict[str, Signer] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: count(1))
    _applications: dict[str, str] = field(default_factory=dict)

    def application(self, organisation: str) -> str:
        """The id of an application of the organisation, registered once."""
        if organisation not in self._applications:
            signer = self.signers[organisation] = signer_from_jwk(new_signing_key())
            order = NewApplication(OrganisationId(organisation), signer.public_jwk())
            done = self.services.writer.submit(register_application, order).result().value
            assert not isinstance(done, Refused)
            self._applications[organisation] = done.application
        return self._applications[organisation]

    def token(self, organisation: str) -> str:
        """A fresh access token of the organisation's application."""
        application = self.application(organisation)
        known = self.services.directory().applications[ApplicationId(application)]
        token, _ = self.services.tokens.issue(
            application=application,
            organisation=organisation,
            scopes=known.scopes,
            at=self.clock(),
            token_id=f"t-{next(self._numbers)}",
        )
        return token

    def caller(self, organisation: str) -> Caller:
        """Somebody of the organisation, as a command takes them."""
        return self.services.tokens.read(f"Bearer {self.token(organisation)}", self.clock())

    @cached_property
    def app(self) -> FastAPI:
        return create_app(self.services)

    def as_(self, organisation: str) -> TestClient:
        """Somebody of the organisation, with a fresh access token."""
        return TestClient(
            self.app,
            headers={"Authorization": f"Bearer {self.token(organisation)}"},
            raise_server_exceptions=False,
        )

    def registered(self, sample: Sample) -> str:
        """The sample client as its holder registers it, with its summary; the holder's handle."""
        holder = self.as_(sample.holder)
        body: dict[str, Any] = {"identity": dict(sample.identity), "reference": sample.id}
        handle: str = _ok(holder.post("/v1/clients", json=body))["client"]
        summary = {"sections": sample.sections}
        _ok(holder.put(f"/v1/clients/{handle}/summary", json=summary))
        if sample.flags:
            _ok(holder.put(f"/v1/clients/{handle}/flags", json={"flags": sample.flags}))
        return handle

    def given(self, sample: Sample, handle: str) -> str:
        """The sample client's consent; its id."""
        holder = self.as_(sample.holder)
        answer = _ok(holder.post(f"/v1/clients/{handle}/consents", json=sample.consent))
        return str(answer["consent"])

    def pushed(
        self, holder: str, handle: str, recipient: str, purpose: str, **more: Any
    ) -> Response:
        """A handover of the client to the recipient."""
        body = {"client": handle, "recipient": f"org:{recipient}", "purpose": purpose}
        key = f"key-{next(self._numbers):08d}"
        return self.as_(holder).post(
            "/v1/handovers",
            json=body | {"reason_code": "other"} | more,
            headers={"Idempotency-Key": key},
        )

    def related(self, holder: str, handle: str, recipient: str, purpose: str) -> str:
        """A handover that was accepted before, whatever the client says today; its id."""
        way = (OrganisationId(holder), Handle(handle), OrganisationId(recipient), purpose)
        done = self.services.writer.submit(_relate, *way).result().value
        assert not isinstance(done, Refused)
        return done

    def asked(self, story: "Story") -> Response:
        """The recipient asks the client for one thing more."""
        partner = self.as_(story.recipient)
        shown = partner.get(f"/v1/handovers/{story.handover}").json()
        body = {"client": shown["subject"]["pairwise_id"], "purpose": story.purpose}
        more = {"sections": ["contact"], "reason_code": "other"}
        return partner.post("/v1/consent-requests", json=body | more)

    def story(self, sample_id: str, recipient: str, purpose: str) -> "Story":
        """A sample client registered, consented and handed over to the recipient."""
        sample = samples()[sample_id]
        handle = self.registered(sample)
        consent = self.given(sample, handle)
        handover = _ok(self.pushed(sample.holder, handle, recipient, purpose))["handover"]
        return Story(self, sample, handle, consent, handover, recipient, purpose)


@dataclass
class Story:
    """One handover of one sample client, and what can be done with it."""

    broker: Broker
    sample: Sample
    handle: str
    consent: str
    handover: str
    recipient: str
    purpose: str

    @property
    def rest(self) -> tuple[Any, ...]:
        """All of it but the broker: the same story at a broker that was started again."""
        parties = (self.recipient, self.purpose)
        return (self.sample, self.handle, self.consent, self.handover, *parties)

    def query(self, **more: Any) -> dict[str, Any]:
        return query(handover=self.handover, purpose=self.purpose) | more

    def fetch(self, **more: Any) -> Response:
        """The recipient asks for the summary."""
        partner = self.broker.as_(self.recipient)
        return partner.post("/v1/summaries/query", json=self.query(**more))

    def withdraw(self, **more: Any) -> Response:
        """The client stops sharing."""
        holder = self.broker.as_(self.sample.holder)
        body = {"via": "portal"} | more
        return holder.post(f"/v1/consents/{self.consent}/withdrawal", json=body)

    def answer(self, step: str, **body: Any) -> Response:
        """The recipient answers the handover (`acceptance`, `refusal`, …)."""
        return self.broker.as_(self.recipient).post(
            f"/v1/handovers/{self.handover}/{step}", json=body
        )


def _relate(
    tx: Transaction,
    holder: OrganisationId,
    handle: Handle,
    recipient: OrganisationId,
    purpose: str,
) -> Outcome[HandoverId]:
    shard, known = {"shard": tx.shard}, tx.connection
    client = records.client_known_as(known, **shard, organisation=holder, handle=handle).id
    if records.handle_of(known, **shard, client=client, organisation=recipient) is None:
        new = new_handle()
        records.add_handle(known, **shard, client=client, organisation=recipient, handle=new)
    handover = Handover(
        shard=tx.shard,
        id=tx.new_id(),
        client=client,
        sender=holder,
        recipient=recipient,
        purpose=purpose,
        agreement="",
        reason_code="other",
        urgency="normal",
        masked=False,
        state=HandoverState.ACCEPTED,
        offered_at=tx.now,
        deadline_at=tx.now,
        events=0,
        idempotency_key=tx.new_id().encode(),
        fingerprint=b"",
        sealed=b"",
    )
    said: dict[str, Any] = {
        "shared": ["ident"],
        "withheld": [],
        "consents": [],
        "appointment": None,
    }
    handover.sealed = sealed_words(tx, handover.client, handover.id, 0, said)
    handovers.add_handover(known, handover)
    return Outcome(HandoverId(handover.id))


_VERSIONS = count(1)


def next_version(agreement: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """The agreement with another text, as a version of its own that nobody has used yet."""
    return {**agreement, "version": f"{agreement['version']}.{next(_VERSIONS)}", **changed}


def put_agreement(tx: Transaction, plain: Mapping[str, Any]) -> Outcome[None]:
    """Have decisions read this document: how it comes that far takes advice and signatures."""
    new = {plain["id"]: plain}
    put_documents(tx.connection, shard=tx.shard, kind="agreement", new=new)
    moved(tx.connection, shard=tx.shard)
    return Outcome(None)


def query(**more: Any) -> dict[str, Any]:
    """A query of a partner's member of staff for a case."""
    return {"end_user": {"id": "u-1", "function": "bemiddelaar"}, "case_reference": "z-1"} | more


def logged(services: Services) -> list[dict[str, Any]]:
    """The log as it stands, oldest first: each leaf, with what is sealed beside it opened."""
    with services.database.reading() as connection:
        found = []
        for index, leaf in log.entries(connection, shard=0):
            entry: dict[str, Any] = {"index": index} | json.loads(leaf)
            for part in log.parts_of(connection, shard=0, index=index):
                if part.state == LIVE:
                    entry |= json.loads(open_part(entry, part, services.keys))
            found.append(entry)
    return found


def _ok(response: Response) -> Mapping[str, Any]:
    assert response.is_success, response.text
    body: Mapping[str, Any] = response.json()
    return body
