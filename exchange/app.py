"""The HTTP service around the commands."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from exchange.api import (
    audit,
    bases,
    clients,
    consent_changes,
    consent_records,
    consent_requests,
    consents,
    evaluations,
    exclusions,
    explanations,
    handovers,
    health,
    openapi,
    proofs,
    recalls,
    simulations,
    summaries,
    tlog,
    tokens,
    withdrawals,
)
from exchange.api.declarations import methods_of
from exchange.following import Following
from exchange.observability import log
from exchange.problems import (
    FAILURES,
    INVALID_CONTENT,
    MALFORMED,
    NOT_ALLOWED,
    NOT_AUTHENTICATED,
    NOT_AVAILABLE,
    TOKEN_NEEDS_NONCE,
    TOO_LARGE,
    TOO_MANY,
    TOO_MANY_TOKENS,
    UNAVAILABLE,
    UNEXPECTED,
    USE_NONCE,
    Problem,
    RequestRefused,
)
from exchange.refusing import next_step
from exchange.services import Services
from exchange.threshold import Threshold
from exchange.web import agreements, stop
from policies.deposit import ContentRefused

_OURS = 500
_BY_STATUS = {
    400: MALFORMED,
    404: NOT_AVAILABLE,
    405: NOT_ALLOWED,
    413: TOO_LARGE,
    415: MALFORMED,
    422: INVALID_CONTENT,
}


class Service(FastAPI):
    """The application behind its threshold, which is outside even of what answers mistakes."""

    def build_middleware_stack(self) -> ASGIApp:
        settings = self.state.services.settings
        inside = super().build_middleware_stack()
        return Threshold(inside, https=settings.https, proxies=settings.proxies)

    def openapi(self) -> dict[str, Any]:
        """The contract of this installation; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.contract(self.routes, self.state.services.settings)
        return self.openapi_schema


def create_app(services: Services) -> FastAPI:
    """The service. Hot routes stand first: they are tried one after another."""
    app = Service(
        title="Overdracht",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=services.settings.max_body_bytes,
        # Its spans hold paths, queries and the words of exceptions, and follow a caller's trace.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    app.state.following = Following(services)
    app.state.register = agreements.Register(services)
    # Where another authorisation server is set, ours is not there at all.
    ours = () if services.settings.token_issuer else (tokens,)
    for part in (
        summaries,
        handovers,
        clients,
        exclusions,
        bases,
        consents,
        consent_requests,
        consent_records,
        consent_changes,
        proofs,
        recalls,
        simulations,
        withdrawals,
        stop,
        agreements,
        *ours,
        audit,
        tlog,
        explanations,
        evaluations,
        openapi,
        health,
    ):
        app.include_router(part.router)
    for failure in (RequestRefused, RequestValidationError, HTTPException, *FAILURES):
        app.add_exception_handler(failure, tell)
    app.add_exception_handler(Exception, tell)
    return app


async def tell(request: Request, error: Exception) -> Response:
    """The problem document for a failure. Nothing of the request and of the error is in it."""
    problem, errors = problem_of(error)
    if problem is NOT_AVAILABLE:
        await next_step(request.scope)
    if problem.status >= _OURS:
        log.warning("request.failed", problem=problem.name, failure=type(error).__name__)
    more: dict[str, Any] = {"errors": _places(errors)} if errors else {}
    kind = "application/json" if problem.error else "application/problem+json"
    headers = {"Cache-Control": "no-store"}
    if problem is UNAVAILABLE:
        headers["Retry-After"] = "1"
    if problem in (TOO_MANY, TOO_MANY_TOKENS):
        headers["Retry-After"] = "60"
    if problem is NOT_ALLOWED:
        headers["Allow"] = ", ".join(methods_of(request.url.path))
    services: Services = request.app.state.services
    if problem.status == NOT_AUTHENTICATED.status and problem.error is None:
        headers["WWW-Authenticate"] = _challenge(services, problem)
    if problem in (USE_NONCE, TOKEN_NEEDS_NONCE):
        headers["DPoP-Nonce"] = services.nonces.fresh(services.clock())
    return Response(problem.body(**more), problem.status, headers, kind)


def _challenge(services: Services, problem: Problem) -> str:
    error = f'error="{problem.challenge}", ' if problem.challenge else ""
    unbound = "" if services.settings.dpop_needed else ", Bearer"
    return f'DPoP {error}algs="ES256"{unbound}'


def problem_of(error: Exception) -> tuple[Problem, tuple[tuple[str, str], ...]]:
    if isinstance(error, RequestRefused):
        return error.problem, error.errors
    if isinstance(error, ContentRefused):
        return INVALID_CONTENT, error.problems
    if isinstance(error, RequestValidationError):
        return INVALID_CONTENT, tuple((_loc(each["loc"]), each["type"]) for each in error.errors())
    if isinstance(error, HTTPException):
        return _BY_STATUS.get(error.status_code, UNEXPECTED), ()
    for kind, problem in FAILURES.items():
        if isinstance(error, kind):
            return problem, ()
    return UNEXPECTED, ()


def _loc(loc: tuple[Any, ...]) -> str:
    return ".".join(str(each) for each in loc[:2])


def _places(errors: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"loc": place, "type": code} for place, code in errors]
