"""T97 and T98: requests that could be read in two ways, that are too large, or never end."""

import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from fastapi.responses import StreamingResponse

from exchange import arrival
from exchange.arrival import MOST_HEAD
from exchange.services import Services
from exchange.threshold import MOST_HEADERS
from tests.cases.listening import (
    HOST,
    bytewise,
    flooding,
    holding,
    listening,
    request,
    sent,
    sent_and_left,
    silent,
    statuses,
    whole,
)

CHUNKED = b"POST /oauth/token HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"

SMUGGLING = {
    "a-length-and-coding": CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a-coding-after-length": b"POST /oauth/token HTTP/1.1\r\nContent-Length: 4\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "a-two-lengths": request(
        "POST /oauth/token", "Content-Length: 0", "Content-Length: 30", body=SMUGGLED
    ),
    "a-a-list-of-lengths": request("POST /oauth/token", "Content-Length: 0, 30", body=SMUGGLED),
    "a-a-signed-length": request("POST /oauth/token", "Content-Length: +0", body=SMUGGLED),
    "a-a-space-before-the-colon": request("POST /oauth/token", "Content-Length : 0", body=SMUGGLED),
    "a-another-coding": request("POST /oauth/token", "Transfer-Encoding: xchunked", body=SMUGGLED),
    "a-two-codings": CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a-a-bare-line-feed": b"POST /oauth/token HTTP/1.1\r\n" + HOST[:-2] + b"\nA: b\r\n\r\n",
    "a-a-trailer": CHUNKED + b"\r\n0\r\nAuthorization: Bearer x\r\n\r\n" + SMUGGLED,
    "a-a-chunk-size-with-a-sign": CHUNKED + b"\r\n+1\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a-a-chunk-size-of-zeros": CHUNKED + b"\r\n" + b"0" * 30 + b"1\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a-a-chunk-that-is-longer": CHUNKED + b"\r\n1\r\nxy\r\n0\r\n\r\n" + SMUGGLED,
    "b-a-chunk-extension": CHUNKED + b"\r\n1;a=b\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "b-an-extension-of-the-last-chunk": CHUNKED + b"\r\n1\r\nx\r\n0;a\r\n\r\n" + SMUGGLED,
    "b-a-space-after-a-chunk-size": CHUNKED + b"\r\n1 \r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "c-a-folded-header": request("GET /healthz", "X-A: b", " folded"),
    "c-a-folded-length": request("POST /oauth/token", "Content-Length:", " 30", body=SMUGGLED),
    "c-a-header-that-begins-with-a-space": b"GET /healthz HTTP/1.1\r\n " + HOST + b"\r\n",
}

LARGE = {
    "d-100000-headers": request("GET /healthz", *(f"a{n}: b" for n in range(100_000))),
    "d-one-header-too-many": request("GET /healthz", *(f"a{n}: b" for n in range(MOST_HEADERS))),
    "e-a-header-of-64-kib": request("GET /healthz", "X-A: " + "b" * 65_536),
    "e-a-name-of-64-kib": request("GET /healthz", "b" * 65_536 + ": a"),
    "e-an-address-of-64-kib": request("GET /" + "b" * 65_536),
}


@pytest.fixture
def port(services: Services) -> Any:
    with listening(services) as port:
        yield port


@pytest.mark.case("T97")
@pytest.mark.parametrize("part", ["a", "b", "c"])
@pytest.mark.parametrize("cut", [whole, bytewise])
def test_t97_what_two_readers_could_frame_differently_is_refused_and_ends_the_connection(
    port: int, cut: Callable[[bytes], Iterable[bytes]], part: str
) -> None:
    for name, text in SMUGGLING.items():
        if not name.startswith(part):
            continue
        answer = sent(port, *cut(text), half_close=False)

        assert statuses(answer) == [400], name
        assert b'{"type":"urn:overdracht:problem:malformed-request"' in answer, name
        assert b"\r\nx-content-type-options: nosniff\r\n" in answer, name


@pytest.mark.case("T97")
@pytest.mark.parametrize("name", LARGE)
def test_t97_a_head_that_is_too_large_is_refused(port: int, name: str) -> None:
    answer = sent(port, LARGE[name])

    # Whoever is cut off in the midst of sending may not get to read why.
    assert statuses(answer) in ([431], [])
    assert statuses(answer) == [431] or len(LARGE[name]) > 4 * MOST_HEAD
    assert statuses(sent(port, request("GET /healthz", "Connection: close"))) == [200]


