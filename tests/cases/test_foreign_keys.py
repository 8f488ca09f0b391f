"""T32, T35, T36: another authorisation server may give the tokens, and its keys may fail us."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from exchange import foreign_keys
from exchange.database import Unsafe
from exchange.foreign_keys import COUNT_FOR, ForeignKeys, read_keys_at
from exchange.security.tokens import AccessTokens, Signer, new_signing_key, signer_from_jwk
from exchange.services import Services, build_services
from exchange.settings import Settings
from tests.builders import Clock
from tests.exchange.commands import PATIENCE
from tests.exchange.machines import endpoint, machine_of
from tests.exchange.provers import BOXES, Prover, assert_refused
from tests.exchange.security.forging import signing, token

ISSUER = "https://login.example"
THEIRS: Signer = signer_from_jwk(new_signing_key())


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [THEIRS.public_jwk()]}))
    return path


@pytest.fixture
def services(settings: Settings, clock: Clock, keys_file: Path) -> Iterator[Services]:
    """Services that take another server's tokens."""
    changed = {"token_issuer": ISSUER, "token_keys": str(keys_file)}
    built = build_services(settings.model_copy(update=changed), clock=clock)
    yield built
    built.close()


@pytest.fixture
def prover(services: Services) -> Prover:
    return Prover(machine_of(services))


def asks(prover: Prover, *, signer: Signer = THEIRS, **claims: Any) -> Response:
    """A request with a token that the other server gave, but for what is said to differ."""
    services, now = prover.services, int(prover.services.clock().timestamp())
    said: dict[str, Any] = {"iss": ISSUER, "sub": "machine-7", "aud": services.settings.issuer}
    said |= {"client_id": prover.machine.application, "organisation": "destap-ww"}
    said |= {"scope": "handover", "iat": now, "exp": now + 3_600, "jti": "x-1", "roles": ["r"]}
    said |= {"cnf": {"jkt": prover.key.kid}} | claims
    header = {"alg": "ES256", "typ": "at+jwt", "kid": signer.kid}
    prover.__dict__["token"] = token(header, said, signing(signer.private))
    return prover.asks("GET", BOXES)


def test_another_servers_token_opens_and_ours_are_not_given(prover: Prover) -> None:
    assert asks(prover).status_code == 200
    http = endpoint(prover.services)
    assert http.post("/oauth/token", data=prover.machine.form()).status_code == 404
    assert http.get("/.well-known/oauth-authorization-server").status_code == 404


@pytest.mark.case("T32")
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": "https://test.example"}, id="a"),
        pytest.param({"iss": "https://other.example"}, id="b"),
        pytest.param({"aud": ["http://127.0.0.1:8080"]}, id="c"),
        pytest.param({"organisation": "vdab-gent"}, id="another-organisation"),
        pytest.param({"scope": "handover audit-all"}, id="more-than-registered"),
        pytest.param({"client_id": "app:nobody-1"}, id="unknown-application"),
        pytest.param({"signer": signer_from_jwk(new_signing_key())}, id="unknown-key"),
    ],
)
def test_t32_a_token_for_others_or_for_more_opens_nothing(
    prover: Prover, claims: dict[str, Any]
) -> None:
    assert_refused(asks(prover, **claims), "invalid_token")


def test_our_own_tokens_open_nothing_while_another_gives_them(prover: Prover) -> None:
    own = AccessTokens(THEIRS, prover.services.settings.issuer, prover.services.settings.issuer)
    held, _ = own.issue(
        application=prover.machine.application,
        organisation="destap-ww",
        scopes=["handover"],
        at=prover.services.clock(),
        token_id=prover.key.kid,
        thumbprint=prover.key.kid,
    )
    prover.__dict__["token"] = held

    assert_refused(prover.asks("GET", BOXES), "invalid_token")


