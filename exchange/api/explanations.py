"""Explanations over HTTP: of an entry of the log, and the form that every explanation has."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from exchange.api.answers import answer
from exchange.api.dependencies import RequestServices, caller_with
from exchange.api.forms import moment_text
from exchange.api.negotiation import liked_best
from exchange.flows.explain_entry import EVERYTHING, explain_entry
from exchange.problems import NOT_AVAILABLE, RequestRefused, settled
from exchange.security.tokens import Caller
from policies.explaining import LANGUAGES, Account, Audience, explain, gone

router = APIRouter(tags=["explanations"])

AuditCaller = Annotated[Caller, Depends(caller_with("audit", EVERYTHING))]
_PLACES = 18


@router.get("/v1/audit/entries/{index}/explanation")
async def get_explanation(
    index: str,
    request: Request,
    caller: AuditCaller,
    services: RequestServices,
    whom: Annotated[Literal["client", "counsellor", "auditor"] | None, Query(alias="as")] = None,
) -> Response:
    """What was decided then and why, in the language of `Accept-Language`: nl, fr or en.

    For the holder of the client and for oversight auditors. `as` says whom it speaks to; without
    it a counsellor, and the auditor who sees all entries. Where the details are gone, `gone` says
    how and `text` says so.
    """
    if not (index.isascii() and index.isdigit() and len(index) <= _PLACES):
        raise RequestRefused(NOT_AVAILABLE)
    audience, language = audience_of(caller, whom), language_of(request)
    run = services.writer.run(explain_entry, caller, int(index), audience, services.rulebook)
    found = settled(await run)
    told: dict[str, Any] = {
        "index": found.index,
        "kind": found.kind,
        "time": moment_text(found.at),
        "gone": found.gone,
        "text": None if found.gone is None else gone(found.gone, language),
        "explanation": None
        if found.account is None
        else explained(found.account, audience, language),
    }
    return answer(told)


def language_of(request: Request) -> str:
    """The language that the asker likes best of those that there are."""
    return liked_best(request, "accept-language", LANGUAGES) or LANGUAGES[0]


def audience_of(caller: Caller, whom: str | None) -> Audience:
    """Whom an explanation speaks to, where that was not said: who asks, as far as is known."""
    if whom is not None:
        return Audience(whom)
    return Audience.AUDITOR if EVERYTHING in caller.scopes else Audience.COUNSELLOR


def explained(account: Account, audience: Audience, language: str) -> dict[str, Any]:
    """The explanation as it is answered."""
    made = explain(account, audience, language)
    grounds = made.grounds
    return {
        "language": made.language,
        "as": made.audience,
        "outcome": made.outcome,
        "headline": made.headline,
        "why": made.why,
        "next": made.next,
        "steps": [
            {
                "gate": each.gate,
                "held": each.held,
                "code": each.code,
                "text": each.text,
                "law": [{"key": key, "place": place} for key, place in each.law],
            }
            for each in made.steps
        ],
        "grounds": {
            "agreement": grounds.agreement,
            "basis": grounds.basis,
            "consents": list(grounds.consents),
            "grants": list(grounds.grants),
            "notices": list(grounds.notices),
        },
        "withheld": [
            {"why": why, "text": text, "fields": list(fields)} for why, text, fields in made.kept
        ],
    }
