"""The real server on the loopback, and strangers who send it bytes."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from exchange.services import Services
from exchange.serving import server_for

PATIENCE = 10.0
HOST = b"Host: 127.0.0.1\r\n"


@contextmanager
def listening(services: Services, *more: Callable[..., Any]) -> Iterator[int]:
    """The port on which the server answers while the block lasts, at `/name` of each of `more`."""
    server = server_for(services, "127.0.0.1", 0)
    for each in more:
        server.config.app.add_api_route(f"/{each.__name__}", each)  # type: ignore[union-attr]  # it is ours
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def holding(port: int) -> Iterator[None]:
    """A connection that was answered once and then holds still."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as stranger:
        stranger.sendall(request("GET /healthz"))
        assert stranger.recv(65_536)
        yield


def silent(port: int) -> socket.socket:
    """A connection over which nothing is ever asked."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def sent(port: int, *pieces: bytes, half_close: bool = True) -> bytes:
    """All that is answered until the server hangs up, each piece sent as a packet of its own."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as stranger:
        stranger.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                stranger.sendall(piece)
            if half_close:
                stranger.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has hung up already; what it said before can still be read
        return b"".join(_received(stranger))


def _received(stranger: socket.socket) -> Iterator[bytes]:
    try:
        while data := stranger.recv(65_536):
            yield data
    except ConnectionResetError:
        return


def statuses(answer: bytes) -> list[int]:
    """The status of each answer in what came back."""
    return [int(each[:3]) for each in answer.split(b"HTTP/1.1 ")[1:]]


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request with a Host and whatever else is given."""
    return "\r\n".join((f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers, "", "")).encode() + body


def sent_and_left(port: int, asked: bytes, ended: threading.Event) -> bytes:
    """What there is to read for who began to read only when the server had ended the answer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as stranger:
        stranger.sendall(asked)
        assert ended.wait(PATIENCE)
        return b"".join(_received(stranger))


def flooding(port: int, piece: bytes, *, times: int) -> None:
    """Send the piece again and again, and read nothing of what is answered."""
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stranger.settimeout(PATIENCE)
        stranger.connect(("127.0.0.1", port))
        for _ in range(times):
            stranger.sendall(piece)


def whole(text: bytes) -> Iterable[bytes]:
    return (text,)


def bytewise(text: bytes) -> Iterable[bytes]:
    return (text[place : place + 1] for place in range(len(text)))
