"""Handovers over HTTP: push, follow, answer. A handover itself carries no data."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import Field, StringConstraints

from exchange.api.answers import answer
from exchange.api.cursors import cursor as cursor_after
from exchange.api.cursors import place_in
from exchange.api.dependencies import (
    Body,
    HandoverCaller,
    HandoverOnlooker,
    RequestServices,
    body_of,
)
from exchange.api.envelopes import Page, envelope, listed, looking
from exchange.api.forms import (
    HandleText,
    HandoverPath,
    HandoverText,
    Instant,
    Organisation,
    Purpose,
    instant_text,
    organisation_of,
)
from exchange.flows.answer_handover import Answer, Moved, acknowledge_notice, answer_handover
from exchange.flows.push_handover import HandoverOrder, push_handover
from exchange.problems import (
    INVALID_CONTENT,
    NOT_AVAILABLE,
    RequestRefused,
    settled,
    settled_for_holder,
)
from exchange.security.tokens import Caller
from exchange.services import Services
from policies.vocabulary import Handle, HandoverId, HandoverState, Section

router = APIRouter(prefix="/v1/handovers", tags=["handovers"])
NOBODYS = HandoverId("none")

Reason = Literal[
    "learning_guidance",
    "work_guidance",
    "welfare_support",
    "language_course",
    "enrolment",
    "appointment",
    "feedback",
    "other",
]
NoReason = Literal[
    "capacity_full",
    "outside_target_group",
    "duplicate",
    "client_declined",
    "no_contact",
    "wrong_recipient",
    "other",
]
Exit = Literal[
    "started_course",
    "completed_course",
    "found_job",
    "planned_sessions_done",
    "no_response",
    "moved",
    "other_service",
    "other",
]


class NewAppointment(Body):
    start: Instant
    duration_minutes: Annotated[int, Field(ge=5, le=480)] | None = None
    site: Annotated[str, StringConstraints(max_length=60)] | None = None
    ics_uid: Annotated[str, StringConstraints(max_length=120)] | None = None


class NewHandover(Body):
    """Which client goes to whom, for what, and how soon."""

    client: HandleText
    recipient: Organisation
    purpose: Purpose
    reason_code: Reason
    urgency: Literal["normal", "within_7d", "within_48h"] = "normal"
    sections: list[Literal[tuple(Section)]] | None = None  # type: ignore[valid-type]  # its members
    appointment: NewAppointment | None = None
    on_behalf_of: Organisation | None = None
    """The controller in whose name its processor offers the client."""


class Contact(Body):
    """A function and how to reach it, never a person's name."""

    function: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{3,186}$")] | None = None


class Acceptance(Body):
    contact: Contact | None = None
    appointment: NewAppointment | None = None


class NewRefusal(Body):
    reason_code: NoReason


class NewRevocation(Body):
    reason_code: NoReason | None = None


class FirstContact(Body):
    at: Instant | None = None


class Outcome(Body):
    exit_reason: Exit | None = None
    enrolled: bool | None = None


class Closure(Body):
    outcome: Outcome | None = None


class Acknowledgement(Body):
    """Which notice was carried out, by the id of its event."""

    ack_of: HandoverText


@router.post("", status_code=201)
async def post_handover(
    caller: HandoverCaller,
    body: Annotated[NewHandover, Depends(body_of(NewHandover))],
    services: RequestServices,
    idempotency_key: Annotated[str | None, Header(max_length=400)] = None,
) -> Response:
    """Offer a client to a partner. Repeating it with the same key repeats the answer."""
    if idempotency_key is None or not re.fullmatch(r"[\x21-\x7e]{8,200}", idempotency_key):
        raise RequestRefused(INVALID_CONTENT, (("idempotency-key", "needed_8_to_200_characters"),))
    # Not there is not the same as nothing: a repeat from before there was such a member counts.
    kept = body.model_dump(exclude=None if body.on_behalf_of else {"on_behalf_of"})
    text = json.dumps(kept, sort_keys=True).encode()
    order = HandoverOrder(
        client=Handle(body.client),
        recipient=organisation_of(body.recipient),
        purpose=body.purpose,
        reason_code=body.reason_code,
        urgency=body.urgency,
        key=_key(caller, idempotency_key),
        fingerprint=hashlib.sha256(text).digest(),
        sections=None if body.sections is None else frozenset(map(Section, body.sections)),
        appointment=_given(body.appointment),
        on_behalf_of=None if body.on_behalf_of is None else organisation_of(body.on_behalf_of),
    )
    committed = await services.writer.run(push_handover, caller, order, services.rulebook)
    offered = settled_for_holder(committed)
    body_out = {
        "handover": offered.handover,
        "state": offered.state,
        "deadline": instant_text(offered.deadline),
        "shared": list(offered.shared),
        "withheld": list(offered.withheld),
    }
    return answer(body_out, 201)


