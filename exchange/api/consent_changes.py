"""The life of a consent over HTTP: what is due, renewed, held, ended by others or never valid."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sqlalchemy import Connection

from consent import agenda
from consent.agenda import FIRST, LATEST, Due
from consent.belgian_time import instant
from consent.content import grant_document
from consent.lifecycle import dpv_state
from exchange import records
from exchange.api.answers import answer
from exchange.api.consents import consent_in, waiting
from exchange.api.cursors import cursor as cursor_after
from exchange.api.cursors import place_in
from exchange.api.dependencies import (
    Body,
    ConsentCaller,
    ConsentOnlooker,
    RequestServices,
    body_of,
    json_of,
)
from exchange.api.envelopes import looking
from exchange.api.forms import ConsentPath, ShortCode, instant_text
from exchange.changing import Changing, NowStands
from exchange.flows.annul_consent import invalidate_consent, revoke_consent
from exchange.flows.hold_consent import hold_consent, resume_consent
from exchange.flows.renew_consent import RenewalOrder, renew_consent
from exchange.problems import INVALID_CONTENT, RequestRefused, settled
from exchange.security.tokens import Caller
from exchange.services import SHARD, Services
from exchange.transaction import Committed
from policies.vocabulary import OrganisationId

router = APIRouter(prefix="/v1/consents", tags=["consents"])
SOON = timedelta(days=30)
"""So long before its end a consent is shown as ending: time to ask the client anew."""


class NewInvalidation(Body):
    """Why it never was a valid consent (GDPR articles 4(11), 7 and 8)."""

    reason: Literal[
        "no_capacity", "not_free", "not_informed", "wrong_person", "no_evidence", "entered_in_error"
    ]


class NewRevocationByOther(Body):
    """Who ended it in the client's place, or over the client's word."""

    by: Literal["representative", "second_parent", "court", "supervisory_authority"]


class NewSuspension(Body):
    """Why it waits."""

    reason: Literal["under_review", "client_asked", "capacity_in_doubt"]


class NewResumption(Body):
    """By which way the client confirmed it."""

    via: ShortCode


IfMatch = Annotated[str | None, Header(max_length=40)]


@router.get("/due")
async def get_due_consents(
    caller: ConsentOnlooker,
    services: RequestServices,
    which: Annotated[Literal["ending", "held"], Query()] = "ending",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Your consents that end within 30 days, soonest first; or those that are held.

    Without content. What would tell a birthday is told to the month: the client's own list
    of consents says the day.
    """
    box = f"{caller.organisation}|consents|{which}"
    after = FIRST if cursor is None else place_in(services.cursor_key, box, cursor)
    soon = instant(services.clock() + SOON)
    wanted = {"held": which == "held", "until": LATEST if which == "held" else soon}
    page = await services.reader.run(
        lambda found: _due(found, services, caller, after=after, most=limit + 1, **wanted),
        tenant=caller.organisation,
    )
    items, more = page[:limit], len(page) > limit
    last = items[-1][0] if more else None
    following = (
        None if last is None else cursor_after(services.cursor_key, box, last.due_at, last.id)
    )
    return answer({"items": [shown for _, shown in items], "next": following})


def _due(
    connection: Connection, services: Services, caller: Caller, **wanted: Any
) -> list[tuple[Due, dict[str, Any]]]:
    me = looking(services, connection, caller).me
    found = agenda.due_of(connection, shard=SHARD, controller=me, **wanted)
    return [(each, _line(connection, me, each)) for each in found]


def _line(connection: Connection, me: OrganisationId, due: Due) -> dict[str, Any]:
    handle = records.handle_of(connection, shard=SHARD, client=due.client, organisation=me)
    return {
        "consent": due.id,
        "client": handle,
        "state": due.state,
        "version": due.version,
        "due_at": instant_text(due.due_at),
    }


@router.post("/{consent}/renewal")
async def post_renewal(
    consent: ConsentPath,
    request: Request,
    caller: ConsentCaller,
    services: RequestServices,
    if_match: IfMatch = None,
) -> Response:
    """Record that the client says yes once more; the receipt is for the client."""
    body = await json_of(request)
    if not isinstance(body, dict):
        raise RequestRefused(INVALID_CONTENT, (("body", "object_needed"),))
    order = RenewalOrder(consent_in(consent), body, version_in(if_match))
    receipts = services.receipts
    renewed = settled(
        await services.writer.run(
            renew_consent, caller, order, receipts.issuer, receipts.sign, services.rulebook
        )
    )
    stands = renewed.changed
    body_out = {
        "consent": renewed.consent,
        "state": stands.state,
        "grants": [grant_document(grant) for grant in stands.terms.grants],
        "receipt": renewed.receipt,
        **waiting(stands.terms),
    }
    if renewed.code is not None:
        body_out["code"] = renewed.code.shown
    return answer(body_out, headers={"ETag": f'"{stands.version}"'})


@router.post("/{consent}/invalidation")
async def post_invalidation(
    consent: ConsentPath,
    caller: ConsentCaller,
    body: Annotated[NewInvalidation, Depends(body_of(NewInvalidation))],
    services: RequestServices,
    if_match: IfMatch = None,
) -> Response:
    """Record that this never was a valid consent. Nothing rests on it from now on."""
    order = Changing(consent_in(consent), body.reason, version_in(if_match))
    return _stands(await services.writer.run(invalidate_consent, caller, order))


@router.post("/{consent}/revocation")
async def post_revocation(
    consent: ConsentPath,
    caller: ConsentCaller,
    body: Annotated[NewRevocationByOther, Depends(body_of(NewRevocationByOther))],
    services: RequestServices,
    if_match: IfMatch = None,
) -> Response:
    """Record that somebody else who may ended the consent. The proof stays in your file."""
    order = Changing(consent_in(consent), body.by, version_in(if_match))
    return _stands(await services.writer.run(revoke_consent, caller, order))


@router.post("/{consent}/suspension")
async def post_suspension(
    consent: ConsentPath,
    caller: ConsentCaller,
    body: Annotated[NewSuspension, Depends(body_of(NewSuspension))],
    services: RequestServices,
    if_match: IfMatch = None,
) -> Response:
    """Hold the consent: nothing is released on it until it is resumed or renewed."""
    order = Changing(consent_in(consent), body.reason, version_in(if_match))
    return _stands(await services.writer.run(hold_consent, caller, order))


@router.post("/{consent}/resumption")
async def post_resumption(
    consent: ConsentPath,
    caller: ConsentCaller,
    body: Annotated[NewResumption, Depends(body_of(NewResumption))],
    services: RequestServices,
    if_match: IfMatch = None,
) -> Response:
    """Let a held consent go on, as the client confirmed."""
    order = Changing(consent_in(consent), body.via, version_in(if_match))
    return _stands(await services.writer.run(resume_consent, caller, order))


def version_in(if_match: str | None) -> int | None:
    """The version that an `If-Match` names; nothing for any version."""
    if if_match is None or if_match == "*":
        return None
    found = re.fullmatch(r'"([0-9]{1,9})"', if_match)
    # Any other tag is one that we never gave: it can only be stale.
    return int(found[1]) if found else -1


def _stands(committed: Committed[NowStands]) -> Response:
    stands = settled(committed)
    body_out = {
        "consent": stands.consent,
        "state": stands.state,
        "term": dpv_state(stands.state),
        "suspended": stands.suspended,
        "version": stands.version,
    }
    return answer(body_out, headers={"ETag": f'"{stands.version}"'})
