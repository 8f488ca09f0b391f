"""What a route may ask for: the services, a caller with a scope, a body of a certain form."""

import re
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection

from consent.belgian_time import instant
from exchange import records
from exchange.api.declarations import COUNTED, Rate, rate_of
from exchange.api.limits import attempt, count_request, reaches_no_further
from exchange.api.stray_tokens import refuse_in_address, refuse_in_body
from exchange.flows.use_proof import use_proof
from exchange.following import Following
from exchange.problems import (
    INVALID_CONTENT,
    INVALID_PROOF,
    INVALID_TOKEN,
    MALFORMED,
    NOT_AUTHENTICATED,
    TOO_LARGE,
    Problem,
    RequestRefused,
    settled,
)
from exchange.refusing import came_whole
from exchange.security.contexts import TokenFault
from exchange.security.dpop import InvalidProof
from exchange.security.strict_json import JsonFault, NotJson, read_json
from exchange.security.tokens import Caller, InvalidToken, UnknownKey
from exchange.services import SHARD, Services
from exchange.transaction import use_of
from exchange.uses import Use
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


def caller_with(*scopes: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: the application behind the access token, if it has one of the scopes.

    For routes that run a command of the caller's: that uses up the proof that came with it.
    What the route declares is taken from the quota. For withdrawing there is none, and how often
    others failed to say who they are, from the same address, keeps nobody from it.
    """

    async def caller(request: Request) -> Caller:
        services: Services = request.app.state.services
        await refuse_in_address(request, services)
        if "authorization" not in request.headers:
            await refuse_in_body(request, services)
        token = request.headers.get("authorization", "").partition(" ")[2]
        rate = rate_of(request.method, request.scope["route"].path)
        heard = rate is Rate.WITHDRAWALS or services.tokens.knows(token)
        with attempt(request, services, said=token, heard=heard):
            found = await _known_caller(request, services)
        if found.scopes.isdisjoint(scopes):
            raise reaches_no_further(found, services)
        if rate in COUNTED:
            await count_request(found, services)
        return found

    return caller


def onlooker_with(*scopes: str) -> Callable[[Request], Awaitable[Caller]]:
    """As `caller_with`, for routes that run no command of the caller's: the proof is used up here.

    In a command of its own, so that it counts once in every process, and after a restart too.
    """
    caller_with_scope = caller_with(*scopes)

    async def onlooker(request: Request) -> Caller:
        services: Services = request.app.state.services
        found = await caller_with_scope(request)
        if found.proof is None or services.admission.frozen is not None:
            await let_in_unwritten(found, services)
        else:
            settled(await services.writer.run(use_proof, found))
        return found

    return onlooker


async def let_in_unwritten(caller: Caller, services: Services) -> None:
    """What stands around every command, where none is run: the caller is live, the proof new."""
    refused = await services.reader.run(partial(_refused_unwritten, services, caller))
    if refused is not None:
        raise RequestRefused(refused)


def _refused_unwritten(
    services: Services, caller: Caller, connection: Connection
) -> Problem | None:
    directory = services.reads_directory.current(connection)
    if not directory.admits(caller, instant(services.clock())):
        return INVALID_TOKEN
    uses = () if caller.proof is None else (use_of(caller.proof),)
    return None if used_up_unwritten(services, connection, uses) else INVALID_PROOF


async def _known_caller(request: Request, services: Services) -> Caller:
    """As `_caller`, also with a token of a key that another process has just begun to use."""
    following: Following = request.app.state.following
    try:
        return _caller(request, services)
    except UnknownKey:
        if not following.due:
            raise
    await run_in_threadpool(following.at_once)
    return _caller(request, services)


def _caller(request: Request, services: Services) -> Caller:
    authorization, at = only_header(request, "authorization"), services.clock()
    proof = proof_in(request)
    if authorization[:5].lower() != "dpop ":
        if services.settings.dpop_needed:
            raise InvalidToken(TokenFault.SCHEME)
        return services.tokens.read(authorization, at)
    if proof is None:
        raise InvalidProof(TokenFault.SHAPE)
    return services.tokens.read_bound(
        authorization,
        proof,
        method=request.method,
        url=url_of(request, services),
        at=at,
        nonces=services.nonces.good(at),
    )


def proof_in(request: Request) -> str | None:
    """The request's DPoP proof, if it has one. Two are ambiguous and refused."""
    proofs = request.headers.getlist("dpop")
    if len(proofs) > 1:
        raise RequestRefused(MALFORMED)
    return proofs[0] if proofs else None


def url_of(request: Request, services: Services) -> str:
    """What the sender must have asked for: the path alone is the request's."""
    path: str = request.scope["path"]
    return services.settings.public_base_url + path


def used_up_unwritten(services: Services, connection: Connection, uses: Collection[Use]) -> bool:
    """Whether these count, while nothing can be written: those before are known.

    Those of now are remembered in memory, each but once.
    """
    now = instant(services.clock())
    return not any(
        records.used_before(connection, shard=SHARD, token=each.name) for each in uses
    ) and all(services.used_assertions.first(each.name, until=each.until, now=now) for each in uses)


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


async def json_of(
    request: Request, most: int | None = None, types: re.Pattern[str] = JSON_TYPE
) -> Any:
    """The JSON value of the body. Refuses what two readers could understand differently.

    `most` bytes of it are taken; where nothing is said, what the settings give a small body.
    `types` are the media types that the address takes.
    """
    services: Services = request.app.state.services
    await refuse_in_body(request, services)
    # A type that a form of another site can send without asking first is never taken.
    if not types.fullmatch(request.headers.get("content-type", "")):
        raise RequestRefused(MALFORMED, (("content-type", "application/json_needed"),))
    raw = await request.body()
    came_whole(request.scope)
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
ConsentOnlooker = Annotated[Caller, Depends(onlooker_with("consent"))]
HandoverCaller = Annotated[Caller, Depends(caller_with("handover"))]
HandoverOnlooker = Annotated[Caller, Depends(onlooker_with("handover"))]