@pytest.mark.case("T97")
def test_t97_a_head_of_the_largest_size_is_taken(port: int) -> None:
    bare = request("GET /healthz", "Connection: close", "X-A: ")
    exactly = request("GET /healthz", "Connection: close", "X-A: " + "b" * (MOST_HEAD - len(bare)))

    assert len(exactly) == MOST_HEAD
    assert statuses(sent(port, exactly)) == [200]
    assert statuses(sent(port, exactly.replace(b"X-A: ", b"X-A: b"))) == [431]


@pytest.mark.parametrize("cut", [whole, bytewise])
def test_requests_one_after_another_are_each_answered_however_they_are_cut(
    port: int, cut: Callable[[bytes], Iterable[bytes]]
) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    several = (
        request("GET /healthz")
        + CHUNKED
        + f"{form}\r\n\r\n".encode()
        + b"5\r\ngrant\r\nA\r\n_type=none\r\n0\r\n\r\n"
        + request("POST /oauth/token", form, "Content-Length: 15", body=b"grant_type=none")
        + request("POST /oauth/token", form, "Content-Length: 0")
        + request("GET /readyz", "Connection: close")
    )

    answer = sent(port, *cut(several), half_close=False)

    assert statuses(answer) == [200, 400, 400, 400, 200]
    assert answer.count(b"unsupported_grant_type") == 3


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.0", "1.2"])
def test_another_version_of_http_is_not_guessed_at(port: int, version: str) -> None:
    assert statuses(sent(port, f"GET /healthz HTTP/{version}\r\nHost: a\r\n\r\n".encode())) == [400]
    assert statuses(sent(port, b"GET /healthz\r\n\r\n")) == [400]


@pytest.mark.case("T98")
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-",
        request("POST /oauth/token", "Content-Length: 100", body=b"grant_type"),
        CHUNKED + b"\r\n5\r\ngr",
    ],
    ids=["nothing", "half-a-head", "half-a-body", "half-a-chunk"],
)
def test_t98_who_sends_a_request_forever_is_hung_up_on(
    services: Services, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(arrival, "WHOLE_SECONDS", 0.2)

    with listening(services) as port:
        answer = sent(port, begun, half_close=False)

    assert statuses(answer) in ([], [400])


@pytest.mark.case("T98")
def test_t98_who_never_takes_an_answer_is_hung_up_on(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "TAKEN_SECONDS", 0.2)

    ended = threading.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            for _ in range(1_000):
                yield b"x" * 65_536
        finally:
            ended.set()

    async def large() -> StreamingResponse:
        return StreamingResponse(pieces())

    with listening(services, large) as port:
        taken = sent_and_left(port, request("GET /large"), ended)

    assert len(taken) < 65_536_000


def test_who_asks_on_and_on_without_waiting_is_hung_up_on(port: int) -> None:
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        flooding(port, request("GET /healthz") * 100, times=10_000)
    assert statuses(sent(port, request("GET /healthz", "Connection: close"))) == [200]


def test_connections_that_hold_still_leave_room_for_a_refusal_and_then_for_others(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "MOST_CONNECTIONS", 2)
    asked = request("GET /healthz", "Connection: close")

    with listening(services) as port:
        with holding(port), holding(port):
            refused = sent(port, asked)
        served = sent(port, asked)

    assert statuses(refused) == [503]
    assert b"\r\nretry-after: 1\r\n" in refused
    assert statuses(served) == [200]


def test_who_says_nothing_is_counted_and_one_too_many_is_refused_unasked(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "MOST_CONNECTIONS", 2)

    with listening(services) as port:
        with silent(port), silent(port):
            refused = sent(port, half_close=False)
        served = sent(port, request("GET /healthz", "Connection: close"))

    assert statuses(refused) == [503]
    assert statuses(served) == [200]


@pytest.mark.case("T110")
def test_t110a_what_is_no_request_is_not_repeated_in_any_log(
    services: Services, capfd: pytest.CaptureFixture[str]
) -> None:
    name = b"Vanhoutteghem"
    with listening(services) as port:
        for text in (
            b"GET /" + name,
            b"GET /x HTTP/1.1\r\n" + name + b"\r\n\r\n",
            CHUNKED + b"\r\n" + name,
            request("GET /healthz", f"Upgrade: {name.decode()}", "Connection: upgrade"),
            request(f"POST /{name.decode()}?{name.decode()}", "Content-Length: x"),
            name * 10_000,
        ):
            assert name not in sent(port, text)

    told = capfd.readouterr()
    assert name.decode() not in told.out + told.err
