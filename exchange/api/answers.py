"""Answers: JSON bytes built once, never to be stored by anybody on the way."""

from collections.abc import Mapping

from fastapi import Response
from pydantic_core import to_json

NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer in UTF-8."""
    raw = to_json(body)
    return Response(raw, status, {**NO_STORE, **(headers or {})}, "application/json")
