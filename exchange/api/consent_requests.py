"""Requests for consent over HTTP: a partner asks, the client decides."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from consent import requests
from consent.capacity import CapacityRules
from consent.requests import Box, Request, RequestId
from exchange import records
from exchange.api.answers import answer
from exchange.api.consents import Letter
from exchange.api.cursors import cursor as cursor_after
from exchange.api.cursors import place_in
from exchange.api.dependencies import (
    Body,
    ConsentCaller,
    RequestServices,
    body_of,
    caller_with,
    onlooker_with,
)
from exchange.api.envelopes import Looking, looking
from exchange.api.forms import Day, HandleText, Purpose, instant_text
from exchange.api.handovers import Reason, handover_in
from exchange.api.limits import reaches_no_further
from exchange.changing import Given
from exchange.flows.answer_request import AnswerKept, Give, RequestAnswer, answer_request
from exchange.flows.ask_consent import ConsentQuestion, ask_consent
from exchange.flows.give_consent import ConsentOrder, give_consent
from exchange.problems import INVALID_CONTENT, RequestRefused, settled
from exchange.security.tokens import Caller
from exchange.services import SHARD, Services
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import ConsentState, Handle, OrganisationId, Section

router = APIRouter(prefix="/v1/consent-requests", tags=["consent requests"])
NEEDED = {"inbox": "consent", "outbox": "query"}
"""The scope that each box takes: who answers for clients, and who asks."""
SEEN: Mapping[str, frozenset[str]] = {
    "inbox": frozenset({"requested", "deferred", "given", "narrowed", "refused", "expired"}),
    "outbox": frozenset({"requested", "given", "closed"}),
}
"""How a question may stand for each side. The asker never learns of a no."""

RequestPath = Annotated[str, Path(alias="request", max_length=200)]
AskingCaller = Annotated[Caller, Depends(caller_with("query"))]
RequestOnlooker = Annotated[Caller, Depends(onlooker_with("consent", "query"))]


class NewRequest(Body):
    """Which sections of whose summary you ask for, for what, and why."""

    client: HandleText
    purpose: Purpose
    sections: Annotated[
        list[Literal[tuple(Section)]],  # type: ignore[valid-type]  # its members
        Field(min_length=1, max_length=len(Section)),
    ]
    reason_code: Reason


class NewAnswer(Body):
    """What the client said, line by line: `sections` are the lines with a yes.

    `until`: the last day of what is given, or the day from which it may be asked again.
    """

    state: Literal["given", "narrowed", "refused", "deferred"]
    sections: Annotated[
        list[Literal[tuple(Section)]] | None,  # type: ignore[valid-type]  # its members
        Field(min_length=1, max_length=len(Section)),
    ] = None
    notice: dict[str, Any] | None = None
    evidence: dict[str, Any] | None = None
    capacity: dict[str, Any] | None = None
    functions: list[Any] | None = None
    until: Day | None = None


@router.post("", status_code=201)
async def post_request(
    caller: AskingCaller,
    body: Annotated[NewRequest, Depends(body_of(NewRequest))],
    services: RequestServices,
) -> Response:
    """Ask a client to share something with you. That there is none, or a no, is never told."""
    order = ConsentQuestion(
        client=Handle(body.client),
        purpose=body.purpose,
        sections=frozenset(map(Section, body.sections)),
        reason_code=body.reason_code,
    )
    most = services.settings.consent_requests_a_day
    asked = settled(await services.writer.run(ask_consent, caller, order, services.rulebook, most))
    shown = {
        "request": asked.request,
        "state": asked.state,
        "sections": list(asked.sections),
        "closes": instant_text(asked.closes_at),
    }
    return answer(shown, 201)


@router.get("")
async def get_requests(
    caller: RequestOnlooker,
    services: RequestServices,
    box: Annotated[Literal["inbox", "outbox"] | None, Query()] = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The newest questions first: what was asked of your clients (inbox), what you asked."""
    which = box or ("inbox" if "consent" in caller.scopes else "outbox")
    if NEEDED[which] not in caller.scopes:
        raise reaches_no_further(caller, services)
    if state not in (None, *SEEN[which]):
        raise RequestRefused(INVALID_CONTENT, (("state", "no_such_state"),))
    mine = f"consent-requests|{caller.organisation}|{which}|{state}"
    before = None if cursor is None else place_in(services.cursor_key, mine, cursor)
    me = OrganisationId(caller.organisation)
    wanted = Box(me, which == "inbox", state, before, limit + 1)
    page = await services.reader.run(
        lambda found: _listed(found, looking(services, found, caller), wanted),
        tenant=caller.organisation,
    )
    items = page[:limit]
    following = None
    if len(page) > limit:
        last, _ = items[-1]
        following = cursor_after(services.cursor_key, mine, last.asked_at, last.id)
    return answer({"items": [shown for _, shown in items], "next": following})


