"""The log for auditors over HTTP: searches, and bundles that verify offline."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from audit import log, search
from audit.checkpoints import NoteKey
from audit.export import ExportRefused
from audit.leaf import KINDS, prefixed
from audit.receipts import Receipt, receipt_note
from audit.search import Hit
from audit.signer import origin_of
from audit.tree import leaf_hash
from consent.belgian_time import instant
from exchange.api.answers import NO_STORE, answer
from exchange.api.dependencies import Body, RequestServices, body_of, caller_with, onlooker_with
from exchange.api.forms import (
    CONSENT,
    HandleText,
    Instant,
    Organisation,
    Purpose,
    ShortCode,
    moment_text,
    organisation_of,
)
from exchange.api.limits import reaches_no_further
from exchange.exporting import client_bundle, range_bundle
from exchange.flows.administer import EVERY_SCOPE
from exchange.flows.export_log import Asker, export_client, export_range
from exchange.flows.inspect_audit import EVERYTHING, Answered, AuditQuery, inspect_audit
from exchange.problems import INVALID_CONTENT, NOT_AVAILABLE, RequestRefused, settled
from exchange.security.tokens import Caller
from exchange.services import SHARD, Services
from exchange.writer import Busy
from policies.vocabulary import ConsentId, Handle, OrganisationId

router = APIRouter(prefix="/v1/audit", tags=["audit"])
_PLACE = 2**53
MOST_ENTRIES = 131_072
"""Entries of one range over HTTP; an operator makes larger bundles at the command line."""

AuditCaller = Annotated[Caller, Depends(caller_with("audit", EVERYTHING))]
Exporter = Annotated[Caller, Depends(onlooker_with("audit", EVERYTHING))]
AnyOnlooker = Annotated[Caller, Depends(onlooker_with(*EVERY_SCOPE))]
Outcome = Annotated[str, StringConstraints(pattern=r"^(permit|deny|ok|error(:[A-Za-z0-9._-]+)?)$")]


class NewSearch(Body):
    """Who, about whom, what, when, why and with which outcome; what is left out is not asked.

    `agreement` finds what was released, refused or offered under it, by its giver or an auditor.
    """

    client: HandleText | None = None
    organisation: Organisation | None = None
    actor: ShortCode | None = None
    consent: Annotated[str, StringConstraints(pattern=CONSENT)] | None = None
    agreement: ShortCode | None = None
    kinds: Annotated[list[Literal[tuple(KINDS)]], Field(min_length=1, max_length=60)] | None = None  # type: ignore[valid-type]  # its members
    purpose: Purpose | None = None
    outcome: Outcome | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class NewExport(Body):
    """A range of entries by their places, or one client's whole record."""

    mode: Literal["range", "filtered"]
    from_: Annotated[int, Field(ge=0, lt=_PLACE, alias="from")] = 0
    to: Annotated[int, Field(ge=0, lt=_PLACE)] | None = None
    client: HandleText | None = None
    organisation: Organisation | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"mode": {"const": "range"}}},
                {"properties": {"client": {"type": "string"}}, "required": ["client"]},
            ]
        }
    )


class NewReceipt(Body):
    """An entry as an answer has named it."""

    index: Annotated[int, Field(ge=0, lt=_PLACE)]
    leaf_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@router.post("/search")
async def search_entries(
    caller: AuditCaller,
    body: Annotated[NewSearch, Depends(body_of(NewSearch))],
    services: RequestServices,
) -> Response:
    """The newest entries that fit, each with its place and the hash it can be proven by.

    A page looks at part of the log only: it may be empty, and have a `next` all the same.
    """
    query = _query(services, caller, body)
    found = settled(await services.writer.run(inspect_audit, caller, query))
    items = [_item(services, caller, found, hit) for hit in found.hits]
    place = found.following
    following = None if place is None else _cursor(services, _listing(caller, body), place)
    return answer({"size": found.size, "items": items, "next": following})


@router.post("/receipts")
async def post_receipt(
    caller: AnyOnlooker,
    body: Annotated[NewReceipt, Depends(body_of(NewReceipt))],
    services: RequestServices,
) -> Response:
    """The log's signed word on an entry that the caller has asked for, given or got.

    Whoever reads the tiles knows the hash of every entry, and a receipt tells the time: so of what
    others did it is not available. What it tells the caller is their own, and no look is logged.
    """
    if services.admission.frozen is not None:
        raise Busy
    named = body.index, bytes.fromhex(body.leaf_hash)
    make = partial(_receipt, services.receipt_key, caller, *named)
    receipt = await services.reader.run(make)
    return answer({"receipt": receipt, "vkey": services.receipt_key.vkey.text})


