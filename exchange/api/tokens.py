"""Access tokens over HTTP: client credentials with a signed assertion."""

from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from consent.belgian_time import instant
from exchange.api.answers import answer
from exchange.api.dependencies import RequestServices, proof_in, url_of, used_up_unwritten
from exchange.directory import Directory
from exchange.flows.administer import EVERY_SCOPE
from exchange.flows.issue_token import Asked, Granted, considered, issue_token
from exchange.problems import (
    BAD_TOKEN_PROOF,
    BAD_TOKEN_REQUEST,
    INVALID_CLIENT,
    INVALID_SCOPE,
    TOKEN_NEEDS_NONCE,
    UNSUPPORTED_GRANT,
    RequestRefused,
)
from exchange.security.dpop import InvalidProof, Proof, StaleNonce, verify_proof
from exchange.security.registered_keys import RegisteredKey, register_key
from exchange.security.tokens import InvalidToken
from exchange.services import Services
from exchange.writer import Busy
from policies.decision import Refused
from policies.vocabulary import ApplicationId, Reason

router = APIRouter(tags=["tokens"])
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FIELDS = frozenset(
    {"grant_type", "client_assertion_type", "client_assertion", "scope", "client_id", "resource"}
)
_MOST_BYTES = 16_384


@router.post("/oauth/token")
async def post_token(request: Request, services: RequestServices) -> Response:
    """An access token for an application that signs with its registered key (RFC 7523)."""
    form = _form(request, await request.body())
    # A secret in a header is no way to a token here, whatever else is sent along.
    if form.get("grant_type") != "client_credentials" or "authorization" in request.headers:
        raise RequestRefused(UNSUPPORTED_GRANT)
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise RequestRefused(INVALID_CLIENT)
    directory = await services.reader.run(services.reads_directory.current)
    asked = replace(_asked(form, services, directory), proof=_proof(request, services))
    granted = await _granted(asked, services)
    if isinstance(granted, Refused):
        raise RequestRefused(INVALID_SCOPE if granted.told else INVALID_CLIENT)
    token, seconds = services.tokens.issue(
        application=asked.application,
        organisation=granted.organisation,
        scopes=granted.scopes,
        at=services.clock(),
        token_id=granted.token_id,
        thumbprint=None if asked.proof is None else asked.proof.thumbprint,
    )
    body = {
        "access_token": token,
        "token_type": "DPoP" if asked.proof else "Bearer",
        "expires_in": seconds,
        "scope": " ".join(sorted(granted.scopes)),
    }
    return answer(body)


@router.get("/.well-known/oauth-authorization-server")
async def show_metadata(services: RequestServices) -> Response:
    """Where and how tokens are given (RFC 8414). From the settings, never from the request."""
    issuer = services.settings.issuer
    return answer(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/oauth/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "scopes_supported": sorted(EVERY_SCOPE),
        }
    )


@router.get("/.well-known/jwks.json")
async def show_keys(services: RequestServices) -> Response:
    """The public keys that our tokens verify with."""
    return answer(services.tokens.public_keys())


async def _granted(asked: Asked, services: Services) -> Granted | Refused:
    """What may be signed for. A log that takes nothing more does not keep a client from stopping.

    Then nothing is written. All that such a token opens is what a frozen log lets happen.
    """
    if services.admission.frozen is None:
        try:
            return (await services.writer.run(issue_token, asked)).value
        except Busy:
            if services.admission.frozen is None:
                raise
    return await services.reader.run(partial(_granted_unwritten, asked, services))


def _granted_unwritten(
    asked: Asked, services: Services, connection: Connection
) -> Granted | Refused:
    if not used_up_unwritten(services, connection, asked.uses):
        return Refused(Reason.CALLER_REVOKED)
    return considered(services.reads_directory.current(connection), asked, str(uuid4()))


def _proof(request: Request, services: Services) -> Proof | None:
    """The proof of the key that the token is to be bound to (RFC 9449 section 5)."""
    at = services.clock()
    try:
        proof = proof_in(request)
        if proof is None:
            if services.settings.dpop_needed:
                raise RequestRefused(BAD_TOKEN_PROOF)
            return None
        return verify_proof(
            proof,
            method="POST",
            url=url_of(request, services),
            nonces=services.nonces.good(at),
            at=at,
        )
    except StaleNonce:
        raise RequestRefused(TOKEN_NEEDS_NONCE) from None
    except InvalidProof:
        raise RequestRefused(BAD_TOKEN_PROOF) from None


def _form(request: Request, raw: bytes) -> dict[str, str]:
    """The form's fields, each at most once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or len(raw) > _MOST_BYTES:
        raise RequestRefused(BAD_TOKEN_REQUEST)
    try:
        pairs = parse_qsl(raw.decode("ascii"), strict_parsing=True, max_num_fields=len(_FIELDS))
    except ValueError:
        raise RequestRefused(BAD_TOKEN_REQUEST) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RequestRefused(BAD_TOKEN_REQUEST)
    return form


def _asked(form: dict[str, str], services: Services, directory: Directory) -> Asked:
    def key_of(issuer: str, kid: str) -> RegisteredKey | None:
        known = directory.applications.get(ApplicationId(issuer))
        if known is None or known.revoked or known.key.get("kid") != kid:
            return None
        return register_key(known.key, issuer=issuer)

    try:
        assertion = services.assertions.read(form["client_assertion"], key_of, services.clock())
    except InvalidToken:
        raise RequestRefused(INVALID_CLIENT) from None
    if form.get("client_id", assertion.application) != assertion.application:
        raise RequestRefused(INVALID_CLIENT)
    scopes = frozenset(form["scope"].split()) if "scope" in form else None
    if scopes is not None and not scopes <= EVERY_SCOPE:
        raise RequestRefused(INVALID_SCOPE)
    return Asked(
        application=ApplicationId(assertion.application),
        token_id=assertion.token_id,
        # Remembered for longer than any clock of ours could still take it for valid.
        until=instant(assertion.expires_at) + 120_000_000,
        scopes=scopes,
    )
