"""Whom a client keeps out, over HTTP, for the organisation that holds them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from exchange.api.answers import answer
from exchange.api.clients import handle_in
from exchange.api.dependencies import Body, ClientCaller, RequestServices, body_of
from exchange.api.forms import ClientPath, Organisation, ShortCode, organisation_of
from exchange.flows.keep_out import Exclusion, keep_out
from exchange.problems import settled

router = APIRouter(prefix="/v1/clients", tags=["clients"])


class NewExclusion(Body):
    """A member of an organisation's staff, by its own number; `lifted`: let them in again."""

    organisation: Organisation
    member: ShortCode
    lifted: bool = False


@router.post("/{client}/exclusions")
async def post_exclusion(
    client: ClientPath,
    caller: ClientCaller,
    body: Annotated[NewExclusion, Depends(body_of(NewExclusion))],
    services: RequestServices,
) -> Response:
    """Keep one person out of all that this client shares; the answer is everybody kept out."""
    order = Exclusion(
        handle_in(client), organisation_of(body.organisation), body.member, body.lifted
    )
    kept_out = settled(await services.writer.run(keep_out, caller, order))
    persons = (each.partition("/") for each in sorted(kept_out))
    shown = [{"organisation": f"org:{where}", "member": who} for where, _, who in persons]
    return answer({"kept_out": shown})
