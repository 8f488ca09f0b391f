"""Ask for consent: a partner has a question for a client, and only the client answers it."""

from collections.abc import Collection
from dataclasses import dataclass

from audit.events import Actor, ConsentRefused, ConsentRequested
from consent import requests
from consent.requests import Request, RequestId
from exchange import counting, records
from exchange.considering import Considered, Rulebook, consider, on_file, sections_asked
from exchange.nobody import read_no_consent
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.asking import Question, reachable
from policies.decision import Refused, ReleaseRequest
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentState,
    FieldId,
    Handle,
    OrganisationId,
    Reason,
    Section,
)

MOST_A_YEAR = 2
"""Questions about one client for one purpose: asking again and again is pressure."""
_A_DAY = 86_400_000_000
_NOBODY_MAY_ASK = frozenset({"restricted", "deceased"})


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """What is asked of whom, for what and why."""

    client: Handle
    purpose: str
    sections: frozenset[Section]
    reason_code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The question as its asker sees it. `closes_at` in microseconds since 1970."""

    request: RequestId
    state: str
    sections: tuple[str, ...]
    closes_at: int


@by_application
def ask_consent(
    tx: Transaction, caller: Caller, order: ConsentQuestion, rulebook: Rulebook, most_a_day: int
) -> Outcome[Asked]:
    """Put the question to the client, if there is one who may be asked; the answer is the same.

    What is looked up, written and told depends on the asker alone: there is a row for every
    question, also about nobody. While one stands, asking again changes nothing.
    """
    me = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=me, handle=order.client
    )
    request = ReleaseRequest(me, order.purpose, order.sections)
    known = on_file(tx, client, me)
    considered = consider(tx, rulebook, request, client, known, care_relation=True)
    before, lately = _asked_already(tx, order, me, most_a_day)
    question = _question(tx, order, me, rulebook)
    told = considered.decision.told or _beyond(tx, question, me)
    if told or question is None:
        return _refuse(caller, request, client.id, told or Reason.RECIPIENT_NOT_ACCREDITED)
    standing = next((each for each in before if each.told(tx.now) == "requested"), None)
    if standing is not None:
        return Outcome(_asked(standing, tx.now))
    if len(before) >= MOST_A_YEAR or lately >= most_a_day:
        return _refuse(caller, request, client.id, Reason.RATE_LIMITED)
    reaching = _lines(tx, question, considered, client, me)
    row = _put(tx, order, client, me, reaching)
    event = ConsentRequested(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        consumer=me,
        purpose=order.purpose,
        sections=sections_asked(request),
        request=row.id,
        reason=reaching if isinstance(reaching, Reason) else "OK",
    )
    return Outcome(_asked(row, tx.now), (event,))


def _asked_already(
    tx: Transaction, order: ConsentQuestion, me: OrganisationId, most_a_day: int
) -> tuple[list[Request], int]:
    """What was asked within a year about this handle and purpose, and how much within a day."""
    before = requests.asked_before(
        tx.connection,
        shard=tx.shard,
        requester=me,
        handle=order.client,
        purpose=order.purpose,
        since=tx.now - requests.span(requests.A_YEAR),
    )
    since = tx.now - _A_DAY
    lately = requests.asked_lately(
        tx.connection, shard=tx.shard, requester=me, since=since, most=most_a_day
    )
    return before, lately


def _question(
    tx: Transaction, order: ConsentQuestion, me: OrganisationId, rulebook: Rulebook
) -> Question | None:
    recipient = tx.directory.recipient(me, tx.day)
    if recipient is None:
        return None
    forbidden = rulebook.decider.forbidden(recipient, order.purpose)
    return Question(order.sections, order.purpose, recipient, forbidden)


def _beyond(tx: Transaction, question: Question | None, me: OrganisationId) -> Reason | None:
    """The no that this asker gets whoever the client is: nothing ever gives what it asks for."""
    if question is None or not question.may_be_put:
        return Reason.RECIPIENT_NOT_ACCREDITED
    every = tx.directory.agreements
    fields = reachable(every, recipient=me, purpose=question.purpose, on=tx.day)
    asked = question.sections.issubset(question.within(fields))
    return None if asked else Reason.NO_ACTIVE_PROTOCOL


def _lines(
    tx: Transaction,
    question: Question,
    considered: Considered,
    client: KnownClient,
    me: OrganisationId,
) -> Collection[Section] | Reason:
    """What of it reaches the client; or why nothing does, which the log alone is told."""
    flows = tx.directory.flows(client.holder, me, question.purpose, tx.day)
    fields = frozenset[FieldId]().union(*(flow.fields for flow in flows))
    could, left = question.within(fields), question.within(fields - considered.facts.denied)
    if client.id == NOBODY:
        return Reason.UNKNOWN_CLIENT
    if client.holder == me:
        return Reason.NOT_THE_HOLDER
    if not _NOBODY_MAY_ASK.isdisjoint(considered.flags):
        return Reason.SUBJECT_RESTRICTED
    return left or (Reason.EXPLICIT_DENIAL if could else Reason.NO_ACTIVE_PROTOCOL)


def _put(
    tx: Transaction,
    order: ConsentQuestion,
    client: KnownClient,
    me: OrganisationId,
    reaching: Collection[Section] | Reason,
) -> Request:
    request = RequestId(tx.new_id())
    nobody = isinstance(reaching, Reason)
    if isinstance(reaching, Reason):
        read_no_consent(tx.vault)
        sealed = b""
    else:
        sealed = requests.sealed_lines(tx.vault, client.id, request, {"lines": list(reaching)})
    row = Request(
        shard=tx.shard,
        id=request,
        client=NOBODY if nobody else client.id,
        holder=OrganisationId("") if nobody else client.holder,
        requester=me,
        handle=order.client,
        purpose=order.purpose,
        sections=" ".join(sorted(order.sections)),
        reason_code=order.reason_code,
        state=ConsentState.UNKNOWN if nobody else ConsentState.REQUESTED,
        asked_at=tx.now,
        closes_at=tx.now + requests.span(requests.OPEN_FOR),
        deferred_until=None,
        consent=None,
        sealed=sealed,
    )
    requests.add(tx.connection, row)
    return row


def _asked(row: Request, now: int) -> Asked:
    return Asked(row.id, row.told(now), tuple(row.sections.split()), row.closes_at)


def _refuse(
    caller: Caller, request: ReleaseRequest, client: ClientId, told: Reason
) -> Outcome[Asked]:
    event = ConsentRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        consumer=caller.organisation,
        purpose=request.purpose,
        sections=sections_asked(request),
        reason=told,
    )
    alerts = counting.prohibited(caller, request, told)
    return Outcome(Refused(told, told=told), (event,), alerts=alerts)
