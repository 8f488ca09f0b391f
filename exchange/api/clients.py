"""Clients and their summaries over HTTP, for the organisation that holds them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from consent.belgian_time import day_of, instant
from exchange import records
from exchange.api.answers import answer
from exchange.api.dependencies import (
    Body,
    ClientCaller,
    RequestServices,
    SummaryCaller,
    body_of,
    json_of,
)
from exchange.api.forms import (
    HANDLE,
    ClientPath,
    Day,
    Instant,
    Line,
    Organisation,
    Purpose,
    either,
    organisation_of,
)
from exchange.considering import opened_with, sealed_sections
from exchange.flows.deposit_summary import Deposit, Overtaken, deposit_summary
from exchange.flows.flag_client import Flags, flag_client
from exchange.flows.record_disclosure import Told, record_disclosure
from exchange.flows.register_client import register_client
from exchange.flows.view_summary import OwnCopy, view_summary
from exchange.problems import INVALID_CONTENT, UNAVAILABLE, RequestRefused, settled
from exchange.security.tokens import Caller
from exchange.services import SHARD, Services
from policies.deposit import Deposited, read_deposit
from policies.insz import check_insz
from policies.vocabulary import Handle, OrganisationId, Section

router = APIRouter(prefix="/v1/clients", tags=["clients"])
ATTEMPTS = 5
"""How often a deposit is sealed anew when another one comes between."""


class Identity(Body):
    """Who the client says they are; all of it may be left out."""

    given_name: Line | None = None
    family_name: Line | None = None
    birth_date: Day | None = None
    alias: Line | None = None


class NewClient(Body):
    """A person to register. `reference` is the organisation's own number for them."""

    identity: Identity | None = None
    insz: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}[0-9. -]{7,14}[0-9]$")] | None = None
    reference: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = None


class NewFlags(Body):
    """The internal flags that a client is to have; they steer rules and are never told."""

    flags: list[Literal["high_risk", "restricted", "deceased", "under_inquiry"]]


@router.post("")
async def post_client(
    caller: ClientCaller,
    body: Annotated[NewClient, Depends(body_of(NewClient))],
    services: RequestServices,
) -> Response:
    """The handle by which you know this client: a new one, or the one you have already."""
    identity = body.identity.model_dump(exclude_none=True) if body.identity else {}
    registration = services.committer.registration(
        OrganisationId(caller.organisation),
        identity=identity,
        insz=_number(body.insz, services),
        reference=body.reference,
    )
    registered = settled(await services.writer.run(register_client, caller, registration))
    body_out = {"client": registered.handle, "created": registered.created}
    return answer(body_out, 201 if registered.created else 200)


@router.put("/{client}/flags")
async def put_flags(
    client: ClientPath,
    caller: ClientCaller,
    body: Annotated[NewFlags, Depends(body_of(NewFlags))],
    services: RequestServices,
) -> Response:
    """Replace the client's internal flags (restriction, danger, death, inquiry)."""
    order = Flags(handle_in(client), frozenset(body.flags))
    flags = settled(await services.writer.run(flag_client, caller, order))
    return answer({"flags": sorted(flags)})


OutsideKind = Literal[
    "school", "care_provider", "employer", "authority", "police_or_prosecutor",
    "family_or_confidant", "other",
]  # fmt: skip


class NewDisclosure(Body):
    """What you told somebody outside the broker, who is registered here or of some other kind."""

    recipient: Organisation | None = None
    recipient_kind: OutsideKind | None = None
    purpose: Purpose
    sections: Annotated[list[Literal[tuple(Section)]], Field(min_length=1)]  # type: ignore[valid-type]  # its members
    via: Literal["phone", "conversation", "letter", "email", "meeting"]
    basis: Literal[
        "consent", "legal_obligation", "public_task", "vital_interests", "right_to_speak"
    ]
    at: Instant

    model_config = ConfigDict(json_schema_extra=either("recipient", "recipient_kind"))


@router.post("/{client}/disclosures")
async def post_disclosure(
    client: ClientPath,
    caller: ClientCaller,
    body: Annotated[NewDisclosure, Depends(body_of(NewDisclosure))],
    services: RequestServices,
) -> Response:
    """Record what you told about the client by other ways than this one; the client sees it."""
    told = Told(
        client=handle_in(client),
        recipient=organisation_of(body.recipient) if body.recipient else None,
        recipient_kind=body.recipient_kind,
        purpose=body.purpose,
        sections=frozenset(map(Section, body.sections)),
        via=body.via,
        basis=body.basis,
        at=_moment(body.at),
    )
    committed = await services.writer.run(record_disclosure, caller, told)
    settled(committed)
    entry = committed.entries[0]
    audit = {"index": entry.index, "leaf_hash": entry.leaf_hash.hex()}
    return answer({"client": client, "audit": audit}, 201)


