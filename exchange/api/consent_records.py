"""What is kept of a consent, for the client and for other systems: receipt, page and record."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from consent.receipt_page import LANGUAGES, language_of, receipt_page
from consent.views import VIEWS
from exchange.api.answers import NO_STORE, answer
from exchange.api.consents import consent_in
from exchange.api.dependencies import ConsentCaller, RequestServices
from exchange.api.forms import ConsentPath
from exchange.api.negotiation import liked_best
from exchange.flows.view_consents import view_receipt
from exchange.flows.view_record import RecordLook, view_record
from exchange.problems import settled

router = APIRouter(tags=["consents"])

_JWT, _JOSE, _PAGE = "application/jwt", "application/jose", "text/html"
Form = Annotated[Literal["dpv", "kantara", "fhir", "oslo", "odrl"] | None, Query(alias="as")]


@router.get("/v1/consents/{consent}/receipt")
async def get_receipt(
    consent: ConsentPath, caller: ConsentCaller, services: RequestServices, request: Request
) -> Response:
    """The receipt that the client was given (a compact JWS), byte for byte.

    With `Accept: text/html` a page to print, in the language of `Accept-Language`, else in that
    of the notice that was shown: nl, fr, en, ar or tr.
    """
    kind = liked_best(request, "accept", (_JWT, _JOSE, _PAGE)) or _JWT
    if kind != _PAGE:
        receipt = settled(await services.writer.run(view_receipt, caller, consent_in(consent)))
        return Response(receipt, media_type=kind, headers=dict(NO_STORE))
    look = RecordLook(consent_in(consent), "page", services.settings.public_base_url)
    found, setting = settled(await services.writer.run(view_record, caller, look))
    own = language_of(found.terms.notice.lang)
    others = (own, *(each for each in LANGUAGES if each != own))
    language = liked_best(request, "accept-language", others) or own
    page = await run_in_threadpool(receipt_page, found, setting, language)
    return Response(page, media_type=_PAGE, headers=_saved(language))


@router.get("/v1/consents/{consent}/record")
async def get_record(
    consent: ConsentPath,
    caller: ConsentCaller,
    services: RequestServices,
    request: Request,
    form: Form = None,
) -> Response:
    """The consent for others: `dpv` (the whole record), `kantara`, `fhir`, `oslo` or `odrl`.

    Without `as` the form that `Accept` names, else the record. With `Accept: application/jwt` the
    same is signed (a compact JWS with the member `record`).
    """
    name = form or ("fhir" if _asks_fhir(request) else "dpv")
    view = VIEWS[name]
    look = RecordLook(consent_in(consent), name, services.settings.public_base_url)
    found, setting = settled(await services.writer.run(view_record, caller, look))
    made = view.made(found, setting)
    kind = liked_best(request, "accept", (view.media_type, _JWT, _JOSE)) or view.media_type
    if kind == view.media_type:
        raw = json.dumps(made, ensure_ascii=False).encode()
        return Response(raw, media_type=kind, headers=dict(NO_STORE))
    claims = {"iss": services.receipts.issuer, "iat": int(found.at.timestamp()), "record": made}
    signed = await run_in_threadpool(services.receipts.sign_record, claims)
    return Response(signed, media_type=kind, headers=dict(NO_STORE))


@router.get("/.well-known/consent-receipt-keys.json")
async def get_receipt_keys(services: RequestServices) -> Response:
    """The public keys that receipts and signed records verify with (a JWK set)."""
    return answer(services.receipts.keys)


def _asks_fhir(request: Request) -> bool:
    fhir = VIEWS["fhir"].media_type
    return liked_best(request, "accept", (VIEWS["dpv"].media_type, fhir)) == fhir


def _saved(language: str) -> dict[str, str]:
    # To be saved and opened from there: no page that a browser shows as ours holds a person's data.
    name = 'attachment; filename="receipt.html"'
    return {**NO_STORE, "Content-Language": language, "Content-Disposition": name}
