"""Whether the service is up, whether it may be given work, and to its operator how it does."""

import hmac

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from exchange.api.answers import NO_STORE, answer
from exchange.api.dependencies import RequestServices, only_header
from exchange.metrics import KIND, metrics_text
from exchange.problems import NOT_AUTHENTICATED, NOT_AVAILABLE, RequestRefused

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def get_health() -> Response:
    """The process answers."""
    return answer({"status": "up"})


@router.get("/readyz")
async def get_readiness(services: RequestServices) -> Response:
    """The writer takes commands, and whoever signs and watches lives; otherwise 503.

    So that no traffic is sent here.
    """
    ready = services.writer.alive and all(each.is_alive() for each in services.threads)
    return answer({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


@router.get("/metrics")
async def get_metrics(request: Request, services: RequestServices) -> Response:
    """Numbers for the operator's monitoring, for who has its token; nobody's data, no ids."""
    wanted = services.settings.metrics_token
    if not wanted:
        raise RequestRefused(NOT_AVAILABLE)
    scheme, _, given = only_header(request, "authorization").partition(" ")
    if scheme != "Bearer" or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise RequestRefused(NOT_AUTHENTICATED)
    text = await run_in_threadpool(metrics_text, services)
    return Response(text, headers=dict(NO_STORE), media_type=KIND)