@pytest.mark.case("T35")
def test_t35_a_malformed_key_takes_nothing_from_the_others(prover: Prover, keys_file: Path) -> None:
    bad = {"kty": "OKP", "crv": "X448", "x": "!", "kid": "bad"}
    new = signer_from_jwk(new_signing_key())
    keys_file.write_text(json.dumps({"keys": [bad, new.public_jwk(), {"kty": 7}]}))
    assert prover.services.foreign_keys is not None
    prover.services.foreign_keys.refresh()

    assert asks(prover, signer=new).status_code == 200


def test_a_key_that_they_took_back_opens_nothing_not_even_what_it_opened_before(
    prover: Prover, keys_file: Path
) -> None:
    before = asks(prover)
    other = signer_from_jwk(new_signing_key())
    keys_file.write_text(json.dumps({"keys": [other.public_jwk()]}))
    assert prover.services.foreign_keys is not None
    prover.services.foreign_keys.refresh()

    assert before.status_code == 200
    assert_refused(asks(prover), "invalid_token")
    assert asks(prover, signer=other).status_code == 200


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


KEY_SET = json.dumps({"keys": [THEIRS.public_jwk()]}).encode()
Answering = Callable[[BaseHTTPRequestHandler], None]


def slow(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if HALTED.wait(0.05):
            return


HALTED = threading.Event()


def broken(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(503)
    handler.end_headers()
    handler.wfile.write(KEY_SET)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10):
        handler.wfile.write(b" " * 1_048_576)


def redirecting(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/private")
    handler.end_headers()


@contextmanager
def key_server(answering: Answering) -> Iterator[tuple[str, list[str]]]:
    """An address that answers so, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            try:
                answering(self)
            except OSError:
                return  # who asked has hung up

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    HALTED.clear()
    yield f"http://127.0.0.1:{server.server_port}/keys", asked
    HALTED.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.case("T36")
@pytest.mark.parametrize(
    "answering", [slow, broken, endless, redirecting], ids=["a", "b", "c", "d"]
)
def test_t36_keys_that_can_not_be_read_count_for_a_while_and_then_nobody_comes_in(
    services: Services,
    prover: Prover,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreign_keys, "PATIENCE", 0.3)
    seconds = Seconds()
    sources = iter([KEY_SET])
    with key_server(answering) as (address, asked):
        keys = ForeignKeys(
            ISSUER, lambda: next(sources, None) or read_keys_at(address), clock=seconds
        )
        tokens = AccessTokens(THEIRS, "", services.settings.issuer, foreign=keys)
        prover.machine.services = replace(services, tokens=tokens, foreign_keys=keys)
        at_first = asks(prover, jti="before")
        keys.refresh()
        read = asks(prover)
        keys.refresh()
        seconds.now = COUNT_FOR - 1
        kept = asks(prover)
        seconds.now = COUNT_FOR
        late = asks(prover)
        unknown = asks(prover, jti="new")

    assert asked == ["/keys"]
    codes = [each.status_code for each in (at_first, read, kept, late, unknown)]
    assert codes == [503, 200, 200, 503, 503]
    assert late.headers["retry-after"] == "1"


def test_keys_are_read_again_when_an_unknown_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again, readings = threading.Event(), count()

    def read() -> bytes:
        if next(readings):
            again.set()
        return KEY_SET

    keys = ForeignKeys(ISSUER, read)
    monkeypatch.setattr(foreign_keys, "SOONEST", 0.01)
    keys.start()
    try:
        assert keys.key_of("unknown") is None
        assert again.wait(PATIENCE)
        assert keys.key_of(THEIRS.kid) is not None
    finally:
        keys.close()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "changed",
    [
        {"token_issuer": ISSUER},
        {"token_keys": "https://login.example/keys"},
        {"token_issuer": ISSUER, "token_keys": "http://login.example/k", "profile": "production"},
    ],
    ids=["no-keys", "no-issuer", "no-tls"],
)
def test_half_a_setting_stops_the_start(settings: Settings, changed: dict[str, Any]) -> None:
    with pytest.raises(Unsafe, match="OVERDRACHT_TOKEN_KEYS"):
        build_services(Settings(data_dir=settings.data_dir, **changed))
