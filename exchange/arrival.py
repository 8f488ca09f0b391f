"""How bytes become a request: uvicorn's own protocol, and the limits that it has none of.

The parser beneath refuses what two readers could frame differently (both lengths, folded
lines, lone line feeds: RFC 9112, sections 2.2, 5.2 and 6.3). Left open are how large a head may
grow, how long a request may take, and what hides in a chunked body: extensions, which some
proxies read otherwise, and trailers, which would come out as headers.
"""

import re
from asyncio import TimerHandle, Transport
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from exchange.problems import HEADERS_TOO_LARGE, MALFORMED, UNAVAILABLE, Problem
from exchange.threshold import Headers, refusing, with_walls

MOST_HEAD = 16_384
"""Bytes of request line and headers together."""

WHOLE_SECONDS = 20.0
"""A request must have come whole so long after its connection or its first byte."""

TAKEN_SECONDS = 30.0
"""An answer of which nothing is taken for so long is cut off."""

MOST_WAITING = 32
"""Requests that may wait on one connection for the answer to an earlier one."""

MOST_CONNECTIONS = 900
"""One more is refused as it is made. A process may commonly have 1024 files open."""

HTTP = frozenset({"1.0", "1.1"})
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_LONGEST_LINE = 10


class Arrival(HttpToolsProtocol):
    """One connection. The parser is given pieces that end where a part of the request ends.

    So it is known of each byte which part it belongs to.
    """

    walls: ClassVar[Headers] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: TimerHandle | None = None
        self._untaken: TimerHandle | None = None
        self._refused = False
        self._next_message()

    def _next_message(self) -> None:
        self._head = 0  # bytes of it so far
        self._tail = b""  # its last three, in which its end may have begun
        self._in_body = self._chunked = False
        self._left = 0  # bytes of the body, or of this chunk, still to come
        self._line = b""  # what there is of the line before a chunk
        self._last_chunk = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as its parent
        super().connection_made(transport)
        # Before anything is asked: who says nothing has a file open, too.
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(UNAVAILABLE)
            return
        self._deadline = self.loop.call_later(WHOLE_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser piece by piece; refuse and hang up at the first that may not be."""
        while data and not self._refused and self.parser is not None:
            piece = self._body_piece(data) if self._in_body else self._head_piece(data)
            if not piece:
                self._refuse(MALFORMED)
                return
            super().data_received(data[:piece])
            data = data[piece:]
            if len(self.pipeline) > MOST_WAITING:
                # Reading would go on with every answer, and the queue grow for ever.
                self._refused = True
                self.transport.abort()
            if self._head == 0 and not self._in_body:
                self._arrived()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(WHOLE_SECONDS, self._give_up)

    def _head_piece(self, data: bytes) -> int:
        """How much of the data belongs to the head; nothing when it grew too large."""
        end = (self._tail + data).find(b"\r\n\r\n")
        piece = len(data) if end < 0 else end + 4 - len(self._tail)
        self._tail = (self._tail + data[:piece])[-3:] if end < 0 else b""
        self._head += piece
        if self._head <= MOST_HEAD:
            return piece
        return self._refuse(HEADERS_TOO_LARGE)

    def _body_piece(self, data: bytes) -> int:
        """How much of the data belongs to this chunk or to the body, or to the line before it."""
        if self._left or not self._chunked:
            piece = min(self._left, len(data))
            self._left -= piece
            return piece
        end = data.find(b"\n") + 1
        piece = end or len(data)
        self._line += data[: min(piece, _LONGEST_LINE + 1)]
        if not end and len(self._line) <= _LONGEST_LINE:
            return piece
        line, self._line = self._line, b""
        if self._last_chunk:
            return piece if line == b"\r\n" else self._refuse(MALFORMED)
        size = _CHUNK.fullmatch(line)
        if size is None:
            return self._refuse(MALFORMED)
        bytes_in_chunk = int(size[1], 16)
        self._last_chunk = bytes_in_chunk == 0
        self._left = bytes_in_chunk + 2 if bytes_in_chunk else 0
        return piece

    def on_headers_complete(self) -> None:
        self._in_body = True
        for name, value in self.headers:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"transfer-encoding":
                self._chunked = True
        if self.parser.get_http_version() not in HTTP:
            self._refuse(MALFORMED)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()
        self._next_message()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._untaken is None:
            self._untaken = self.loop.call_later(TAKEN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - a parser's words are not for strangers
        self._refuse(MALFORMED)

    def _unsupported_upgrade_warning(self) -> None:
        """No upgrade is offered, so asking for one changes nothing (RFC 9110, section 7.8)."""

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()

    def _refuse(self, problem: Problem) -> int:
        """Tell why and hang up: where the next request would begin is not known any more.

        With an answer to an earlier request on its way nothing is told: it would be taken for
        a part of that.
        """
        if self._refused:
            return 0
        self._refused = True
        answers = [each for each, _ in self.pipeline]
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]  # its type leaves out that none may have begun
            answers.append(self.cycle)
        mine = 1 if self._in_body else 0  # begun, and waiting for the body that is at fault
        if len(answers) <= mine and not any(each.response_started for each in answers):
            self.transport.write(told(problem, self.walls))
        self.transport.close()
        return 0


def told(problem: Problem, walls: Headers) -> bytes:
    """The whole answer, as it goes over the wire."""
    headers = with_walls([*refusing(problem), (b"connection", b"close")], walls)
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[problem.status] + lines + b"\r\n" + problem.body()


def arrival(walls: Headers) -> type[Arrival]:
    """The protocol for a server whose answers carry these headers."""
    return type("ArrivalHere", (Arrival,), {"walls": walls})
