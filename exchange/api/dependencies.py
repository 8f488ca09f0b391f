"""What a route may ask for: the services, a caller with a scope, a body of a certain form."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError

from exchange.problems import (
    INVALID_CONTENT,
    MALFORMED,
    NO_SCOPE,
    NOT_AUTHENTICATED,
    TOO_LARGE,
    RequestRefused,
)
from exchange.security.strict_json import JsonFault, NotJson, read_json
from exchange.security.tokens import Caller
from exchange.services import Services
from policies.summary_model import told_name

M = TypeVar("M", bound=BaseModel)
MAX_DEPTH = 32
JSON_TYPE = re.compile(r'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?', re.IGNORECASE)
MAX_PLACES = 50
"""Problems of one body that are named; the rest waits until these are mended."""


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request, and the parts of the path as they came.

    For the few that every handover needs: the framework's own way of finding out what an
    endpoint wants costs as much as a third of a bare endpoint, on each request anew.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request=request, **request.path_params)
            return response

        return handle


class Body(BaseModel):
    """What every body of ours is: strict, closed, and never changed once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


async def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def caller_with(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: the application behind the access token, if its token has the scope."""
    return caller_with_any(scope)


def caller_with_any(*scopes: str) -> Callable[[Request], Awaitable[Caller]]:
    """As `caller_with`, for a route that more than one scope opens."""

    async def caller(request: Request) -> Caller:
        services: Services = request.app.state.services
        found = services.tokens.read(only_header(request, "authorization"), services.clock())
        if found.scopes.isdisjoint(scopes):
            raise RequestRefused(NO_SCOPE)
        return found

    return caller


def only_header(request: Request, name: str) -> str:
    """The header's one value. None is no authentication; two are ambiguous and refused."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise RequestRefused(MALFORMED)
    if not values:
        raise RequestRefused(NOT_AUTHENTICATED)
    return values[0]


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency: the JSON body, read strictly and held against the model."""

    async def body(request: Request) -> M:
        return fitting(model, await json_of(request))

    return body


async def json_of(request: Request, most: int | None = None) -> Any:
    """The JSON value of the body. Refuses what two readers could understand differently.

    `most` bytes of it are taken; where nothing is said, what the settings give a small body.
    """
    # A type that a form of another site can send without asking first is never taken.
    if not JSON_TYPE.fullmatch(request.headers.get("content-type", "")):
        raise RequestRefused(MALFORMED, (("content-type", "application/json_needed"),))
    services: Services = request.app.state.services
    raw = await request.body()
    try:
        limit = services.settings.small_body_bytes if most is None else most
        return read_json(raw, max_bytes=limit, max_depth=MAX_DEPTH)
    except NotJson as error:
        if error.code is JsonFault.TOO_LARGE:
            raise RequestRefused(TOO_LARGE) from None
        raise RequestRefused(MALFORMED, (("body", error.code.value),)) from None


def fitting(model: type[M], value: Any) -> M:
    """The value as the model wants it; places and kinds of error are told, never the value."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        places = tuple((_place(each["loc"]), each["type"]) for each in found[:MAX_PLACES])
        raise RequestRefused(INVALID_CONTENT, places) from None


def _place(loc: tuple[int | str, ...]) -> str:
    """Where it is; of a name that is not ours only one of the harmless form is repeated."""
    named = [str(each) if isinstance(each, int) else told_name(each) for each in loc]
    return ".".join(named) or "body"


RequestServices = Annotated[Services, Depends(services_of)]
ClientCaller = Annotated[Caller, Depends(caller_with("client"))]
SummaryCaller = Annotated[Caller, Depends(caller_with("summary"))]
ConsentCaller = Annotated[Caller, Depends(caller_with("consent"))]
HandoverCaller = Annotated[Caller, Depends(caller_with("handover"))]
