"""Partners' machines, and the endpoint where they ask for tokens."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from exchange.api.credentials import ASSERTION_TYPE
from exchange.app import create_app
from exchange.flows.administer import NewApplication, register_application, revoke_application
from exchange.security.tokens import Signer, new_signing_key, signer_from_jwk
from exchange.services import Services
from policies.vocabulary import ApplicationId, OrganisationId
from tests.exchange.commands import PATIENCE
from tests.exchange.security.forging import signing, token


@dataclass
class Machine:
    """A partner's machine: it holds a private key and asks for tokens with it."""

    services: Services
    application: str
    key: Signer
    _numbers: Any = field(default_factory=lambda: count(1))

    def assertion(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(self.services.clock().timestamp())
        said = {"alg": "ES256", "typ": "JWT", "kid": self.key.kid} | (header or {})
        body = {"iss": self.application, "sub": self.application, "iat": now, "exp": now + 60}
        body |= {"aud": self.services.settings.issuer, "jti": f"a-{next(self._numbers)}"} | claims
        whole = {name: value for name, value in body.items() if value is not None}
        return token(said, whole, signing(self.key.private))

    def form(self, **more: str) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return form | {"client_assertion": self.assertion()} | more

    def ask(self, **more: str) -> Response:
        return endpoint(self.services).post("/oauth/token", data=self.form(**more))


def endpoint(services: Services) -> TestClient:
    return TestClient(create_app(services), raise_server_exceptions=False)


def machine_of(
    services: Services, organisation: str = "destap-ww", scopes: frozenset[str] | None = None
) -> Machine:
    key = signer_from_jwk(new_signing_key())
    order = NewApplication(OrganisationId(organisation), key.public_jwk(), scopes)
    done: Any = services.writer.submit(register_application, order).result(PATIENCE).value
    return Machine(services, done.application, key)


def revoke(services: Services, machine: Machine) -> None:
    application = ApplicationId(machine.application)
    services.writer.submit(revoke_application, application).result(PATIENCE)
