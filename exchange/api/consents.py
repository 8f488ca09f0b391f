"""Consents over HTTP, for the organisation that asked for them."""

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, StringConstraints

from consent.belgian_time import instant
from consent.capacity import CapacityRules
from consent.codes import Code, make
from consent.content import Terms, grant_document
from consent.ending import ending, over
from consent.lifecycle import dpv_state, releases
from consent.register import ConsentView
from consent.ways import unconfirmed
from exchange.api.answers import answer
from exchange.api.clients import handle_in
from exchange.api.consent_bodies import consent_body_of, is_foreign
from exchange.api.dependencies import (
    Body,
    ConsentCaller,
    DirectRoute,
    RequestServices,
    body_of,
    caller_with,
    let_in_unwritten,
    services_of,
)
from exchange.api.forms import CONSENT, ClientPath, ConsentPath, ShortCode, instant_text
from exchange.api.previews import preview_document
from exchange.changing import Given
from exchange.flows.give_consent import ConsentOrder, give_consent
from exchange.flows.preview_consent import preview_consent
from exchange.flows.view_consents import view_consents
from exchange.flows.withdraw_consent import Withdrawal, withdraw_consent
from exchange.problems import settled
from exchange.services import Services
from exchange.writer import Busy
from policies.vocabulary import ConsentId, ConsentState, GrantId

router = APIRouter(prefix="/v1", tags=["consents"])


class NewWithdrawal(Body):
    """By which way the client said so, and which grants it is about; without: all of them."""

    via: ShortCode
    grants: (
        Annotated[
            list[Annotated[str, StringConstraints(pattern=r"^g[0-9]{1,6}$")]],
            Field(min_length=1, max_length=200),
        ]
        | None
    ) = None


_caller = caller_with("consent")
_CODES = 3
"""Codes that are made for one consent: of a million kept, one is somebody's by chance."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The codes of which one stops a consent that is about to be given."""

    codes: tuple[Code, ...]
    digests: tuple[bytes, ...]

    @classmethod
    def new(cls, services: Services) -> "Letter":
        codes = tuple(make() for _ in range(_CODES))
        return cls(codes, tuple(services.keys.stopping.digest("", each) for each in codes))

    def told(self, given: Given) -> dict[str, Any]:
        """What is told once, for the client's letter: how to confirm it, and how to stop it."""
        told = waiting(given.terms)
        if given.code is not None:
            told["code"] = given.code.shown
        if given.stop_code is not None:
            told["withdrawal_code"] = self.codes[given.stop_code].shown
        return told


async def post_consent(client: ClientPath, request: Request) -> Response:
    """Record what a client agreed to and what not; the receipt is for the client.

    The body may be a FHIR R4 Consent (`application/fhir+json`) too, in the form of the record.
    """
    services, caller = await services_of(request), await _caller(request)
    handle = handle_in(client)
    body = await consent_body_of(request, handle, caller)
    rules = CapacityRules(services.settings.assessment_months)
    order = ConsentOrder(handle, body, rules, past=is_foreign(request))
    letter = Letter.new(services)
    given = settled(
        await services.writer.run(
            give_consent, caller, order, services.receipts, services.rulebook, letter.digests
        )
    )
    body_out = {
        "consent": given.consent,
        "state": given.state,
        "grants": [grant_document(grant) for grant in given.terms.grants],
        "receipt": given.receipt,
        **letter.told(given),
    }
    return answer(body_out, 201)


router.add_api_route(
    "/clients/{client}/consents",
    post_consent,
    methods=["POST"],
    status_code=201,
    route_class_override=DirectRoute,
)


@router.post("/clients/{client}/consents/preview")
async def post_preview(
    client: ClientPath, request: Request, caller: ConsentCaller, services: RequestServices
) -> Response:
    """What would leave today if the client agreed to this, and the text to show; not kept.

    With its `hash` as `preview`, the consent is refused when it is no longer what was shown.
    """
    handle = handle_in(client)
    body = await consent_body_of(request, handle, caller)
    rules = CapacityRules(services.settings.assessment_months)
    look = partial(preview_consent, past=is_foreign(request))
    order = (handle, body, services.rulebook, rules)
    previewed = settled(await services.writer.run(look, caller, *order))
    return answer(preview_document(services.vault, previewed))


