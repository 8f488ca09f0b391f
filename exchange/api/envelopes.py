"""What a handover looks like from outside: ids and codes, never what the summary holds."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from consent.belgian_time import instant
from exchange import handovers, records
from exchange.api.forms import instant_text
from exchange.directory import Directory
from exchange.handovers import Handover, HandoverEvent
from exchange.problems import INVALID_TOKEN, RequestRefused
from exchange.security.tokens import Caller
from exchange.security.vault import Vault
from exchange.services import SHARD, Services
from exchange.stepping import event_context
from policies.vocabulary import HandoverId, HandoverState, OrganisationId

MASKED = {"masked": True, "label": "begeleidingsdienst (afgeschermd)"}
"""What stands in place of a sender whose very name tells something about the client."""


@dataclass(frozen=True, slots=True)
class Looking:
    """Who looks at handovers, when, and with what: everything that a query needs."""

    me: OrganisationId
    now: int
    directory: Directory
    vault: Vault


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of an inbox or outbox, and its place for the cursor."""

    id: str
    offered_at: int
    shown: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Which handovers of a box: of which state, from which place on, and how many."""

    inbox: bool
    state: HandoverState | None
    before: tuple[int, str] | None
    limit: int


def looking(services: Services, connection: Connection, caller: Caller) -> Looking:
    """What the caller may look with; one that was revoked since its token was issued, nothing."""
    directory = services.reads_directory.current(connection)
    now = instant(services.clock())
    if not directory.admits(caller, now):
        raise RequestRefused(INVALID_TOKEN)
    return Looking(OrganisationId(caller.organisation), now, directory, services.vault)


def listed(connection: Connection, look: Looking, page: Page) -> list[Listed]:
    """The newest handovers of a box, without content."""
    found = handovers.page(
        connection,
        shard=SHARD,
        organisation=look.me,
        inbox=page.inbox,
        state=page.state,
        before=page.before,
        limit=page.limit,
    )
    return [Listed(each.id, each.offered_at, _line(connection, look, each)) for each in found]


def envelope(connection: Connection, look: Looking, handover: HandoverId) -> dict[str, Any] | None:
    """The whole envelope with its events, for sender or recipient; nothing for anybody else."""
    found = handovers.handover_with_id(connection, shard=SHARD, handover=handover)
    if found is None or look.me not in {found.sender, found.recipient}:
        return None
    events = handovers.events_of(connection, shard=SHARD, handover=handover)
    said = _said(look, found, found.sealed, 0)
    hidden = _hidden(look, found)
    shown = _line(connection, look, found) | {
        "schema": "overdracht-handover/1.0",
        "id": found.id,
        "correlation_id": found.id,
        "shared": said["shared"],
        "withheld": said["withheld"],
        "filtered": said["withheld"],
        "consent_state": "given",
        "summary_ref": "/v1/summaries/query",
        "onward": False,
        "created": instant_text(found.offered_at),
        "expires": instant_text(found.deadline_at),
        "events": [_event(look, found, each) for each in events],
    }
    if said["consents"]:
        shown["consent_ref"] = said["consents"][0]
    if said["appointment"]:
        shown["appointment"] = _appointment(said["appointment"], hidden=hidden)
    # The agreement is public and names both parties: it would unmask the sender.
    return shown if hidden else shown | {"protocol_id": found.agreement}


def _line(connection: Connection, look: Looking, found: Handover) -> dict[str, Any]:
    handle = records.handle_of(connection, shard=SHARD, client=found.client, organisation=look.me)
    return {
        "handover": found.id,
        "state": state_at(found, look.now),
        "deadline": instant_text(found.deadline_at),
        "from": MASKED if _hidden(look, found) else _party(look.directory, found.sender),
        "to": _party(look.directory, found.recipient),
        "subject": {"pairwise_id": handle},
        "purpose": found.purpose,
        "reason_code": found.reason_code,
        "urgency": found.urgency,
        "offered_at": instant_text(found.offered_at),
    }


def state_at(found: Handover, now: int) -> str:
    """The state; an offer past its deadline has expired, also before the sweep marks it."""
    late = found.state == HandoverState.OFFERED and found.deadline_at <= now
    return HandoverState.EXPIRED if late else found.state


def _hidden(look: Looking, found: Handover) -> bool:
    return found.masked and look.me == found.recipient


def _party(directory: Directory, organisation: OrganisationId) -> dict[str, Any]:
    known = directory.organisations.get(organisation)
    partner = None if known is None else known.type_partner
    return {"org": organisation} | ({"type_partner": partner} if partner else {})


def _event(look: Looking, found: Handover, event: HandoverEvent) -> dict[str, Any]:
    hidden = _hidden(look, found) and event.actor_org == found.sender
    return {
        "event_id": event.id,
        "sequence": event.sequence,
        "type": event.type,
        "at": instant_text(event.at),
        **({} if hidden else {"actor_org": event.actor_org}),
        **_said(look, found, event.sealed, event.sequence),
    }


def _appointment(said: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    """Where the origin is masked the place is too: a site's name can tell it."""
    return {name: value for name, value in said.items() if not (hidden and name == "site")}


def _said(look: Looking, found: Handover, sealed: bytes, sequence: int) -> dict[str, Any]:
    context = event_context(found.id, sequence)
    body: dict[str, Any] = json.loads(look.vault.open(found.client, sealed, context))
    return body
