"""Recalls over HTTP: who must erase what a client withdrew, by when, and what each said."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from exchange import handovers, recalls, records
from exchange.api.answers import answer
from exchange.api.clients import handle_in
from exchange.api.credentials import keys_in
from exchange.api.cursors import cursor as cursor_after
from exchange.api.cursors import place_in
from exchange.api.dependencies import (
    Body,
    ConsentCaller,
    HandoverCaller,
    RequestServices,
    body_of,
    onlooker_with,
)
from exchange.api.envelopes import MASKED, Looking, looking
from exchange.api.forms import ClientPath, instant_text
from exchange.flows.answer_recall import Certificate, answer_recall
from exchange.flows.view_recalls import view_recalls
from exchange.problems import settled
from exchange.recalls import LAWS, Recall, RecallOutcome, RecallState
from exchange.security.contexts import RECALL_CERTIFICATE
from exchange.security.jose_profile import InvalidToken, VerifiedClaims, verify
from exchange.security.tokens import Caller
from exchange.services import SHARD, Services

router = APIRouter(prefix="/v1", tags=["recalls"])

NOBODYS = "none"
MOST_SHOWN = 1000
"""Recalls of one client that are shown with one look, the newest."""
RecallPath = Annotated[str, Path(alias="recall", max_length=200)]
Onlooker = Annotated[Caller, Depends(onlooker_with("consent", "handover"))]
_SIGNED = frozenset({RecallOutcome.ERASED, RecallOutcome.KEPT, RecallOutcome.NEVER_OPENED})


class NewCertificate(Body):
    """What became of it: a compact JWS, signed with the key that the application registered.

    Its claims: `iss` (the application), `aud` (our issuer), `iat`, `recall`, `outcome` (`erased`,
    `kept` or `never_opened`); where something is kept also `law` and `until`, a day to come.
    """

    certificate: Annotated[str, Field(min_length=20, max_length=4096)]


@router.get("/recalls")
async def get_recalls(
    caller: Onlooker,
    services: RequestServices,
    box: Annotated[Literal["inbox", "outbox"], Query()] = "inbox",
    state: Annotated[RecallState | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The newest recalls first: what you must erase, or (`outbox`) what others must.

    `state=escalated` is the list for the data protection officers of both sides.
    """
    mine = f"recalls|{caller.organisation}|{box}|{state}"
    before = None if cursor is None else place_in(services.cursor_key, mine, cursor)

    def listed(found: Connection) -> list[tuple[Recall, dict[str, Any]]]:
        look = looking(services, found, caller)
        rows = recalls.page(
            found,
            shard=SHARD,
            organisation=look.me,
            inbox=box == "inbox",
            state=state,
            now=look.now,
            before=before,
            limit=limit + 1,
        )
        return [(each, _line(found, look, each)) for each in rows]

    page = await services.reader.run(listed, tenant=caller.organisation)
    items, more = page[:limit], len(page) > limit
    following = None
    if more:
        last = items[-1][0]
        following = cursor_after(services.cursor_key, mine, last.made_at, last.id)
    return answer({"items": [shown for _, shown in items], "next": following})


@router.post("/recalls/{recall}/certificate")
async def post_certificate(
    recall: RecallPath,
    caller: HandoverCaller,
    body: Annotated[NewCertificate, Depends(body_of(NewCertificate))],
    services: RequestServices,
) -> Response:
    """Certify what became of what you had received, once: erased, kept by law, or never opened."""
    certificate = await _certified(services, caller, _recall_in(recall), body.certificate)
    kept = settled(await services.writer.run(answer_recall, caller, certificate))
    return answer(_said(kept, kept.state_at(kept.made_at)) | {"sha256": certificate.sha256})


@router.get("/clients/{client}/recalls")
async def get_recalls_of_client(
    client: ClientPath, caller: ConsentCaller, services: RequestServices
) -> Response:
    """Whom your client's withdrawals were told to, and what each did. The look is logged."""
    done = await services.writer.run(view_recalls, caller, handle_in(client), MOST_SHOWN)
    viewed = settled(done)
    items = [
        {"recipient": f"org:{each.recipient}", **_said(each, each.state_at(viewed.now))}
        for each in viewed.recalls
    ]
    return answer({"items": items, "next": None})


def _recall_in(text: str) -> str:
    """The id in a path; what has not the form of one is nobody's."""
    return text if re.fullmatch(r"[0-9a-f-]{36}", text) else NOBODYS


async def _certified(services: Services, caller: Caller, recall: str, text: str) -> Certificate:
    directory, at = await services.reader.run(services.reads_directory.current), services.clock()
    try:
        claims = verify(
            text,
            RECALL_CERTIFICATE,
            key_of=keys_in(directory, at),
            audience=services.settings.issuer,
            at=at,
        )
    except InvalidToken:
        return _good_for_nothing(recall, text, "signature")
    fault = _fault(claims, caller, recall, at.date())
    if fault is not None:
        return _good_for_nothing(recall, text, fault)
    law, until = claims.get("law"), claims.get("until")
    return Certificate(
        recall=recall,
        outcome=RecallOutcome(str(claims.get("outcome"))),
        law=None if law is None else str(law),
        until=None if until is None else str(until),
        text=text,
    )


def _good_for_nothing(recall: str, text: str, fault: str) -> Certificate:
    return Certificate(recall, RecallOutcome.ACKNOWLEDGED, None, None, text, fault)


def _fault(claims: VerifiedClaims, caller: Caller, recall: str, today: date) -> str | None:
    """What is wrong with what was signed: whose it is, about what, and what it says."""
    outcome, law, until = (claims.get(name) for name in ("outcome", "law", "until"))
    if claims.text("iss") != caller.application:
        return "signed_by_another"
    if claims.get("recall") != recall:
        return "of_another_recall"
    if outcome not in _SIGNED:
        return "outcome"
    if outcome != RecallOutcome.KEPT:
        return None if law is None and until is None else "only_what_is_kept_has_a_law"
    if law not in LAWS:
        return "law"
    return None if _is_to_come(until, today) else "until"


def _is_to_come(until: object, today: date) -> bool:
    if not isinstance(until, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", until):
        return False
    try:
        return date.fromisoformat(until) > today
    except ValueError:
        return False


def _line(found: Connection, look: Looking, recall: Recall) -> dict[str, Any]:
    """A recall as one of its two sides sees it; where the origin is masked it stays so."""
    whose = recall.client
    hidden = look.me == recall.recipient and handovers.masked_for(
        found, shard=SHARD, client=whose, recipient=look.me
    )
    handle = records.handle_of(found, shard=SHARD, client=whose, organisation=look.me)
    return {
        "from": MASKED if hidden else {"org": recall.controller},
        "to": {"org": recall.recipient},
        "subject": {"pairwise_id": handle},
        **({} if hidden else {"consent": recall.consent}),
        **_said(recall, recall.state_at(look.now)),
    }


def _said(recall: Recall, state: RecallState) -> dict[str, Any]:
    """How far it has come, without whose it is. `told` and `due` as they were at first."""
    shown: dict[str, Any] = {
        "recall": recall.id,
        "state": state,
        "purpose": recall.purpose,
        "told": instant_text(recall.made_at),
        "due": instant_text(recall.due_at),
        "reminders": recall.reminders,
    }
    if recall.outcome is None or recall.answered_at is None:
        return shown
    answered = {"outcome": recall.outcome, "answered": instant_text(recall.answered_at)}
    kept = {"law": recall.law, "until": recall.until} if recall.law else {}
    return shown | answered | kept | {"contradicted": recall.contradicted}
