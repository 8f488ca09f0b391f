"""The body of a new consent, in our own form or as a FHIR R4 Consent."""

import re
from typing import Any

from fastapi import Request

from consent.fhir_import import body_of
from consent.terms import TermsRefused
from exchange.api.dependencies import json_of
from exchange.problems import INVALID_CONTENT, RequestRefused
from exchange.security.tokens import Caller
from policies.vocabulary import Handle

_FHIR = "application/fhir+json"
_TYPES = re.compile(
    r'application/(?:fhir\+)?json(?:[ \t]*;[ \t]*charset="?utf-8"?)?', re.IGNORECASE
)


async def consent_body_of(request: Request, client: Handle, caller: Caller) -> dict[str, Any]:
    """A consent record without id, client, controller and events, as it is judged later."""
    body = await json_of(request, types=_TYPES)
    if not isinstance(body, dict):
        raise RequestRefused(INVALID_CONTENT, (("body", "object_needed"),))
    if not is_foreign(request):
        return body
    try:
        return body_of(body, handle=client, controller=caller.organisation)
    except TermsRefused as refused:
        raise RequestRefused(INVALID_CONTENT, refused.problems) from None


def is_foreign(request: Request) -> bool:
    """Whether it is in the form of others: it was given before, and is taken over from there."""
    return request.headers["content-type"].lower().startswith(_FHIR)
