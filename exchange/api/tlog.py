"""The log over HTTP: its head and its tiles for anybody, its entries for auditors.

Paths and forms are those of C2SP tlog-tiles, so that foreign tools can follow the log.
Nothing beyond the last published head is served.
"""

import base64
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from audit import published, records
from audit.published import Head
from audit.tile_store import stored_tiles, tile_at
from audit.tiles import read_place
from audit.tree import TILE_WIDTH, leaf_hash
from exchange.api.answers import answer
from exchange.api.dependencies import RequestServices, caller_with
from exchange.flows.inspect_entry import EVERYTHING, Inspected, inspect_bundle, inspect_entry
from exchange.problems import NOT_AVAILABLE, RequestRefused, settled
from exchange.security.tokens import Caller
from exchange.services import SHARD

router = APIRouter(tags=["log"])
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
CHANGING = {"Cache-Control": "no-cache"}
TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"
_LEVELS = 64

AuditCaller = Annotated[Caller, Depends(caller_with("audit", EVERYTHING))]
Mirror = Annotated[Caller, Depends(caller_with(EVERYTHING))]


@router.get("/v1/audit/checkpoint")
async def get_checkpoint(services: RequestServices) -> Response:
    """The log's last head: signed by the log, cosigned by its witnesses."""
    return Response(await services.reader.run(_checkpoint), 200, CHANGING, TEXT)


@router.get("/v1/audit/entries/{index}")
async def get_entry(index: str, caller: AuditCaller, services: RequestServices) -> Response:
    """One entry with the proof that it stands in the log; the look is logged."""
    place = _number(index)
    found = settled(await services.writer.run(inspect_entry, caller, place))
    return answer(await services.reader.run(partial(_proven, found)))


@router.get("/audit/tlog/{log}/checkpoint")
async def get_log_checkpoint(log: str, services: RequestServices) -> Response:
    """The same head, where tools for transparency logs look for it."""
    await services.reader.run(partial(_this_log, log))
    return Response(await services.reader.run(_checkpoint), 200, CHANGING, TEXT)


@router.get("/audit/tlog/{log}/tile/entries/{place:path}")
async def get_entries(log: str, place: str, caller: Mirror, services: RequestServices) -> Response:
    """The leaves under a tile of level 0, as they are stored; the look is logged."""
    await services.reader.run(partial(_this_log, log))
    n, width = _placed(place)
    bundle = settled(await services.writer.run(inspect_bundle, caller, n, width))
    return Response(bundle, 200, {"Cache-Control": "private, no-store"}, BYTES)


@router.get("/audit/tlog/{log}/tile/{level}/{place:path}")
async def get_tile(log: str, level: str, place: str, services: RequestServices) -> Response:
    """Up to 256 hashes of one level of the tree. A tile never changes."""
    await services.reader.run(partial(_this_log, log))
    number, (n, width) = _number(level), _placed(place)
    if number >= _LEVELS:
        raise RequestRefused(NOT_AVAILABLE)
    wanted: Callable[[Connection], bytes] = partial(_tile, number, n, width)
    return Response(await services.reader.run(wanted), 200, FOR_EVER, BYTES)


def _checkpoint(connection: Connection) -> bytes:
    head = _head(connection)
    lines = published.cosigned(connection, shard=SHARD, size=head.size)
    return (head.note + "".join(each.line for each in lines)).encode()


def _proven(found: Inspected, connection: Connection) -> dict[str, Any]:
    head = _head(connection)
    proof = stored_tiles(connection, shard=SHARD, size=head.size).inclusion(found.index)
    return {
        "index": found.index,
        "leaf": _base64(found.leaf),
        "leaf_hash": leaf_hash(found.leaf).hex(),
        "proof": [_base64(each) for each in proof],
        "checkpoint": _checkpoint(connection).decode(),
        "parts": [{"l": label, "state": state} for label, state in found.parts],
    }


def _tile(level: int, n: int, width: int, connection: Connection) -> bytes:
    size = _head(connection).size
    tile = tile_at(connection, shard=SHARD, size=size, level=level, n=n, width=width)
    if tile is None:
        raise RequestRefused(NOT_AVAILABLE)
    return tile


def _head(connection: Connection) -> Head:
    head = published.latest(connection, shard=SHARD)
    if head is None:
        raise RequestRefused(NOT_AVAILABLE)
    return head


def _this_log(name: str, connection: Connection) -> None:
    state = records.state_of(connection, shard=SHARD)
    if state is None or state.origin.rpartition("/")[2] != name:
        raise RequestRefused(NOT_AVAILABLE)


def _placed(text: str) -> tuple[int, int]:
    place = read_place(text)
    if place is None:
        raise RequestRefused(NOT_AVAILABLE)
    return place[0], place[1] or TILE_WIDTH


def _number(text: str) -> int:
    """A number in its one form; any other is no address of ours."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", text):
        raise RequestRefused(NOT_AVAILABLE)
    return int(text)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
