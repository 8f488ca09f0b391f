"""Answer a request for consent: the client says yes or no to each line, or later.

A yes is a consent like any other, given by the same command. A no is kept as a no, with the
statement that it has no consequence; of neither a no nor a delay is anybody told.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from audit.events import Actor, ConsentAnswered, ConsentRefused
from consent import requests
from consent.belgian_time import day_in, day_of, months_after, start_of
from consent.lifecycle import transition
from consent.requests import WAITING, YES, Request, RequestId
from consent.shape import Problem, Problems
from consent.terms import evidence_in, notice_in
from exchange import records
from exchange.changing import Given
from exchange.circumstances import circumstances_of
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.purposes import purpose
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentState,
    Handle,
    Operation,
    OrganisationId,
    Reason,
    Section,
)

NO_CONSEQUENCE = "no_consequence"
"""What is kept with every no: it changes nothing about the help that the client gets."""
_LATER = 14 * 86_400_000_000
"""How long a question rests when no day is said."""


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """What the client said. `said`: notice, evidence, capacity, functions and end, as sent.

    `sections` are the lines with a yes; every other line has a no. `until` is the day on which
    a question that is put off may be asked again.
    """

    request: RequestId
    state: ConsentState
    sections: frozenset[Section] | None = None
    until: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerKept:
    """How the question stands now; after a yes with the consent that was given."""

    request: RequestId
    state: ConsentState
    yes: tuple[Section, ...] = ()
    no: tuple[Section, ...] = ()
    given: Given | None = None
    until: int | None = None


Give = Callable[[Transaction, Handle, Mapping[str, Any]], Outcome[Given]]
"""The command that gives a consent, for the holder's client of that handle."""


@by_application
def answer_request(
    tx: Transaction, caller: Caller, answer: RequestAnswer, give: Give
) -> Outcome[AnswerKept]:
    """Keep the answer. A yes makes a consent, or, where that is refused, nothing changes.

    Refused once the question is answered or closed.
    """
    holder = OrganisationId(caller.organisation)
    row = requests.request_with_id(tx.connection, shard=tx.shard, request=answer.request)
    if row is None or row.holder != holder:
        return _refuse(caller, NOBODY, Refused(Reason.CONSENT_NOT_FOUND))
    standing = row.standing(tx.now)
    # Who put it off is asked again first: from there every answer is open.
    asked = ConsentState.REQUESTED if standing in WAITING else standing
    if transition(asked, answer.state) is not None:
        told = Reason.REQUEST_NOT_OPEN
        return _refuse(caller, row.client, Refused(told, told=told))
    lines = requests.lines_of(tx.vault, row)
    wrong = _wrong(tx, row, answer, lines)
    if wrong:
        details = tuple(f"{place}: {code}" for place, code in wrong)
        refusal = Refused(Reason.CONTENT_REFUSED, Reason.CONTENT_REFUSED, details)
        return _refuse(caller, row.client, refusal)
    if answer.state in YES:
        return _yes(tx, caller, row, answer, lines, give)
    return _not_now(tx, caller, row, answer, lines)


def _wrong(
    tx: Transaction, row: Request, answer: RequestAnswer, lines: Collection[Section]
) -> tuple[Problem, ...]:
    """What is wrong with the answer itself; what is wrong with the consent, its giving tells."""
    problems = Problems()
    if answer.state in YES:
        every, some = frozenset(lines), answer.sections
        if answer.state is ConsentState.GIVEN and some not in (None, every):
            problems.add("sections", "not_every_line")
        if answer.state is ConsentState.NARROWED and not (some and some < every):
            problems.add("sections", "some_lines_needed")
        return tuple(problems.found)
    if answer.sections is not None:
        problems.add("sections", "not_with_this_answer")
    if "notice" in answer.said:
        notice_in(answer.said["notice"], tx.directory.notices.known, problems)
    if "evidence" in answer.said:
        evidence_in(answer.said["evidence"], problems)
    if answer.state is ConsentState.DEFERRED and not _rests(tx, row, answer):
        problems.add("until", "not_between_tomorrow_and_the_end")
    return tuple(problems.found)


