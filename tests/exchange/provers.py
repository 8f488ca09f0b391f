"""Machines that prove with every request that they hold the key of their token (RFC 9449)."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from exchange.problems import BASE
from exchange.security.dpop import token_hash
from exchange.security.tokens import Signer, new_signing_key, signer_from_jwk
from exchange.services import Services
from tests.exchange.machines import Machine, endpoint, machine_of
from tests.exchange.security.forging import signing, token

TOKENS, BOXES, QUERY = "/oauth/token", "/v1/handovers", "/v1/summaries/query"


@dataclass
class Prover:
    """A machine with a key of its own for its tokens."""

    machine: Machine
    key: Signer = field(default_factory=lambda: signer_from_jwk(new_signing_key()))
    _numbers: Any = field(default_factory=lambda: count(1))

    @property
    def services(self) -> Services:
        return self.machine.services

    @cached_property
    def http(self) -> TestClient:
        return endpoint(self.services)

    @cached_property
    def token(self) -> str:
        """An access token that is bound to the key, from the token endpoint."""
        answer = self.asks_for_token()
        assert answer.status_code == 200, answer.text
        bound: str = answer.json()["access_token"]
        return bound

    def asks_for_token(self, *proofs: str) -> Response:
        made = proofs or (self.proof("POST", TOKENS),)
        headers = [("DPoP", each) for each in made]
        return self.http.post(TOKENS, data=self.machine.form(), headers=headers)

    def proof(
        self, method: str, path: str, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A good proof for the request, but for what is said to be different."""
        url = self.services.settings.public_base_url + path
        now = int(self.services.clock().timestamp())
        said = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.bare_jwk()} | (header or {})
        body = {"jti": f"p-{next(self._numbers)}", "htm": method, "htu": url, "iat": now} | claims
        whole = {name: value for name, value in body.items() if value is not None}
        return token(said, whole, signing(self.key.private))

    def proof_of_token(self, method: str, path: str, **more: Any) -> str:
        return self.proof(method, path, **{"ath": token_hash(self.token), **more})

    def asks(self, method: str, path: str, *, proof: str | None = None, **more: Any) -> Response:
        """A request with the token, and with a fresh proof unless one is given."""
        made = self.proof_of_token(method, path) if proof is None else proof
        headers = {"Authorization": f"DPoP {self.token}", "DPoP": made} | more.pop("headers", {})
        return self.http.request(method, path, headers=headers, **more)


def prover_of(services: Services, organisation: str = "destap-ww") -> Prover:
    return Prover(machine_of(services, organisation))


def assert_refused(answer: Response, error: str = "invalid_dpop_proof") -> None:
    """401 that says what is wrong in its challenge, and nothing in its body."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith(f'DPoP error="{error}", algs="ES256"')
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"{BASE}not-authenticated",
        "title": "A valid access token is needed",
        "status": 401,
    }