@router.get("/clients/{client}/consents")
async def get_consents(
    client: ClientPath, caller: ConsentCaller, services: RequestServices
) -> Response:
    """Every consent that this client gave to you, oldest first. The look is logged."""
    views = settled(await services.writer.run(view_consents, caller, handle_in(client)))
    now = instant(services.clock())
    return answer({"items": [_shown(each, now) for each in views], "next": None})


@router.post("/consents/{consent}/withdrawal")
async def post_withdrawal(
    consent: ConsentPath,
    caller: ConsentCaller,
    body: Annotated[NewWithdrawal, Depends(body_of(NewWithdrawal))],
    services: RequestServices,
) -> Response:
    """Stop sharing, at once: no fetch after this answer rests on what was withdrawn.

    While the log can not be written nothing is fetched either: it is kept, and done first (202).
    """
    grants = None if body.grants is None else tuple(GrantId(each) for each in body.grants)
    order = Withdrawal(consent_in(consent), body.via, grants)
    try:
        committed = await services.writer.run(withdraw_consent, caller, order)
    except Busy:
        if services.admission.frozen is None:
            raise
        await let_in_unwritten(caller, services)
        await run_in_threadpool(services.spool.keep, caller, order)
        return answer({"consent": order.consent, "state": "received"}, 202)
    ended = settled(committed)
    body_out = {
        "consent": ended.consent,
        "state": ended.state,
        "withdrawn_at": instant_text(ended.at),
    }
    return answer(body_out)


def consent_in(text: str) -> ConsentId:
    """The id in a path; what has not the form of one is nobody's."""
    return ConsentId(text if re.fullmatch(CONSENT, text) else "c-none")


def waiting(terms: Terms) -> dict[str, Any]:
    """What the holder must still see to: until when to confirm, what was not understood."""
    waits: dict[str, Any] = {}
    if terms.confirm_by is not None:
        waits |= {"provisional": True, "confirm_by": instant_text(terms.confirm_by)}
    if terms.not_given:
        asked = [{"purpose": no.purpose, "recipient": no.recipient} for no in terms.not_given]
        waits["not_given"] = asked
    return waits


def _shown(view: ConsentView, now: int) -> dict[str, Any]:
    terms, state = view.terms, _state_at(view, now)
    return {
        "consent": view.consent,
        "state": state,
        "term": dpv_state(state),
        "suspended": view.suspended,
        "version": view.version,
        **_end(view),
        **waiting(terms if releases(view.state) else replace(terms, confirm_by=None)),
        "grants": [grant_document(grant) for grant in terms.grants],
        "denials": [
            {"sections": list(each.sections), "recipient": each.recipient} for each in terms.denials
        ],
        "refused": [
            {"purpose": each.purpose, "recipient": each.recipient} for each in terms.refused
        ],
        "notice": {
            "id": terms.notice.id,
            "version": terms.notice.version,
            "lang": terms.notice.lang,
            "sha256": terms.notice.sha256,
            "filled_sha256": terms.notice.filled_sha256,
        },
        "hash": terms.agreed,
        "given_at": instant_text(instant(view.given_at)),
    }


def _end(view: ConsentView) -> dict[str, Any]:
    """When it ends by itself, and why; nothing for one that has ended."""
    if not releases(view.state):
        return {}
    end = ending(view.terms, instant(view.renewed_at))
    return {"ends_at": instant_text(end.at), "ends_because": end.because}


def _state_at(view: ConsentView, now: int) -> ConsentState:
    """How it stands; a consent of which every grant is over has expired."""
    gone = over(view.terms, instant(view.renewed_at)).at <= now or unconfirmed(view.terms, now)
    return ConsentState.EXPIRED if gone and releases(view.state) else view.state
