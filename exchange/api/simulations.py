"""What an agreement or a notice would change for your own clients, before it is applied."""

import re
from collections.abc import Collection
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import ConfigDict, Field, StringConstraints

from consent.belgian_time import day_of, instant
from exchange.api.answers import answer
from exchange.api.cursors import cursor as cursor_after
from exchange.api.cursors import place_in
from exchange.api.dependencies import Body, ConsentCaller, RequestServices, body_of
from exchange.flows.simulate_change import view_changes
from exchange.problems import INVALID_CONTENT, RequestRefused, settled
from exchange.services import Services
from exchange.simulating import FIRST, Affected, Page, Simulation
from exchange.supposing import Lane
from exchange.suppositions import NotSupposed, asked_anew, named, parties_of, supposed, world_today
from policies.documents import UnfitDocument
from policies.vocabulary import ClientId, FieldId, Handle, OrganisationId
from policies.what_if import asks_renewal

router = APIRouter(prefix="/v1/simulations", tags=["simulations"])
_PLACE = re.compile(r"[a-z_]+(\[[0-9]{1,4}\])?(\.[a-z_]+(\[[0-9]{1,4}\])?){0,4}")


class NewSimulation(Body):
    """A document of a kind: an agreement as an object, a notice as its text (Markdown).

    Each answer looks at `limit` of your clients; `cursor` goes on after them.
    """

    kind: Literal["agreement", "notice"]
    document: dict[str, Any] | Annotated[str, StringConstraints(min_length=1, max_length=60_000)]
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 100

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"properties": {"kind": {"const": kind}, "document": {"type": type}}}
                for kind, type in (("agreement", "object"), ("notice", "string"))
            ]
        }
    )


Simulated = tuple[Page, list[tuple[Lane, frozenset[FieldId]]]]


@router.post("")
async def post_simulation(
    caller: ConsentCaller,
    body: Annotated[NewSimulation, Depends(body_of(NewSimulation))],
    services: RequestServices,
) -> Response:
    """Which consents and handovers of your clients it would widen, narrow or break.

    Nothing is changed and no summary is opened. Each client that is named is logged as viewed,
    before the answer. Agreements: yours alone.
    """
    me = OrganisationId(caller.organisation)
    box = f"{me}|simulations|{named(body.kind, body.document)}"
    after = FIRST
    if body.cursor is not None:
        after = Handle(place_in(services.cursor_key, box, body.cursor)[1])
    page, asks = await services.reader.run_long(partial(_simulated, services, me, body, after))
    changed = [each for each in page.affected if each.change.effects]
    named_clients = [each.client for each in changed]
    there = settled(await services.writer.run(view_changes, caller, named_clients))
    following = None if page.last is None else cursor_after(services.cursor_key, box, 0, page.last)
    return answer(
        {
            "clients": page.clients,
            "unchanged": sum(len(e.consents) for e in page.affected if not e.change.effects),
            "items": _items(changed, there),
            "asks_more": [
                {
                    "recipient": f"org:{lane.recipient}",
                    "purpose": lane.purpose,
                    "fields": sorted(fields),
                }
                for lane, fields in asks
            ],
            "next": following,
        }
    )


def _simulated(
    services: Services, me: OrganisationId, body: NewSimulation, after: Handle
) -> Simulated:
    at, today = services.clock(), world_today(services)
    try:
        with supposed(services, today, *_document(me, body)) as then:
            compared = Simulation(services.database, services.keys, today=today, then=then, at=at)
            page = compared.page(me, after=after, most=body.limit, tenant=me)
            asks = list(asked_anew(today, then, day_of(instant(at))))
    except NotSupposed:
        raise RequestRefused(INVALID_CONTENT, (("document", "can_not_be_applied"),)) from None
    return page, [(lane, fields) for lane, fields in asks if lane.holder == me]


def _document(me: OrganisationId, body: NewSimulation) -> tuple[str, Any]:
    """The kind and document as they are tried; refused when it is not the caller's to apply."""
    if body.kind == "notice":
        if not isinstance(body.document, str):
            raise RequestRefused(INVALID_CONTENT, (("document", "text_needed"),))
        return "notices", {"document": body.document}
    try:
        parties = parties_of(body.document)
    except UnfitDocument as error:
        place = error.place if _PLACE.fullmatch(error.place) else ""
        raise RequestRefused(
            INVALID_CONTENT, ((f"document.{place}".rstrip("."), "does_not_fit"),)
        ) from None
    if me not in parties:
        raise RequestRefused(INVALID_CONTENT, (("document.parties", "not_a_party"),))
    return "agreement", body.document


def _items(changed: Collection[Affected], there: Collection[ClientId]) -> list[dict[str, Any]]:
    return [
        {
            "client": each.handle,
            "recipient": f"org:{each.lane.recipient}",
            "purpose": each.lane.purpose,
            "agreement": each.change.agreement,
            "effects": [
                {"effect": effect, "fields": sorted(fields)}
                for effect, fields in each.change.effects.items()
            ],
            "reason": each.change.reason,
            "renewal": asks_renewal(each.change),
            "consents": list(each.consents),
            "handovers": list(each.handovers),
        }
        for each in changed
        if each.client in there
    ]