@router.put("/{client}/summary")
async def put_summary(
    client: ClientPath,
    request: Request,
    caller: SummaryCaller,
    services: RequestServices,
    if_match: Annotated[str | None, Header(max_length=40)] = None,
) -> Response:
    """Store sections of the client's summary; those that are not sent stay as they are."""
    sections = _sections(await json_of(request, services.settings.max_body_bytes))
    expected = _version(if_match)
    for _ in range(ATTEMPTS):
        deposit, told = await services.reader.run(
            lambda found: _deposit(found, services, caller, handle_in(client), sections, expected),
            tenant=caller.organisation,
        )
        try:
            committed = await services.writer.run(deposit_summary, caller, deposit)
        except Overtaken:
            continue
        version = settled(committed)
        return answer({"version": version, **told}, headers={"ETag": f'"{version}"'})
    raise RequestRefused(UNAVAILABLE)


@router.get("/{client}/summary")
async def get_summary(
    client: ClientPath, caller: SummaryCaller, services: RequestServices
) -> Response:
    """Your own copy of the client's summary. The look is logged."""
    copy = settled(await services.writer.run(view_summary, caller, handle_in(client)))
    body_out = {"client": client, "version": copy.version, "sections": _opened(services, copy)}
    return answer(body_out, headers={"ETag": f'"{copy.version}"'})


def _deposit(
    connection: Connection,
    services: Services,
    caller: Caller,
    handle: Handle,
    sections: dict[str, Any],
    expected: int | None,
) -> tuple[Deposit, dict[str, Any]]:
    """The deposit as a command takes it, sealed for the version to come, and what to answer.

    For somebody else's client, or none, everything but the sealing is done all the same.
    """
    directory = services.reads_directory.current(connection)
    today = day_of(instant(services.clock()))
    deposited = read_deposit(sections, today=today, scanner=directory.scanner)
    _refuse_real_number(services, deposited)
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(connection, shard=SHARD, organisation=holder, handle=handle)
    version = client.summary_version + 1
    mine = client.holder == holder
    deposit = Deposit(
        handle=handle,
        client=client.id,
        version=version,
        scanned=directory.scanner.fingerprint,
        sealed=sealed_sections(services.vault, client.id, version, deposited) if mine else {},
        stored=deposited.stored,
        dropped=len(deposited.dropped),
        quarantined=len(deposited.quarantined),
        rules=tuple(sorted({rule for each in deposited.quarantined for rule in each.rules})),
        number_held=Section.NATID in deposited.sections,
        expected=expected,
    )
    told = {
        "stored": deposited.stored,
        "dropped": list(deposited.dropped),
        "quarantined": [each.path for each in deposited.quarantined],
    }
    return deposit, told


def _refuse_real_number(services: Services, deposited: Deposited) -> None:
    """A demonstration holds test numbers only (hard rule H10)."""
    held = deposited.sections.get(Section.NATID, {}).get("insz", {}).get("value")
    number = None if held is None else check_insz(held)
    if services.rulebook.demo and number is not None and not number.is_test:
        raise RequestRefused(INVALID_CONTENT, (("natid.insz", "not_a_test_number"),))


def handle_in(text: str) -> Handle:
    """The handle in a path; what has not the form of one is nobody's."""
    return Handle(text if re.fullmatch(HANDLE, text) else "")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RequestRefused(INVALID_CONTENT, (("at", "no_such_time"),)) from None


def _number(text: str | None, services: Services) -> str | None:
    if text is None:
        return None
    number = check_insz(text)
    if number is None or (services.rulebook.demo and not number.is_test):
        raise RequestRefused(INVALID_CONTENT, (("insz", "not_a_national_number"),))
    return number.digits


def _sections(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("sections"), dict):
        raise RequestRefused(INVALID_CONTENT, (("sections", "missing"),))
    if len(body) > 1:
        raise RequestRefused(INVALID_CONTENT, (("body", "extra_forbidden"),))
    sections: dict[str, Any] = body["sections"]
    return sections


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match == "*":
        return None
    found = re.fullmatch(r'"([0-9]{1,12})"', if_match)
    # Any other tag is one that we never gave: it can only be stale.
    return int(found[1]) if found else -1


def _opened(services: Services, copy: OwnCopy) -> dict[str, Any]:
    return {each.section: opened_with(services.vault, copy.client, each) for each in copy.sections}
