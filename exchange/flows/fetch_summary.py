"""Fetch a summary: a partner reads what a client agreed to share with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.events import Actor, SummaryRefused, SummaryReleased
from consent import register
from exchange import counting, handovers, receivers, records
from exchange.acting import acts_for, capacity, not_instructed
from exchange.bases import Basis
from exchange.considering import Considered, Rulebook, consider, on_file, person, sections_asked
from exchange.obligations import Obligations, owed
from exchange.records import KnownClient, SealedSection
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Decision, Refused, ReleaseRequest
from policies.minimisation import asked
from policies.vocabulary import (
    ClientId,
    ConsentId,
    GrantId,
    Handle,
    HandoverId,
    OrganisationId,
    Reason,
    Section,
)


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """What a partner asks for, who asks it there, and for which case.

    Exactly one of `handover` and `client` is given. Without `sections`: all that the
    purpose may use. `on_behalf_of`: the controller in whose name a processor asks.
    """

    purpose: str
    end_user: str
    function: str
    case_reference: str
    handover: HandoverId | None = None
    client: Handle | None = None
    sections: frozenset[Section] | None = None
    on_behalf_of: OrganisationId | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """What may leave, still sealed: it is opened after the commit, outside the writer."""

    client: ClientId
    holder: OrganisationId
    recipient: OrganisationId
    pseudonym: Handle
    purpose: str
    decision: Decision
    consents: tuple[ConsentId, ...]
    grants: tuple[GrantId, ...]
    basis: Basis | None
    sections: tuple[SealedSection, ...]
    named: frozenset[str]
    asked: frozenset[Section]
    masked: bool
    obligations: Obligations
    high_risk: bool
    recipient_type: str
    organisation_types: Mapping[str, str]
    at: int


@by_application
def fetch_summary(
    tx: Transaction, caller: Caller, query: SummaryQuery, rulebook: Rulebook
) -> Outcome[Released]:
    """Decide, and give back what may leave with the event that says so.

    A client we do not know is decided on like any other, so that neither the time taken
    nor the leaf tells who is a client.
    """
    recipient = acts_for(tx, caller, query.on_behalf_of, query.purpose)
    if recipient is None:
        return _not_instructed(caller, query)
    client, handle = _client(tx, recipient, query)
    known = on_file(tx, client, recipient)
    relations = known.relations
    processor = None if recipient == caller.organisation else OrganisationId(caller.organisation)
    request = ReleaseRequest(recipient, query.purpose, query.sections, processor=processor)
    considered = consider(
        tx,
        rulebook,
        request,
        client,
        known,
        care_relation=bool(relations) or client.holder == recipient,
        first_contact_at=handovers.first_contact(relations, query.purpose),
        end_user=person(OrganisationId(caller.organisation), query.end_user),
    )
    decision = considered.decision
    if decision.reason is not None:
        return _refuse(caller, query, request, client, decision)
    register.count_use(
        tx.connection, shard=tx.shard, facts=considered.facts, rests_on=decision.rests_on
    )
    handovers.mark_read(tx.connection, shard=tx.shard, relations=relations, at=tx.now)
    if client.holder != recipient:
        receivers.keep(
            tx.connection,
            shard=tx.shard,
            client=client.id,
            recipient=recipient,
            purpose=query.purpose,
            rests_on={considered.facts.refs[place] for place in decision.rests_on},
            known=relations[0].received if relations else None,
            at=tx.now,
        )
    obligations = owed(decision.flow, tx.day, masked=considered.masked)
    released = Released(
        client=client.id,
        holder=client.holder,
        recipient=recipient,
        pseudonym=handle,
        purpose=query.purpose,
        decision=decision,
        consents=considered.consents,
        grants=considered.grants,
        basis=considered.basis,
        sections=considered.sections,
        named=considered.named,
        asked=asked(request),
        masked=considered.masked,
        obligations=obligations,
        high_risk="high_risk" in considered.flags,
        recipient_type=str(tx.directory.type_of(recipient)),
        organisation_types=tx.directory.types,
        at=tx.now,
    )
    event = _released(caller, query, request, client, considered, obligations)
    alerts = counting.count(tx, caller, rulebook, request, client, considered)
    return Outcome(released, (event,), alerts=alerts)


def _not_instructed(caller: Caller, query: SummaryQuery) -> Outcome[Released]:
    no = not_instructed(query.purpose)
    request = ReleaseRequest(OrganisationId(caller.organisation), query.purpose, query.sections)
    return _refuse(caller, query, request, records.NO_CLIENT, no)


def _refuse(
    caller: Caller,
    query: SummaryQuery,
    request: ReleaseRequest,
    client: KnownClient,
    decision: Decision,
) -> Outcome[Released]:
    reason = decision.reason or Reason.GATE_FAILED
    alerts = counting.prohibited(caller, request, reason)
    event = _refused(caller, query, request, client, decision)
    return Outcome(Refused(reason, decision.told), (event,), alerts=alerts)


def _client(
    tx: Transaction, recipient: OrganisationId, query: SummaryQuery
) -> tuple[KnownClient, Handle]:
    """The client meant, and the recipient's own name for them."""
    if query.handover is not None:
        return records.client_handed_over(
            tx.connection, shard=tx.shard, handover=query.handover, recipient=recipient
        )
    handle = query.client or Handle("")
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=recipient, handle=handle
    )
    return client, handle


def _actor(caller: Caller, query: SummaryQuery) -> Actor:
    own = query.on_behalf_of == caller.organisation
    function = capacity(query.function, None if own else query.on_behalf_of)
    return Actor(user=f"{caller.organisation}/{query.end_user}", capacity=function)


def _refused(
    caller: Caller,
    query: SummaryQuery,
    request: ReleaseRequest,
    client: KnownClient,
    decision: Decision,
) -> SummaryRefused:
    return SummaryRefused(
        application=caller.application,
        actor=_actor(caller, query),
        client=client.id,
        provider=client.holder or None,
        consumer=request.recipient,
        purpose=query.purpose,
        sections=sections_asked(request),
        reason=str(decision.reason),
        trace=decision.trace,
        handover=query.handover,
        case_reference=query.case_reference,
    )


def _released(
    caller: Caller,
    query: SummaryQuery,
    request: ReleaseRequest,
    client: KnownClient,
    considered: Considered,
    obligations: Obligations,
) -> SummaryReleased:
    decision = considered.decision
    return SummaryReleased(
        application=caller.application,
        actor=_actor(caller, query),
        client=client.id,
        provider=client.holder,
        consumer=request.recipient,
        purpose=query.purpose,
        sections=sections_asked(request),
        reason="OK_FILTERED" if decision.filtered else "OK",
        consents=considered.consents,
        grants=considered.grants,
        basis=None if considered.basis is None else considered.basis.code,
        protocol=None if decision.flow is None else decision.flow.agreement,
        handover=query.handover,
        fields=tuple(sorted(decision.fields)),
        filtered=decision.filtered,
        obligations=obligations.codes(),
        trace=decision.trace,
        case_reference=query.case_reference,
    )