@router.post("/exports")
async def post_export(
    caller: Exporter,
    body: Annotated[NewExport, Depends(body_of(NewExport))],
    services: RequestServices,
) -> Response:
    """A bundle that verifies offline. That it was asked for is logged before it is made."""
    organisation, out = OrganisationId(caller.organisation), BytesIO()
    asker = Asker(caller.application, organisation, caller)
    if body.mode == "range":
        if EVERYTHING not in caller.scopes or body.client is not None:
            raise reaches_no_further(caller, services)
        stop = body.from_ + MOST_ENTRIES if body.to is None else body.to
        if not 0 <= stop - body.from_ <= MOST_ENTRIES:
            raise RequestRefused(INVALID_CONTENT, (("to", "too_far"),))
        settled(await services.writer.run(export_range, asker, body.from_, stop))
        make = partial(range_bundle, services, out, body.from_, stop)
    else:
        if body.client is None:
            raise RequestRefused(INVALID_CONTENT, (("client", "missing"),))
        holder = OrganisationId(organisation_of(body.organisation or caller.organisation))
        if EVERYTHING not in caller.scopes:
            holder = OrganisationId(caller.organisation)
        client = settled(
            await services.writer.run(export_client, asker, holder, Handle(body.client))
        )
        oversight = EVERYTHING in caller.scopes
        make = partial(client_bundle, services, out, client, oversight=oversight)
    try:
        await services.reader.run_long(make)
    except ExportRefused:
        raise RequestRefused(NOT_AVAILABLE) from None
    return Response(out.getvalue(), 200, NO_STORE, "application/zip")


def _receipt(
    key: NoteKey, caller: Caller, index: int, digest: bytes, connection: Connection
) -> str:
    found = dict(log.entries(connection, shard=SHARD, start=index, stop=index + 1))
    leaf = found.get(index, b"")
    if not hmac.compare_digest(leaf_hash(leaf), digest) or not _is_own(json.loads(leaf), caller):
        raise RequestRefused(NOT_AVAILABLE)
    receipt = Receipt(origin_of(connection, SHARD), index, digest, json.loads(leaf)["t"])
    return receipt_note(receipt, key)


def _is_own(leaf: Mapping[str, Any], caller: Caller) -> bool:
    organisation = prefixed("org:", caller.organisation)
    told = leaf.get("ap"), leaf.get("p"), leaf.get("c")
    return prefixed("app:", caller.application) in told or organisation in told


def _query(services: Services, caller: Caller, body: NewSearch) -> AuditQuery:
    organisation = None if body.organisation is None else organisation_of(body.organisation)
    return AuditQuery(
        organisation=organisation,
        client=None if body.client is None else Handle(body.client),
        actor=body.actor,
        consent=None if body.consent is None else ConsentId(body.consent),
        agreement=body.agreement,
        kinds=tuple(body.kinds or ()),
        purpose=body.purpose,
        outcome=body.outcome,
        start=None if body.from_ is None else _moment(body.from_),
        stop=None if body.to is None else _moment(body.to),
        before=None
        if body.cursor is None
        else _place(services, _listing(caller, body), body.cursor),
        limit=body.limit,
    )


def _moment(text: str) -> int:
    try:
        return instant(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise RequestRefused(INVALID_CONTENT, (("time", "no_such_time"),)) from None


def _item(services: Services, caller: Caller, found: Answered, hit: Hit) -> dict[str, Any]:
    """An entry as its asker may see it: a partner learns neither holder nor reason of a refusal."""
    leaf, own = hit.body, f"org:{caller.organisation}"
    held = found.everything or hit.provider == own
    labels = {"a"} if leaf.get("c") == own else set()
    if held:
        labels |= {"y", "a"} if found.everything else {"y"}
    provider = hit.provider if held else leaf.get("p")
    return {
        "index": hit.index,
        "leaf_hash": hit.leaf_hash.hex(),
        "time": moment_text(leaf["t"]),
        "kind": leaf["k"],
        "outcome": leaf["o"],
        "provider": provider,
        "consumer": leaf.get("c"),
        "application": leaf.get("ap"),
        "purpose": leaf.get("u"),
        "sections": leaf.get("d"),
        "about": leaf.get("e"),
        "parts": _parts(services, found, hit, labels),
    }


def _parts(services: Services, found: Answered, hit: Hit, labels: set[str]) -> Mapping[str, Any]:
    texts = {
        part.label: search.text_of(hit.body, part, services.keys)
        for part in found.parts[hit.index]
        if part.label in labels
    }
    return {label: json.loads(text) for label, text in texts.items() if text is not None}


def _listing(caller: Caller, body: NewSearch) -> str:
    """What is paged through, and by whom; a page may be larger or smaller than the one before."""
    asked = body.model_dump_json(exclude={"cursor", "limit"})
    whose = f"{caller.organisation}\n{caller.application}\n{asked}"
    return hashlib.sha256(whose.encode()).hexdigest()


def _cursor(services: Services, listing: str, index: int) -> str:
    seal = _seal(services, listing, str(index))
    return base64.urlsafe_b64encode(f"{index}.{seal}".encode()).decode()


def _place(services: Services, listing: str, cursor: str) -> int:
    """Where the last page ended. A cursor of another caller or search is nobody's."""
    try:
        place, _, seal = base64.urlsafe_b64decode(cursor).decode("ascii").partition(".")
        if hmac.compare_digest(seal, _seal(services, listing, place)):
            return int(place)
    except ValueError:
        pass
    raise RequestRefused(NOT_AVAILABLE)


def _seal(services: Services, listing: str, place: str) -> str:
    said = f"audit|{listing}|{place}".encode()
    return hmac.digest(services.cursor_key, said, "sha256").hex()[:32]
