"""Answers: JSON bytes built once, never to be stored by anybody on the way."""

import json
from collections.abc import Mapping

from fastapi import Response

NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer in UTF-8."""
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(raw, status, {**NO_STORE, **(headers or {})}, "application/json")
