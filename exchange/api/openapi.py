"""The contract of the service as OpenAPI 3.1: made of the tables that the addresses are held to.

Scopes and allowances come from the declarations, bodies from the forms that read them, errors
from the list of problems; nothing stands in it that is written for it alone but the answers.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.routing import BaseRoute

from exchange import problems
from exchange.api.answer_schemas import SHARED
from exchange.api.answers import NO_STORE, answer
from exchange.api.declarations import DECLARED, Declaration, Rate
from exchange.api.descriptions import DESCRIBED, FORM, JSON, Answer, Description
from exchange.api.shapes import TEXT, WHOLE, Schema, many, whole, word
from exchange.problems import BASE, Problem
from exchange.settings import Settings

router = APIRouter(tags=["contract"])
PROBLEM = "application/problem+json"
_REF = "#/components/schemas/"

_ANYWHERE = (
    problems.MALFORMED,
    problems.HTTPS_NEEDED,
    problems.NOT_ALLOWED,
    problems.TOO_LARGE,
    problems.HEADERS_TOO_LARGE,
    problems.UNEXPECTED,
    problems.UNAVAILABLE,
)
_WITH_TOKEN = (problems.NOT_AUTHENTICATED, problems.USE_NONCE, problems.NO_SCOPE)
_HEADERS: Mapping[str, Schema] = {
    "ETag": {"description": "The version, for `If-Match` or `If-None-Match`.", "schema": TEXT},
    "Retry-After": {"description": "Seconds to wait.", "schema": WHOLE},
    "WWW-Authenticate": {"description": "What is wanted (RFC 9449, 7.1).", "schema": TEXT},
    "DPoP-Nonce": {"description": "To make the proof with.", "schema": TEXT},
    "X-Request-ID": {"description": "The number that the request had.", "schema": TEXT},
    "Allow": {"description": "The methods that the address takes.", "schema": TEXT},
}
_TOLD_WITH: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate", "DPoP-Nonce"),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_PLACES = many(whole(loc=TEXT, type=TEXT))


@router.get("/openapi.json")
async def show_contract(request: Request) -> Response:
    """The contract: what every address takes and answers."""
    return answer(request.app.openapi(), headers=NO_STORE)


def contract(routes: Sequence[BaseRoute], settings: Settings) -> dict[str, Any]:
    """The document for these routes of the installation with these settings."""
    shared: dict[str, Schema] = {**SHARED}
    paths: dict[str, dict[str, Any]] = {}
    for route in (each.original_route for each in iter_route_contexts(routes)):
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                operation = _operation(route, method, settings, shared)
                paths.setdefault(route.path_format, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Overdracht", "version": "1"},
        "servers": [{"url": settings.public_base_url}],
        "paths": paths,
        "components": {
            "schemas": shared | {_key(each): _document(each) for each in _all_problems()},
            "securitySchemes": _schemes(),
        },
    }


def _operation(
    route: APIRoute, method: str, settings: Settings, shared: dict[str, Schema]
) -> dict[str, Any]:
    way = (method, route.path_format)
    declared, described = DECLARED[way], DESCRIBED[way]
    first, _, rest = inspect.getdoc(route.endpoint).partition("\n")  # type: ignore[union-attr]  # each has one
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in route.param_convertors
    ]
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}{route.path_format}".translate(_PLAIN),
        "tags": route.tags,
        "summary": first,
        "parameters": [*path, *described.parameters],
        "responses": _responses(declared, described, named=bool(path)),
        "security": [*described.security] or _security(declared, settings),
    }
    if rest.strip():
        operation["description"] = rest.strip()
    if described.body is not None:
        schema = _body(described.body, shared)
        told = {"schema": schema} if schema else {}
        content = dict.fromkeys(described.kinds, told)
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_PLAIN = str.maketrans({"/": "_", "{": None, "}": None, "-": "_", ".": "_"})


def _body(body: type[BaseModel] | Schema, shared: dict[str, Schema]) -> Schema:
    if isinstance(body, Mapping):
        return body
    schema = body.model_json_schema(ref_template=_REF + "{model}")
    shared |= schema.pop("$defs", {})
    shared[body.__name__] = schema
    return {"$ref": _REF + body.__name__}


def _responses(declared: Declaration, described: Description, *, named: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, each in described.answers.items():
        found[str(status)] = _yes(each)
    for problem in _possible(declared, described, named=named):
        told = found.setdefault(str(problem.status), {"description": problem.title})
        headers = _TOLD_WITH.get(problem.status, ())
        if headers:
            told["headers"] = {name: _HEADERS[name] for name in headers}
        kind = JSON if problem.error else PROBLEM
        content = told.setdefault("content", {}).setdefault(kind, {"schema": {"anyOf": []}})
        one = {"$ref": _REF + _key(problem)}
        if "anyOf" in content["schema"] and one not in content["schema"]["anyOf"]:
            content["schema"]["anyOf"].append(one)
    return dict(sorted(found.items()))


def _yes(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "Done."}
    if answer.schema is not None:
        schema = {"schema": answer.schema} if answer.schema else {}
        others = {kind: schema if "json" in kind else {} for kind in answer.others}
        told["content"] = {answer.kind: schema, **others}
    if answer.headers:
        told["headers"] = {name: _HEADERS[name] for name in answer.headers}
    return told


def _possible(declared: Declaration, described: Description, *, named: bool) -> list[Problem]:
    """Every no that the address may answer."""
    found = [*_ANYWHERE, *described.problems]
    if declared.scopes:
        found += _WITH_TOKEN
        if declared.rate is not Rate.WITHDRAWALS:
            found.append(problems.TOO_MANY)
    if named:
        found.append(problems.NOT_AVAILABLE)
    if described.body is not None and described.kinds != (FORM,):
        found.append(problems.INVALID_CONTENT)
    return found


def _security(declared: Declaration, settings: Settings) -> list[dict[str, list[str]]]:
    """One of the scopes, in a token bound to a key; unbound too, where that is let in."""
    bound = [{"dpop": [scope], "proof": []} for scope in sorted(declared.scopes)]
    if settings.dpop_needed:
        return bound
    return [*({"bearer": [scope]} for scope in sorted(declared.scopes)), *bound]


def _schemes() -> dict[str, Any]:
    bound = "An access token bound to a key (RFC 9449)."
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"},
        "dpop": {"type": "http", "scheme": "DPoP", "description": bound},
        "proof": {"type": "apiKey", "in": "header", "name": "DPoP"},
        "monitoring": {"type": "http", "scheme": "bearer"},
    }


def _all_problems() -> list[Problem]:
    single = (each for each in vars(problems).values() if isinstance(each, Problem))
    return [*single, *problems.REFUSALS.values()]


def _key(problem: Problem) -> str:
    return f"problem-{problem.name}{'-oauth' if problem.error else ''}"


def _document(problem: Problem) -> Schema:
    members: dict[str, Schema] = {
        "type": {"const": BASE + problem.name},
        "title": {"const": problem.title},
        "status": {"const": problem.status},
    }
    if problem.error:
        members["error"] = word(problem.error)
    return whole(("errors",), **members, errors=_PLACES)
