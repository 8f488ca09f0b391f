"""The organisations that the demonstration plays: machines that talk to the broker over HTTP."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from httpx2 import Client, Response

from exchange.registering import applications_new
from exchange.security.contexts import CLIENT_ASSERTION
from exchange.security.jose_profile import sign
from exchange.security.possession import proof_of_key
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import Services

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60
_RENEW_SECONDS = 240


class Party:
    """One organisation's application: its own key, its own token, the public addresses only."""

    def __init__(self, services: Services, http: Client, organisation: str) -> None:
        self._http, self._clock = http, services.clock
        self._signer = signer_from_jwk(new_signing_key())
        issuer, at = services.settings.issuer, services.clock()
        proof = proof_of_key(self._signer, issuer=issuer, organisation=organisation, at=at)
        key = self._signer.public_jwk()
        asked = {"organisation": organisation, "key": key, "proof": proof}
        (made,) = applications_new(services, asked)
        self.application: str = made["application"]
        self._issuer: str = made["issuer"]
        self._endpoint: str = made["token_endpoint"]
        self._token, self._until = "", 0.0

    def token(self, *, fresh: bool = False) -> str:
        """An access token from the token endpoint; a new one when the last grows old."""
        if fresh or time.monotonic() >= self._until:
            answer = self._http.post(self._endpoint, data=self._credentials())
            answer.raise_for_status()
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + _RENEW_SECONDS
        return self._token

    def post(self, path: str, body: Mapping[str, Any]) -> Response:
        """A call with a JSON body; a push is told apart by a key of its own."""
        return self._call("POST", path, body, {"Idempotency-Key": str(uuid4())})

    def put(self, path: str, body: Mapping[str, Any]) -> Response:
        return self._call("PUT", path, body)

    def get(self, path: str) -> Response:
        return self._call("GET", path)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        sent = {"Authorization": f"Bearer {self.token()}", **(headers or {})}
        return self._http.request(method, path, json=body, headers=sent)

    def _credentials(self) -> dict[str, str]:
        """The form of RFC 7523, section 2.2: an assertion that counts once."""
        now = int(self._clock().timestamp())
        claims = {
            "iss": self.application,
            "sub": self.application,
            "aud": self._issuer,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": str(uuid4()),
        }
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": sign(CLIENT_ASSERTION, claims, self._signer),
        }
