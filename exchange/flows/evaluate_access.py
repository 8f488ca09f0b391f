"""Evaluate access: what would be decided, for the holder of the client or an oversight auditor.

The very decision that a fetch gets, on what stands now, and as of another instant where one is
named. Nothing leaves and nothing is counted; that somebody looked at how a client stands is logged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from audit.events import Actor, ClientRefused, ClientViewed
from consent.belgian_time import day_of, time_of
from consent.turning import notices_of, spoken, turned_at
from exchange import handovers, records
from exchange.acting import instructed, not_instructed
from exchange.considering import Considered, Rulebook, asking_for, consider, on_file, person
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Decision, Refused, ReleaseRequest
from policies.explaining import Account, Grounds
from policies.purposes import purpose
from policies.vocabulary import (
    NOBODY,
    ClientId,
    Handle,
    Operation,
    OrganisationId,
    Reason,
    Section,
)
from policies.withholding import withheld

EVERYTHING = "audit-all"
"""The scope of an oversight auditor; the other one reaches the organisation's own clients."""


class Semantic(StrEnum):
    """How far a batch is evaluated (AuthZEN Authorization API 1.0)."""

    EXECUTE_ALL = "execute_all"
    DENY_ON_FIRST_DENY = "deny_on_first_deny"
    PERMIT_ON_FIRST_PERMIT = "permit_on_first_permit"


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose summary: a handle of `holder`; without that, of the asker's own organisation."""

    client: Handle
    holder: OrganisationId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuestion:
    """Who would do what with it for which purpose, and when (µs; nothing: now).

    `processor`: who would ask for it in the recipient's name.
    """

    recipient: OrganisationId
    operation: Operation
    purpose: str
    sections: frozenset[Section] | None = None
    end_user: str | None = None
    at: int | None = None
    processor: OrganisationId | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What would be decided at that instant (µs), and the account of it."""

    decision: Decision
    account: Account
    at: int


@by_application
def evaluate_access(
    tx: Transaction,
    caller: Caller,
    whose: Whose,
    questions: Sequence[AccessQuestion],
    semantic: Semantic,
    rulebook: Rulebook,
) -> Outcome[tuple[Evaluated, ...]]:
    """The answers in order, up to the one that the semantic stops at.

    Of a client whom the asker does not hold there is none, whether or not there is such a client.
    """
    own = OrganisationId(caller.organisation)
    holder = whose.holder or own
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=whose.client
    )
    may = EVERYTHING in caller.scopes or holder == own
    if not may or client.id == NOBODY or client.holder != holder:
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (_refused(caller),))
    answers: list[Evaluated] = []
    for question in questions:
        answers.append(_evaluated(tx, rulebook, question, client))
        if _stops(semantic, permitted=answers[-1].decision.reason is None):
            break
    return Outcome(tuple(answers), (_viewed(caller, client.id, holder),))


def _stops(semantic: Semantic, *, permitted: bool) -> bool:
    if semantic is Semantic.DENY_ON_FIRST_DENY:
        return not permitted
    return semantic is Semantic.PERMIT_ON_FIRST_PERMIT and permitted


def _evaluated(
    tx: Transaction, rulebook: Rulebook, question: AccessQuestion, client: KnownClient
) -> Evaluated:
    then = tx if question.at is None else replace(tx, at=time_of(question.at), now=question.at)
    recipient, processor = question.recipient, question.processor
    known = on_file(then, client, recipient)
    request = ReleaseRequest(
        recipient, question.purpose, question.sections, question.operation, processor=processor
    )
    considered = consider(
        then,
        rulebook,
        request,
        client,
        known,
        care_relation=bool(known.relations) or client.holder == recipient,
        first_contact_at=handovers.first_contact(known.relations, question.purpose),
        end_user=""
        if question.end_user is None
        else person(processor or recipient, question.end_user),
    )
    considered = _instructed(then, request, considered)
    account = _account(then, rulebook, request, client, considered)
    return Evaluated(considered.decision, account, then.now)


def _instructed(tx: Transaction, request: ReleaseRequest, considered: Considered) -> Considered:
    """As decided; or the no that a fetch gives to who asks in a name that nobody gave them."""
    asker = request.processor
    if asker is None or instructed(tx, asker, request.recipient, request.purpose):
        return considered
    no = replace(not_instructed(request.purpose), trace=considered.decision.trace)
    return replace(considered, decision=no, consents=(), grants=(), basis=None)


def _account(
    tx: Transaction,
    rulebook: Rulebook,
    request: ReleaseRequest,
    client: KnownClient,
    considered: Considered,
) -> Account:
    decision, facts, rules = considered.decision, considered.made_from, rulebook.decider.rules
    forbidden = {}
    if purpose(request.purpose):
        forbidden = dict(
            rules.forbidden(facts.recipient, request.purpose, real_number=facts.real_number)
        )
    words = spoken(tx.connection, shard=tx.shard, client=client.id, sealing=tx.vault)
    asking = asking_for(tx, client, request.recipient, request.purpose, None)
    turned = turned_at(words, asking, decision.reason, before=tx.now, today=tx.day)
    return Account(
        permit=decision.reason is None,
        reason=decision.reason,
        who=tx.directory.names.get(request.recipient, request.recipient),
        trace=decision.trace,
        turned=None if turned is None else day_of(turned),
        grounds=Grounds(
            agreement=None if decision.flow is None else decision.flow.agreement,
            basis=None if considered.basis is None else considered.basis.code,
            consents=considered.consents,
            grants=considered.grants,
            notices=notices_of(words, considered.consents),
        ),
        withheld=withheld(request, facts, decision, forbidden),
        partly=decision.filtered > 0,
        says=rules.says,
    )


def _viewed(caller: Caller, client: ClientId, holder: OrganisationId) -> ClientViewed:
    return ClientViewed(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=holder,
        via="evaluation",
    )


def _refused(caller: Caller) -> ClientRefused:
    return ClientRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=NOBODY,
        reason=Reason.NOT_THE_HOLDER,
        via="evaluation",
    )
