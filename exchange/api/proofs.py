"""What proves a consent, over HTTP: the client's code, and the page that was signed."""

import hashlib
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import StringConstraints

from consent.codes import code_in
from consent.confirming import NotConfirmed, context_of
from consent.proof_records import Document, client_of
from consent.scans import MOST_BYTES, kind_of
from exchange.api.answers import answer
from exchange.api.consents import consent_in
from exchange.api.dependencies import Body, ConsentCaller, RequestServices, body_of
from exchange.api.forms import ConsentPath
from exchange.flows.confirm_consent import Confirmation, confirm_consent
from exchange.flows.keep_evidence import SignedPage, keep_evidence, view_evidence
from exchange.problems import INVALID_CONTENT, TOO_LARGE, RequestRefused, settled
from exchange.services import SHARD
from policies.vocabulary import NOBODY

router = APIRouter(prefix="/v1/consents", tags=["consents"])


class Said(Body):
    """The code as the client said it, or as it was typed."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=40)]


@router.post("/{consent}/confirmation")
async def post_confirmation(
    consent: ConsentPath,
    caller: ConsentCaller,
    body: Annotated[Said, Depends(body_of(Said))],
    services: RequestServices,
) -> Response:
    """Confirm a provisional consent with the code from the letter. Five wrong ones end the code."""
    order = Confirmation(consent_in(consent), code_in(body.code))
    confirmed = settled(await services.writer.run(confirm_consent, caller, order))
    if isinstance(confirmed, NotConfirmed):
        raise RequestRefused(INVALID_CONTENT, (("code", confirmed.why),))
    return answer({"consent": confirmed.consent, "state": confirmed.state})


# Twice what is taken: so that a page that is somewhat too long is told so as a problem of ours.
@router.put("/{consent}/evidence", status_code=204, max_body_size=2 * MOST_BYTES)
async def put_evidence(
    consent: ConsentPath, request: Request, caller: ConsentCaller, services: RequestServices
) -> Response:
    """Keep the signed page of a consent: a PDF, PNG or JPEG, whose SHA-256 the consent names."""
    data = await _page(request)
    kind = kind_of(data)
    if kind is None:
        raise RequestRefused(INVALID_CONTENT, (("body", "pdf_png_or_jpeg_needed"),))
    named, sha256 = consent_in(consent), hashlib.sha256(data).hexdigest()
    asked = partial(client_of, shard=SHARD, consent=named, controller=caller.organisation)
    client = await services.reader.run(asked, tenant=caller.organisation)
    sealed = b""
    if client != NOBODY:  # before the queue: the command looks again whose it is
        sealing = partial(services.vault.seal, client, data, context_of(named, sha256))
        sealed = await run_in_threadpool(sealing)
    page = SignedPage(named, client, Document(sha256, kind, sealed))
    settled(await services.writer.run(keep_evidence, caller, page))
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


@router.get("/{consent}/evidence")
async def get_evidence(
    consent: ConsentPath, caller: ConsentCaller, services: RequestServices
) -> Response:
    """The signed page again, byte for byte. The look is logged."""
    named = consent_in(consent)
    kept = settled(await services.writer.run(view_evidence, caller, named))
    document = kept.document
    opening = partial(services.vault.open, kept.client, document.sealed)
    data = await run_in_threadpool(opening, context_of(named, document.sha256))
    headers = {"Cache-Control": "no-store", "Content-Disposition": "attachment"}
    return Response(data, media_type=document.media_type, headers=headers)


async def _page(request: Request) -> bytes:
    """The body, read no further than a page may be long."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_BYTES:
            raise RequestRefused(TOO_LARGE)
    return bytes(data)
