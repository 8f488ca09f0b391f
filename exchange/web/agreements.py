"""The public register of agreements: as a page, as data and as a PDF, for anybody.

No token, no script, no client. What is shown is made from the documents that decisions go by, and
each version keeps its address.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from jinja2 import Environment, FunctionLoader, StrictUndefined
from pydantic_core import to_json
from sqlalchemy import Connection

from consent.belgian_time import day_of, instant
from exchange.agreement_register import Edition, editions
from exchange.api.dependencies import RequestServices
from exchange.api.negotiation import liked_best
from exchange.problems import NOT_AVAILABLE, RequestRefused
from exchange.services import SHARD, Services
from exchange.web.protocol_pdf import Pdf, protocol_pdf
from policies.agreements import Standing
from policies.protocol_text import SUPERSEDED
from policies.protocol_words import word

router = APIRouter(tags=["pages"])

HTML, JSON, PDF = "text/html", "application/json", "application/pdf"
KEPT = "public, max-age=60"
"""A suspension is seen within a minute, even by whoever kept a copy."""

_ORDER = (*Standing, SUPERSEDED)
Part = Annotated[str, Path(max_length=100)]


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is registered, as it stands on a Belgian day."""

    found: Mapping[str, Sequence[Edition]]
    names: Mapping[str, str]
    on: date

    def entry(self, edition: Edition) -> dict[str, Any]:
        """A version in the list: what it is, who agreed, how it stands."""
        standing, stands = edition.stands(self.on, self.names)
        agreement = edition.agreement
        return {
            "id": agreement.id,
            "title": agreement.title or agreement.id,
            "version": edition.version,
            "standing": standing,
            "stands": stands,
            "parties": [
                {"organisation": each.org, "name": self.names.get(each.org, each.org)}
                for each in agreement.parties
            ],
            "valid_from": agreement.valid_from,
            "valid_until": agreement.valid_until,
            "address": f"/agreements/{agreement.id}",
        }

    def version(self, edition: Edition) -> dict[str, Any]:
        """A version among those of one agreement."""
        standing, stands = edition.stands(self.on, self.names)
        return {
            "version": edition.version,
            "standing": standing,
            "stands": stands,
            "address": edition.address,
        }

    def edition(self, id: str, version: str | None = None) -> Edition:
        """One version; the newest without a number. Raises `RequestRefused`: not available."""
        for each in self.found.get(id, ()):
            if version in (None, each.version):
                return each
        raise RequestRefused(NOT_AVAILABLE)


@router.api_route("/agreements", methods=["GET", "HEAD"])
async def get_agreements(request: Request, services: RequestServices) -> Response:
    """Every agreement in its newest version: as a page, or as data."""
    shown = await _shown(services)
    listed = [shown.entry(versions[0]) for versions in shown.found.values() if versions]
    if liked_best(request, "accept", (HTML, JSON)) == JSON:
        return _kept(request, to_json({"agreements": listed}), JSON)
    groups = [
        (word("standings", each), _class(each), found)
        for each in _ORDER
        if (found := [one for one in listed if one["standing"] == each])
    ]
    return _page(request, "agreements.html", groups=groups)


@router.api_route("/agreements/{agreement}", methods=["GET", "HEAD"])
async def get_agreement(agreement: Part, request: Request, services: RequestServices) -> Response:
    """The newest version of one agreement: as a page, as data or as a PDF."""
    shown = await _shown(services)
    return await _one(request, shown, shown.edition(agreement))


@router.api_route("/agreements/{agreement}/versions/{version}", methods=["GET", "HEAD"])
async def get_version(
    agreement: Part, version: Part, request: Request, services: RequestServices
) -> Response:
    """One version, at the address that it keeps: as a page, as data or as a PDF."""
    shown = await _shown(services)
    return await _one(request, shown, shown.edition(agreement, version))


@router.api_route("/agreements/{agreement}/versions/{version}/pdf", methods=["GET", "HEAD"])
async def get_version_pdf(
    agreement: Part, version: Part, request: Request, services: RequestServices
) -> Response:
    """One version as a PDF, for whoever follows a link."""
    shown = await _shown(services)
    return _file(request, await _pdf(shown, shown.edition(agreement, version)))


async def _shown(services: Services) -> Shown:
    def look(connection: Connection) -> Shown:
        directory = services.reads_directory.current(connection)
        found = editions(connection, directory, shard=SHARD)
        return Shown(found, directory.names, day_of(instant(services.clock())))

    return await services.reader.run(look)


async def _one(request: Request, shown: Shown, edition: Edition) -> Response:
    wanted = liked_best(request, "accept", (HTML, JSON, PDF))
    made = await _pdf(shown, edition)
    if wanted == PDF:
        return _file(request, made)
    pdf = None if made is None else {"address": f"{edition.address}/pdf", "sha256": made.sha256}
    versions = [shown.version(each) for each in shown.found[edition.agreement.id]]
    if wanted == JSON:
        data = shown.entry(edition) | {
            "address": edition.address,
            "document": edition.document,
            "sha256": edition.digest,
            "pdf": pdf,
            "versions": versions,
        }
        return _kept(request, to_json(data), JSON)
    told = edition.protocol(shown.on, shown.names)
    return _page(
        request,
        "agreement.html",
        told=told,
        standing=_class(told.standing),
        address=edition.address,
        digest=edition.digest,
        pdf=pdf,
        others=versions,
    )


async def _pdf(shown: Shown, edition: Edition) -> Pdf | None:
    told = edition.protocol(shown.on, shown.names)
    return await run_in_threadpool(protocol_pdf, told, digest=edition.digest, made=edition.written)


def _file(request: Request, made: Pdf | None) -> Response:
    if made is None:
        raise RequestRefused(NOT_AVAILABLE)
    return _kept(request, made.content, PDF)


def _page(request: Request, name: str, **told: Any) -> Response:
    style = _text("agreements.css")
    text = _templates().get_template(name).render(style=style, **told)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'none';"
        " frame-ancestors 'none'; base-uri 'none'"
    )
    return _kept(request, text.encode(), f"{HTML}; charset=utf-8", policy)


def _kept(request: Request, body: bytes, kind: str, policy: str = "") -> Response:
    """The answer, or that it is what the asker has (RFC 9110, section 13.1.2)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"Cache-Control": KEPT, "ETag": tag, "Vary": "Accept"}
    if policy:
        headers["Content-Security-Policy"] = policy
    had = ",".join(request.headers.getlist("if-none-match"))
    if tag in (each.strip().removeprefix("W/") for each in had.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, kind)


def _class(standing: str) -> str:
    return standing.replace(" ", "-")


@cache
def _templates() -> Environment:
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        loader=FunctionLoader(_text),
    )


@cache
def _text(name: str) -> str:
    return files("exchange.web").joinpath("templates", name).read_text("utf-8")
