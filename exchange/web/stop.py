"""The page on which anybody with a letter can stop all sharing: two steps, no script, no account.

What is typed never comes back in an answer, and stands in no address: a form is posted, and what
follows `#` in the address that a letter's QR code holds is never sent by any browser.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, StrictUndefined

from consent.codes import code_in
from exchange.api.answers import NO_STORE
from exchange.api.dependencies import RequestServices
from exchange.api.forms import fields_of
from exchange.api.limits import counts_code
from exchange.api.withdrawals import refuse_from_elsewhere, stop
from exchange.observability import log
from exchange.problems import FAILURES, NOT_AVAILABLE, UNAVAILABLE, RequestRefused
from policies.yaml_files import read_yaml

router = APIRouter(tags=["pages"])

LANGUAGES: Final = ("nl", "fr", "en", "ar", "tr")
"""What the page can be had in, by the last part of its address; the first where none is named."""
UNDONE: Final = tuple(kind for kind, problem in FAILURES.items() if problem is UNAVAILABLE)
"""What keeps a withdrawal from being written: said on the page, loudly, and never as done."""
Language = Annotated[str, Path(max_length=20)]


@cache
def words(language: str) -> Mapping[str, Any]:
    """What the page says in a language, read once."""
    said: Mapping[str, Any] = read_yaml(_text("stop_words.yaml").encode())[language]
    return said


@router.get("/stop")
async def get_stop() -> HTMLResponse:
    """The page, for whoever has not chosen a language yet."""
    return _page(LANGUAGES[0], "ask")


@router.get("/stop/{language}")
async def get_stop_in(language: Language) -> HTMLResponse:
    """The page in a language: type the code of the letter."""
    return _page(_known(language), "ask")


@router.post("/stop/{language}")
async def post_stop_in(
    language: Language, request: Request, services: RequestServices
) -> HTMLResponse:
    """Stop, and say so; or say that nothing was stopped, where nobody has that code."""
    language = _known(language)
    refuse_from_elsewhere(request)
    said = await fields_of(request, frozenset({"code"}))
    code = code_in(said.get("code", ""))
    if code is None:
        return _page(language, "again", 422)
    if not counts_code(request, services):
        return _page(language, "wait", 429, {"Retry-After": "60"})
    try:
        known = await stop(services, code)
    except UNDONE as error:
        log.error("withdrawal.undone", reason=type(error).__name__)
        return _page(language, "undone", 503, {"Retry-After": "1"})
    return _page(language, "stopped") if known else _page(language, "unknown", 422)


def _known(language: str) -> str:
    if language not in LANGUAGES:
        raise RequestRefused(NOT_AVAILABLE)
    return language


def _page(
    language: str, step: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    others = [(each, words(each)["name"], words(each)["dir"]) for each in LANGUAGES]
    style = _text("stop.css")
    text = _template().render(
        language=language, languages=others, said=words(language), step=step, style=style
    )
    walls = {"Content-Security-Policy": _policy(style), **NO_STORE}
    return HTMLResponse(text, status, {**walls, **(headers or {})})


def _policy(style: str) -> str:
    """Nothing may be loaded or run; the one style is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    )


@cache
def _template() -> Any:
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return made.from_string(_text("stop.html"))


@cache
def _text(name: str) -> str:
    return files("exchange.web").joinpath("templates", name).read_text("utf-8")
