"""The public register of agreements: as a page, as data and as a PDF, for anybody.

No token, no script, no client. What is shown is made from the documents that decisions go by, and
each version keeps its address.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from jinja2 import Environment, FunctionLoader, StrictUndefined
from pydantic_core import to_json
from sqlalchemy import Connection

from consent.belgian_time import day_of, instant
from exchange.agreement_register import Edition, Entry, entries
from exchange.api.negotiation import liked_best
from exchange.problems import NOT_AVAILABLE, RequestRefused
from exchange.services import SHARD, Services
from exchange.web.protocol_pdf import Pdf, protocol_pdf
from policies.agreement_forms import FORMS
from policies.agreements import Standing
from policies.protocol_text import SUPERSEDED
from policies.protocol_words import word

router = APIRouter(tags=["pages"])

HTML, JSON, PDF = "text/html", "application/json", "application/pdf"
JSON_LD = "application/ld+json"
KEPT = "public, max-age=60"
"""A suspension is seen within a minute, even by whoever kept a copy."""

_ORDER = (*Standing, SUPERSEDED)
Part = Annotated[str, Path(max_length=100)]


@router.api_route("/agreements", methods=["GET", "HEAD"])
async def get_agreements(request: Request) -> Response:
    """Every agreement in its newest version: as a page, or as data."""
    register = await _entries(request)
    listed = [_line(each.current) for each in register.values()]
    if liked_best(request, "accept", (HTML, JSON)) == JSON:
        return _kept(request, to_json({"agreements": listed}), JSON)
    groups = [
        (word("standings", each), _class(each), found)
        for each in _ORDER
        if (found := [one for one in listed if one["standing"] == each])
    ]
    return _page(request, "agreements.html", groups=groups)


@router.api_route("/agreements/{agreement}", methods=["GET", "HEAD"])
async def get_agreement(
    agreement: Part,
    request: Request,
    form: Annotated[Literal[tuple(FORMS)] | None, Query(alias="as")] = None,  # type: ignore[valid-type]  # its members
) -> Response:
    """The version in use of one agreement: as a page, as data or as a PDF.

    As JSON-LD it is an ODRL policy, or `as=dpv` in terms of DPV: views for other registers.
    """
    entry = await _entry(request, agreement)
    offered = (HTML, JSON, PDF, JSON_LD)
    if form is not None or liked_best(request, "accept", offered) == JSON_LD:
        return _view(request, entry.current, form or "odrl")
    return await _one(request, entry, entry.current)


@router.api_route("/agreements/{agreement}/versions/{version}", methods=["GET", "HEAD"])
async def get_version(agreement: Part, version: Part, request: Request) -> Response:
    """One version, at the address that it keeps: as a page, as data or as a PDF."""
    entry = await _entry(request, agreement)
    return await _one(request, entry, _edition(entry, version))


@router.api_route("/agreements/{agreement}/versions/{version}/pdf", methods=["GET", "HEAD"])
async def get_version_pdf(agreement: Part, version: Part, request: Request) -> Response:
    """One version as a PDF, for whoever follows a link."""
    edition = _edition(await _entry(request, agreement), version)
    return _file(request, await _pdf(edition))


class Register:
    """The register as it stands now; what was read last is kept for as long as it is true.

    Anybody may ask, as often as they like, and to read it all costs twenty times a look.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._last: tuple[tuple[int, date], Mapping[str, Entry]] | None = None

    async def entries(self) -> Mapping[str, Entry]:
        """Every agreement by its id, as it stands on this Belgian day."""
        return await self._services.reader.run(self._look)

    def _look(self, connection: Connection) -> Mapping[str, Entry]:
        directory = self._services.reads_directory.current(connection)
        today = day_of(instant(self._services.clock()))
        last, now = self._last, (directory.version, today)
        if last is not None and last[0] == now:
            return last[1]
        found = entries(connection, directory, shard=SHARD, on=today)
        self._last = now, found
        return found


async def _entries(request: Request) -> Mapping[str, Entry]:
    register: Register = request.app.state.register
    return await register.entries()


async def _entry(request: Request, id: str) -> Entry:
    found = (await _entries(request)).get(id)
    if found is None:
        raise RequestRefused(NOT_AVAILABLE)
    return found


def _edition(entry: Entry, version: str) -> Edition:
    for each in entry.editions:
        if each.version == version:
            return each
    raise RequestRefused(NOT_AVAILABLE)


def _line(edition: Edition) -> dict[str, Any]:
    """An agreement in the list: what it is, who agreed, how it stands."""
    agreement, (standing, stands) = edition.agreement, edition.stands
    return {
        "id": agreement.id,
        "title": agreement.title or agreement.id,
        "version": edition.version,
        "standing": standing,
        "stands": stands,
        "parties": [
            {"organisation": each.org, "name": edition.names.get(each.org, each.org)}
            for each in agreement.parties
        ],
        "valid_from": agreement.valid_from,
        "valid_until": agreement.valid_until,
        "address": f"/agreements/{agreement.id}",
    }


def _version(edition: Edition) -> dict[str, Any]:
    """A version among those of one agreement."""
    standing, stands = edition.stands
    version, address = edition.version, edition.address
    return {"version": version, "standing": standing, "stands": stands, "address": address}


async def _one(request: Request, entry: Entry, edition: Edition) -> Response:
    wanted = liked_best(request, "accept", (HTML, JSON, PDF))
    made = await _pdf(edition)
    if wanted == PDF:
        return _file(request, made)
    pdf = None if made is None else {"address": f"{edition.address}/pdf", "sha256": made.sha256}
    versions = [_version(each) for each in entry.editions]
    if wanted == JSON:
        data = _line(edition) | {
            "address": edition.address,
            "document": edition.document,
            "sha256": edition.digest,
            "pdf": pdf,
            "versions": versions,
        }
        return _kept(request, to_json(data), JSON)
    told = edition.protocol
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


def _view(request: Request, edition: Edition, form: str) -> Response:
    services: Services = request.app.state.services
    made = FORMS[form](edition.agreement, services.settings.public_base_url, edition.on)
    return _kept(request, to_json(made), JSON_LD)


async def _pdf(edition: Edition) -> Pdf | None:
    return await run_in_threadpool(
        protocol_pdf, edition.protocol, digest=edition.digest, made=edition.written
    )


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
