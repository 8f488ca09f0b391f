"""A request to a witness ends in time, whatever the other side does."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from audit.checkpoints import Checkpoint, new_note_key, open_note, sign_note, verified
from audit.notes import Algorithm
from audit.witnessing import MAX_BODY, Unreachable
from exchange.checkpointing import Signing
from exchange.services import Services
from exchange.witnesses import over_http
from tests.exchange.commands import PATIENCE


@contextmanager
def answering(raw: bytes, *, endless: bool = False) -> Iterator[str]:
    """Somebody who answers one request with these bytes, perhaps for ever."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            try:
                connection.sendall(raw)
                while endless:
                    connection.sendall(b"x" * 65_536)
            except OSError:
                return

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    listening.close()
    thread.join(PATIENCE)


@pytest.mark.case("AL22")
def test_a_body_without_end_is_not_waited_for() -> None:
    with (
        answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", endless=True) as url,
        pytest.raises(Unreachable),
    ):
        over_http(url, b"x")


@pytest.mark.case("AL22")
@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_who_drips_is_cut_off_at_the_end_of_the_whole_time(start: bytes) -> None:
    listening, cut = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(start)
            for _ in range(200):
                connection.sendall(b"x")
                time.sleep(0.05)
            return
        cut.set()

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(Unreachable):
        over_http(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"x", seconds=0.5)

    assert time.monotonic() - began < 2
    assert cut.wait(2)
    listening.close()


def test_the_watch_goes_on_while_the_signer_hangs(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, watched = threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(services.checkpointing, "once", lambda: hangs.wait(PATIENCE))
    monkeypatch.setattr(services.checkpointing, "watch", watched.release)
    signing = Signing(services.checkpointing, 0.02)

    seen = [watched.acquire(timeout=2) for _ in range(3)]

    hangs.set()
    signing.close()
    assert all(seen)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with answering(raw) as url:
        assert over_http(url, None).status == 302


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://", "nonsense", "http://[/"])
def test_nobody_there_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable):
        over_http(url, b"x")


def test_what_is_read_is_bounded() -> None:
    assert MAX_BODY < 100_000


def test_a_line_of_a_witness_verifies_and_that_of_the_log_does_not_pass_for_it() -> None:
    key = new_note_key("w.example", Algorithm.COSIGNATURE)
    text = Checkpoint("o", 1, bytes(32)).text

    assert verified(key.line(text, seconds=5), text, key.vkey)
    assert open_note(sign_note(key, text, seconds=5), [key.vkey]) is not None