@router.post("/{request}/answer")
async def post_answer(
    request: RequestPath,
    caller: ConsentCaller,
    body: Annotated[NewAnswer, Depends(body_of(NewAnswer))],
    services: RequestServices,
) -> Response:
    """What the client says to it: yes to every line, yes to some, no, or later."""
    said = body.model_dump(include={"notice", "evidence", "capacity", "functions"})
    order = RequestAnswer(
        request=RequestId(handover_in(request)),
        state=ConsentState(body.state),
        sections=None if body.sections is None else frozenset(map(Section, body.sections)),
        until=body.until,
        said={name: each for name, each in said.items() if each is not None},
    )
    letter = Letter.new(services)
    give = giving(caller, services, letter)
    kept = settled(await services.writer.run(answer_request, caller, order, give))
    return answer(_kept(kept) | ({} if kept.given is None else letter.told(kept.given)))


def giving(caller: Caller, services: Services, letter: Letter) -> Give:
    """The one way in which consents are given, for whom the caller answers."""

    def give(tx: Transaction, client: Handle, body: Mapping[str, Any]) -> Outcome[Given]:
        order = ConsentOrder(client, body, CapacityRules(services.settings.assessment_months))
        return give_consent(tx, caller, order, services.receipts, services.rulebook, letter.digests)

    return give


def _listed(
    connection: Connection, look: Looking, box: Box
) -> list[tuple[Request, dict[str, Any]]]:
    shown = partial(_asked_of_us, connection, look) if box.inbox else partial(_asked_by_us, look)
    found = requests.page(connection, shard=SHARD, box=box, now=look.now)
    return [(each, shown(each)) for each in found]


def _asked_by_us(look: Looking, each: Request) -> dict[str, Any]:
    return {
        "request": each.id,
        "client": each.handle,
        "purpose": each.purpose,
        "sections": each.sections.split(),
        "reason_code": each.reason_code,
        "state": each.told(look.now),
        "asked_at": instant_text(each.asked_at),
        "closes": instant_text(each.closes_at),
    }


def _asked_of_us(connection: Connection, look: Looking, each: Request) -> dict[str, Any]:
    handle = records.handle_of(
        connection, shard=SHARD, client=each.client, organisation=each.holder
    )
    state, until = each.standing(look.now), each.deferred_until
    resting = state is ConsentState.DEFERRED and until is not None
    return _asked_by_us(look, each) | {
        "client": handle,
        "requester": f"org:{each.requester}",
        "sections": list(requests.lines_of(look.vault, each)),
        "state": state,
        "until": instant_text(until) if resting and until else None,
        "consent": each.consent,
    }


def _kept(kept: AnswerKept) -> dict[str, Any]:
    shown: dict[str, Any] = {"request": kept.request, "state": kept.state}
    if kept.given is not None:
        shown |= {"consent": kept.given.consent, "receipt": kept.given.receipt}
    if kept.until is not None:
        shown["until"] = instant_text(kept.until)
    return shown | {"yes": list(kept.yes), "no": list(kept.no)}