def _rests(tx: Transaction, row: Request, answer: RequestAnswer) -> int | None:
    """Until when the question rests: a Belgian midnight to come, before the question closes."""
    if answer.until is None:
        return min(tx.now + _LATER, row.closes_at)
    day = day_in(answer.until)
    if day is None or day <= tx.day or start_of(day) >= row.closes_at:
        return None
    return start_of(day)


def _yes(
    tx: Transaction,
    caller: Caller,
    row: Request,
    answer: RequestAnswer,
    lines: Collection[Section],
    give: Give,
) -> Outcome[AnswerKept]:
    if "capacity" not in answer.said and not _age_known(tx, row.client):
        lacking = Refused(Reason.CONTENT_REFUSED, Reason.CONTENT_REFUSED, ("capacity: required",))
        return _refuse(caller, row.client, lacking)
    yes = tuple(each for each in lines if answer.sections is None or each in answer.sections)
    handle = records.handle_of(
        tx.connection, shard=tx.shard, client=row.client, organisation=row.holder
    )
    outcome = give(tx, handle or Handle(""), _record(tx.day, tx.now, row, answer, yes))
    given = outcome.value
    if isinstance(given, Refused):
        return Outcome(given, outcome.events)
    kept = AnswerKept(row.id, answer.state, yes, _others(lines, yes), given)
    settled = replace(row, state=answer.state, deferred_until=None, consent=given.consent)
    requests.settle(tx.connection, settled)
    return Outcome(kept, (*outcome.events, _answered(caller, row, kept)))


def _age_known(tx: Transaction, client: ClientId) -> bool:
    """Whether the capacity is held against an age: else somebody must say who consents."""
    known = records.client_with_id(tx.connection, shard=tx.shard, client=client)
    return circumstances_of(tx, known).born is not None


def _record(
    today: date, now: int, row: Request, answer: RequestAnswer, yes: Collection[Section]
) -> Mapping[str, Any]:
    """The consent that the answer stands for, as its controller would send it."""
    use = purpose(row.purpose)
    months = 0 if use is None or use.months is None else use.months
    offered = day_of(months_after(now, months)) if months else today
    grant = {
        "purpose": row.purpose,
        "recipient": f"org:{row.requester}",
        "sections": [each.value for each in yes],
        "ops": [Operation.NOTIFY.value, Operation.VIEW.value],
        "until": answer.until or offered.isoformat(),
    }
    functions = [] if use is None else list(use.functions_needed)
    least = {"functions": functions, "capacity": {"type": "adult"}}
    return {**least, **answer.said, "grants": [grant]}


def _not_now(
    tx: Transaction,
    caller: Caller,
    row: Request,
    answer: RequestAnswer,
    lines: Collection[Section],
) -> Outcome[AnswerKept]:
    refused = answer.state is ConsentState.REFUSED
    until = None if refused else _rests(tx, row, answer)
    said = {"lines": list(lines), "said": dict(answer.said)}
    if refused:
        said["statement"] = NO_CONSEQUENCE
    sealed = requests.sealed_lines(tx.vault, row.client, row.id, said)
    requests.settle(
        tx.connection, replace(row, state=answer.state, deferred_until=until, sealed=sealed)
    )
    no = tuple(lines) if refused else ()
    kept = AnswerKept(row.id, answer.state, no=no, until=until)
    return Outcome(kept, (_answered(caller, row, kept),))


def _others(lines: Collection[Section], yes: Collection[Section]) -> tuple[Section, ...]:
    return tuple(each for each in lines if each not in yes)


def _answered(caller: Caller, row: Request, kept: AnswerKept) -> ConsentAnswered:
    """Without the asker: it finds all that names it, and must not find this."""
    return ConsentAnswered(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=row.client,
        provider=row.holder,
        request=row.id,
        reason=kept.state,
        consent=kept.given.consent if kept.given else None,
        yes=tuple(kept.yes),
        no=tuple(kept.no),
    )


def _refuse(caller: Caller, client: ClientId, refusal: Refused) -> Outcome[AnswerKept]:
    event = ConsentRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=caller.organisation,
        reason=refusal.reason,
    )
    return Outcome(refusal, (event,))
