"""Answer a handover: accept, decline, first contact, close, take back. A closed loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.events import (
    Actor,
    HandoverAccepted,
    HandoverClosed,
    HandoverDeclined,
    HandoverFirstContact,
    HandoverRevoked,
    NoticeAcknowledged,
    PersonEvent,
)
from exchange import handovers, recalls
from exchange.handovers import Handover
from exchange.security.tokens import Caller
from exchange.stepping import about, may_move, move
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import HandoverId, HandoverState, OrganisationId, Reason

_EVENTS = {
    HandoverState.ACCEPTED: HandoverAccepted,
    HandoverState.DECLINED: HandoverDeclined,
    HandoverState.FIRST_CONTACT: HandoverFirstContact,
    HandoverState.CLOSED: HandoverClosed,
    HandoverState.REVOKED: HandoverRevoked,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a handover is to go. `said` is sealed: contact, appointment, outcome, a code why."""

    handover: HandoverId
    to: HandoverState
    said: Mapping[str, Any]
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """How the handover stands now. Times in microseconds since 1970."""

    handover: HandoverId
    state: HandoverState
    deadline: int


@by_application
def answer_handover(tx: Transaction, caller: Caller, answer: Answer) -> Outcome[Moved]:
    """Move the handover on. Only its recipient may, and only its sender may take it back.

    Anybody else's handover does not exist. One that has ended, or an offer past its
    deadline, moves no more.
    """
    me = OrganisationId(caller.organisation)
    handover = handovers.handover_with_id(tx.connection, shard=tx.shard, handover=answer.handover)
    if handover is None or me != _whose(handover, answer.to):
        return Outcome(Refused(Reason.HANDOVER_NOT_FOUND))
    late = handover.state == HandoverState.OFFERED and handover.deadline_at <= tx.now
    if not may_move(handover.state, answer.to) or (late and answer.to != HandoverState.REVOKED):
        reason = Reason.HANDOVER_NOT_OPEN
        return Outcome(Refused(reason, told=reason))
    said = dict(answer.said)
    if answer.reason_code is not None:
        said["reason_code"] = answer.reason_code
    move(tx, handover, to=answer.to, type=str(answer.to), actor=me, said=said)
    event = _EVENTS[answer.to](**_about(tx, caller, handover), reason=answer.reason_code)
    moved = Moved(answer.handover, answer.to, handover.deadline_at)
    return Outcome(moved, (event,))


@by_application
def acknowledge_notice(
    tx: Transaction, caller: Caller, handover_id: HandoverId, notice: str
) -> Outcome[Moved]:
    """The recipient has done what a notice asked, for instance erased what it had stored."""
    me = OrganisationId(caller.organisation)
    handover = handovers.handover_with_id(tx.connection, shard=tx.shard, handover=handover_id)
    if handover is None or handover.recipient != me:
        return Outcome(Refused(Reason.HANDOVER_NOT_FOUND))
    known = handovers.events_of(tx.connection, shard=tx.shard, handover=handover_id)
    if notice not in {each.id for each in known if each.type == "erasure_notice"}:
        return Outcome(Refused(Reason.HANDOVER_NOT_FOUND))
    state = HandoverState(handover.state)
    move(tx, handover, to=state, type="notice_acknowledged", actor=me, said={"ack_of": notice})
    recalls.acknowledge(
        tx.connection,
        shard=tx.shard,
        client=handover.client,
        recipient=me,
        purpose=handover.purpose,
        at=tx.now,
    )
    event: PersonEvent = NoticeAcknowledged(**_about(tx, caller, handover), about="erasure")
    return Outcome(Moved(handover_id, state, handover.deadline_at), (event,))


def _whose(handover: Handover, to: HandoverState) -> str:
    return handover.sender if to == HandoverState.REVOKED else handover.recipient


def _about(tx: Transaction, caller: Caller, handover: Handover) -> dict[str, Any]:
    who = {"application": caller.application, "actor": Actor(system=caller.application)}
    return who | about(tx, handover)
