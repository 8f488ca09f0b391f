"""Access tokens over HTTP: client credentials with a signed assertion."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from consent.belgian_time import instant
from exchange.api.answers import NO_STORE, answer
from exchange.api.credentials import CREDENTIALS, assertion_in, form_of, use_of_assertion
from exchange.api.dependencies import RequestServices, proof_in, url_of, used_up_unwritten
from exchange.api.limits import attempt, counts_token
from exchange.flows.administer import EVERY_SCOPE
from exchange.flows.end_token import revoke_token
from exchange.flows.issue_token import Asked, Granted, considered, issue_token
from exchange.problems import (
    BAD_TOKEN_PROOF,
    BAD_TOKEN_REQUEST,
    INVALID_CLIENT,
    INVALID_SCOPE,
    TOKEN_NEEDS_NONCE,
    TOO_MANY_TOKENS,
    UNSUPPORTED_GRANT,
    RequestRefused,
)
from exchange.security.dpop import InvalidProof, Proof, StaleNonce, verify_proof
from exchange.security.tokens import Assertion, InvalidToken
from exchange.services import Services
from exchange.writer import Busy
from policies.decision import Refused
from policies.vocabulary import ApplicationId, Reason

router = APIRouter(tags=["tokens"])
_FIELDS = CREDENTIALS | {"grant_type", "scope", "resource"}


@router.post("/oauth/token")
async def post_token(request: Request, services: RequestServices) -> Response:
    """An access token for an application that signs with its registered key (RFC 7523)."""
    form = await form_of(request, _FIELDS)
    # A secret in a header is no way to a token here, whatever else is sent along.
    if form.get("grant_type") != "client_credentials" or "authorization" in request.headers:
        raise RequestRefused(UNSUPPORTED_GRANT)
    with attempt(request, services, said=form.get("client_assertion", "")):
        asked = _asked(form, await assertion_in(form, services))
    if not counts_token(asked, services):
        raise RequestRefused(TOO_MANY_TOKENS)
    asked = replace(asked, proof=_proof(request, services))
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


@router.post("/oauth/revocation")
async def post_revocation(request: Request, services: RequestServices) -> Response:
    """End one of your tokens before its time (RFC 7009); no process takes it from then on."""
    form = await form_of(request, CREDENTIALS | {"token", "token_type_hint"})
    if "token" not in form:
        raise RequestRefused(BAD_TOKEN_REQUEST)
    with attempt(request, services, said=form.get("client_assertion", "")):
        assertion = await assertion_in(form, services)
    try:
        token = services.tokens.identified(form["token"], services.clock())
    except InvalidToken:
        token = None  # it counts no more as it is: that is all that was wanted
    application, use = ApplicationId(assertion.application), use_of_assertion(assertion)
    done = (await services.writer.run(revoke_token, application, use, token)).value
    if isinstance(done, Refused):
        raise RequestRefused(BAD_TOKEN_REQUEST if done.told else INVALID_CLIENT)
    return Response(None, 200, NO_STORE)


@router.get("/.well-known/oauth-authorization-server")
async def show_metadata(services: RequestServices) -> Response:
    """Where and how tokens are given (RFC 8414). From the settings, never from the request."""
    issuer = services.settings.issuer
    return answer(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/oauth/token",
            "revocation_endpoint": f"{issuer}/oauth/revocation",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
            "revocation_endpoint_auth_signing_alg_values_supported": ["ES256"],
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
    directory, now = services.reads_directory.current(connection), instant(services.clock())
    return considered(directory, asked, str(uuid4()), now)


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


def _asked(form: Mapping[str, str], assertion: Assertion) -> Asked:
    scopes = frozenset(form["scope"].split()) if "scope" in form else None
    if scopes is not None and not scopes <= EVERY_SCOPE:
        raise RequestRefused(INVALID_SCOPE)
    return Asked(ApplicationId(assertion.application), use_of_assertion(assertion), scopes)
