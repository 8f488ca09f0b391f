"""Whether the service is up, and whether it may be given work. Says nothing else."""

from fastapi import APIRouter, Response

from exchange.api.answers import answer
from exchange.api.dependencies import RequestServices

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def get_health() -> Response:
    """The process answers."""
    return answer({"status": "up"})


@router.get("/readyz")
async def get_readiness(services: RequestServices) -> Response:
    """The writer takes commands; otherwise 503, so that no traffic is sent here."""
    ready = services.writer.alive
    return answer({"status": "ready" if ready else "not ready"}, 200 if ready else 503)
