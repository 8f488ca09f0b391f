"""One query asked very many times: straight at the service, without a connection between."""

import asyncio
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from tests.builders import Broker

WINDOW = 64
"""Requests under way at once."""

UNAVAILABLE = 503


class Asked:
    """One query again and again, each time with other sections, several under way at once."""

    def __init__(self, broker: Broker, body: dict[str, Any], token: str) -> None:
        self._app, self._body, self._token = broker.app, body, token

    async def all(self, of: Iterable[tuple[str, ...]]) -> list[tuple[tuple[str, ...], int, Any]]:
        """Each subset with status and body of its answer; 503 is no answer, and asked again."""
        left, answers = iter(of), []
        while some := list(islice(left, WINDOW)):
            given = await asyncio.gather(*(self._answer(each) for each in some))
            answers += [(each, *answer) for each, answer in zip(some, given, strict=True)]
        return answers

    async def _answer(self, sections: tuple[str, ...]) -> tuple[int, Any]:
        while (answer := await self._one(sections))[0] == UNAVAILABLE:
            pass
        return answer

    async def _one(self, sections: tuple[str, ...]) -> tuple[int, Any]:
        raw = json.dumps(self._body | {"sections": sections}).encode()
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self._app(self._scope(len(raw)), receive, send)
        return told[0]["status"], json.loads(b"".join(each["body"] for each in told[1:]))

    def _scope(self, length: int) -> dict[str, Any]:
        headers = {
            "host": "broker",
            "authorization": f"Bearer {self._token}",
            "content-type": "application/json",
            "content-length": str(length),
        }
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/summaries/query",
            "raw_path": b"/v1/summaries/query",
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("broker", 80),
        }
