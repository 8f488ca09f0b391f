"""Tokens where others may read them: in an address, or in a body (RFC 6750, 2.2 and 2.3)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request

from exchange.api.limits import attempt
from exchange.flows.end_token import end_leaked
from exchange.problems import MALFORMED, RequestRefused
from exchange.security.strict_json import NotJson, read_json
from exchange.security.tokens import InvalidToken
from exchange.services import Services

_NAME = "access_token"
_MAX_DEPTH = 32


async def refuse_in_address(request: Request, services: Services) -> None:
    """Refuse a request with a token in its query, and end that token.

    It may stand in logs and histories by now, so it counts no more, wherever it comes from.
    """
    query: bytes = request.scope["query_string"]
    if _NAME.encode() in query:
        await _refuse(request, services, dict(parse_qsl(query.decode("ascii", "replace"))))


async def refuse_in_body(request: Request, services: Services) -> None:
    """As `refuse_in_address`, for a token that stands in the body, as JSON or as a form."""
    raw = await request.body()
    if _NAME.encode() not in raw:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        await _refuse(request, services, dict(parse_qsl(raw.decode("ascii", "replace"))))
    with suppress(NotJson):
        value = read_json(raw, max_bytes=services.settings.max_body_bytes, max_depth=_MAX_DEPTH)
        await _refuse(request, services, value if isinstance(value, dict) else {})


async def _refuse(request: Request, services: Services, found: Mapping[str, Any]) -> None:
    if _NAME not in found:
        return
    text = str(found[_NAME])
    try:
        with attempt(request, services, said=text, heard=services.tokens.knows(text)):
            token = services.tokens.identified(text, services.clock())
    except InvalidToken:
        raise RequestRefused(MALFORMED) from None
    if services.admission.frozen is None:
        await services.writer.run(end_leaked, token)
    raise RequestRefused(MALFORMED)