@router.get("")
async def get_handovers(
    caller: HandoverOnlooker,
    services: RequestServices,
    box: Annotated[Literal["inbox", "outbox"], Query()] = "inbox",
    state: Annotated[HandoverState | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The newest handovers of one box first, without content; `next` leads to older ones."""
    mine = f"{caller.organisation}|{box}|{state}"
    before = None if cursor is None else place_in(services.cursor_key, mine, cursor)
    wanted = Page(box == "inbox", state, before, limit + 1)
    page = await services.reader.run(
        lambda found: listed(found, looking(services, found, caller), wanted),
        tenant=caller.organisation,
    )
    items, more = page[:limit], len(page) > limit
    following = (
        cursor_after(services.cursor_key, mine, items[-1].offered_at, items[-1].id)
        if more
        else None
    )
    return answer({"items": [each.shown for each in items], "next": following})


@router.get("/{handover}")
async def get_handover(
    handover: HandoverPath, caller: HandoverOnlooker, services: RequestServices
) -> Response:
    """One handover with its events: to its sender and its recipient, and to nobody else."""
    shown = await services.reader.run(
        lambda found: envelope(found, looking(services, found, caller), handover_in(handover)),
        tenant=caller.organisation,
    )
    if shown is None:
        raise RequestRefused(NOT_AVAILABLE)
    return answer(shown)


@router.post("/{handover}/acceptance")
async def post_acceptance(
    handover: HandoverPath,
    caller: HandoverCaller,
    body: Annotated[Acceptance, Depends(body_of(Acceptance))],
    services: RequestServices,
) -> Response:
    """Take the client on."""
    said = {"contact": _given(body.contact), "appointment": _given(body.appointment)}
    return await _answered(services, caller, handover, HandoverState.ACCEPTED, said)


@router.post("/{handover}/refusal")
async def post_refusal(
    handover: HandoverPath,
    caller: HandoverCaller,
    body: Annotated[NewRefusal, Depends(body_of(NewRefusal))],
    services: RequestServices,
) -> Response:
    """Do not take the client on, and say why; access ends."""
    return await _answered(services, caller, handover, HandoverState.DECLINED, {}, body.reason_code)


@router.post("/{handover}/first-contact")
async def post_first_contact(
    handover: HandoverPath,
    caller: HandoverCaller,
    body: Annotated[FirstContact, Depends(body_of(FirstContact))],
    services: RequestServices,
) -> Response:
    """Say that recipient and client have met."""
    said = {"at": body.at}
    return await _answered(services, caller, handover, HandoverState.FIRST_CONTACT, said)


@router.post("/{handover}/closure")
async def post_closure(
    handover: HandoverPath,
    caller: HandoverCaller,
    body: Annotated[Closure, Depends(body_of(Closure))],
    services: RequestServices,
) -> Response:
    """Close the handover with its outcome; access ends."""
    said = {"outcome": _given(body.outcome)}
    return await _answered(services, caller, handover, HandoverState.CLOSED, said)


@router.post("/{handover}/revocation")
async def post_revocation(
    handover: HandoverPath,
    caller: HandoverCaller,
    body: Annotated[NewRevocation, Depends(body_of(NewRevocation))],
    services: RequestServices,
) -> Response:
    """Take your own handover back; the recipient's access ends."""
    return await _answered(services, caller, handover, HandoverState.REVOKED, {}, body.reason_code)


@router.post("/{handover}/acknowledgement")
async def post_acknowledgement(
    handover: HandoverPath,
    caller: HandoverCaller,
    body: Annotated[Acknowledgement, Depends(body_of(Acknowledgement))],
    services: RequestServices,
) -> Response:
    """Say that you have done what a notice asked, for instance erased your copy."""
    committed = await services.writer.run(
        acknowledge_notice, caller, handover_in(handover), body.ack_of
    )
    return _moved(settled(committed))


def _key(caller: Caller, text: str) -> bytes:
    """An application's own: another one of the same organisation may choose the same text."""
    return hashlib.sha256(f"{caller.application}\n{text}".encode()).digest()


def handover_in(text: str) -> HandoverId:
    """The id in a path; what has not the form of one is nobody's."""
    return HandoverId(text) if re.fullmatch(r"[0-9a-f-]{36}", text) else NOBODYS


async def _answered(
    services: Services,
    caller: Caller,
    handover: str,
    to: HandoverState,
    said: Mapping[str, Any],
    reason_code: str | None = None,
) -> Response:
    told = {name: value for name, value in said.items() if value is not None}
    answer = Answer(handover_in(handover), to, told, reason_code)
    return _moved(settled(await services.writer.run(answer_handover, caller, answer)))


def _moved(moved: Moved) -> Response:
    return answer(
        {
            "handover": moved.handover,
            "state": moved.state,
            "deadline": instant_text(moved.deadline),
        }
    )


def _given(body: Body | None) -> dict[str, Any] | None:
    return None if body is None else body.model_dump(exclude_none=True)
