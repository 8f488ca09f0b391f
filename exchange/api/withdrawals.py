"""Stop with the code of a letter: no token, no account."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from consent.codes import Code, code_in
from exchange import stop_codes
from exchange.api.answers import answer
from exchange.api.dependencies import Body, RequestServices, fitting, json_of
from exchange.api.forms import fields_of, is_form
from exchange.api.limits import counts_code
from exchange.flows.stop_by_code import ByCode, note_wrong_code, stop_by_code
from exchange.observability import log
from exchange.problems import INVALID_CONTENT, MALFORMED, TOO_MANY, RequestRefused, settled
from exchange.services import SHARD, Services
from exchange.tenancy import EVERYBODY
from exchange.writer import Busy

router = APIRouter(prefix="/v1", tags=["withdrawals"])


class NewStop(Body):
    """The code as it stands on the letter; small letters, blanks and hyphens do not matter."""

    code: Annotated[str, Field(min_length=1, max_length=40)]


@router.post("/withdrawals")
async def post_stop(request: Request, services: RequestServices) -> Response:
    """Stop all sharing that was agreed to with the sender of a letter, by the code on it.

    JSON or a form. Whoever mistypes is told that nothing was stopped; of whom a code is, nobody.
    """
    refuse_from_elsewhere(request)
    form = is_form(request)
    said = await fields_of(request, frozenset({"code"})) if form else await json_of(request)
    code = code_in(fitting(NewStop, said).code)
    if code is None:
        raise RequestRefused(INVALID_CONTENT, (("code", "eight_characters"),))
    if not counts_code(request, services):
        raise RequestRefused(TOO_MANY)
    if not await stop(services, code):
        raise RequestRefused(INVALID_CONTENT, (("code", "not_known"),))
    return answer({"state": "stopped"})


async def stop(services: Services, code: Code) -> bool:
    """Have it done; false, and noted, where the code is nobody's.

    Raises what keeps a withdrawal from being written. While the log can not be written, it is
    kept, and done first.
    """
    order = ByCode(services.keys.stopping.digest("", code))
    if not await _is_somebodys(services, order):
        await _note_wrong(services)
        return False
    try:
        settled(await services.writer.run(stop_by_code, order))
    except Busy:
        if services.admission.frozen is None:
            raise
        await run_in_threadpool(services.spool.keep_code, order)
    return True


async def _note_wrong(services: Services) -> None:
    if not services.quotas.notes_wrong_code():
        log.warning("codes.guessed")
        return
    # Where it can not be noted now nothing is lost: nothing was to be done.
    with suppress(Busy):
        await services.writer.run(note_wrong_code)


def refuse_from_elsewhere(request: Request) -> None:
    """Refuse what a page of another site sends: nobody's browser may try codes for others.

    No cookie or password is ever sent along here, so there is nothing else to ride on.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in {"same-origin", "none"}:
        raise RequestRefused(MALFORMED)


async def _is_somebodys(services: Services, order: ByCode) -> bool:
    """Looked up first, so that those who guess take none of the room that is kept for stopping."""
    found = await services.reader.run(
        lambda known: stop_codes.meant_by(known, shard=SHARD, digest=order.digest),
        tenant=EVERYBODY,
    )
    return found is not None
