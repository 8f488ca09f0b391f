"""The events about a person, or about nobody we know. What is not public is sealed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from audit.recording import FailedEvent, PersonEvent

Trace: TypeAlias = tuple[tuple[str, str | None], ...]
"""What each gate said, in order: its name, and why it did not hold, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryReleased(PersonEvent):
    """A partner may read part of a summary. Committed before the first byte leaves.

    `reason` is OK or OK_FILTERED; `fields` are names, never values; `filtered` counts what was
    held back; `basis` stands where no consent does; `obligations` are codes of what the
    recipient owes.
    """

    kind, outcome = "summary.released", "permit"
    reason: str
    consents: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    basis: str | None = None
    protocol: str | None = None
    handover: str | None = None
    fields: tuple[str, ...] = ()
    filtered: int = 0
    obligations: tuple[str, ...] | None = None
    trace: Trace = ()
    case_reference: str | None = None
    payload_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRefused(PersonEvent):
    """A partner asked and got nothing. Its leaf is the same whatever the reason."""

    kind, outcome = "summary.refused", "deny"
    reason: str
    trace: Trace = ()
    consents: tuple[str, ...] | None = None
    protocol: str | None = None
    handover: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryDelivered(PersonEvent):
    """What was released has been stored by the receiver's system."""

    kind, outcome = "summary.delivered", "ok"
    handover: str | None = None
    payload_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryUndelivered(FailedEvent):
    """What was released did not arrive, or nobody can tell."""

    kind = "summary.undelivered"
    handover: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryDeposited(PersonEvent):
    """A holder stored a summary. Counts of fields, and the rules that quarantined some."""

    kind, outcome = "summary.deposited", "ok"
    version: int
    stored: int
    dropped: int = 0
    quarantined: int = 0
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryViewed(PersonEvent):
    """Somebody inside looked at a summary: its holder, or the client."""

    kind, outcome = "summary.viewed", "ok"
    version: int | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverOffered(PersonEvent):
    """A handover waits for its recipient; no data has left. `basis`: where no consent stands."""

    kind, outcome = "handover.offered", "permit"
    handover: str
    reason: str = "OK"
    consents: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    basis: str | None = None
    protocol: str | None = None
    trace: Trace = ()
    deadline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRefused(PersonEvent):
    """A handover was not allowed. Its leaf is the same whatever the reason."""

    kind, outcome = "handover.refused", "deny"
    reason: str
    trace: Trace = ()
    handover: str | None = None
    protocol: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverMoved(PersonEvent):
    """What all later steps of a handover have in common; `reason` is a code."""

    outcome = "ok"
    handover: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverAccepted(HandoverMoved):
    """The recipient takes the client on."""

    kind = "handover.accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverDeclined(HandoverMoved):
    """The recipient does not take the client on."""

    kind = "handover.declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverFirstContact(HandoverMoved):
    """Recipient and client have met."""

    kind = "handover.first_contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverClosed(HandoverMoved):
    """The recipient reported the outcome; its access has ended."""

    kind = "handover.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverExpired(HandoverMoved):
    """The deadline has passed; access has ended."""

    kind = "handover.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRevoked(HandoverMoved):
    """The sender took it back, or the client withdrew; access has ended."""

    kind = "handover.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChanged(PersonEvent):
    """What happens to a client's own record has in common. `flags` name what changed."""

    outcome = "ok"
    reason: str | None = None
    via: str | None = None
    flags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistered(ClientChanged):
    """A person we did not know became a client."""

    kind = "client.registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecognised(ClientChanged):
    """An organisation named a person who was a client already."""

    kind = "client.recognised"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientViewed(ClientChanged):
    """Somebody looked at a client's record."""

    kind = "client.viewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCorrected(ClientChanged):
    """A fact about the client was put right."""

    kind = "client.corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRestricted(ClientChanged):
    """The client's data may be kept and not used."""

    kind = "client.restricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientUnrestricted(ClientChanged):
    """The client's data may be used again."""

    kind = "client.unrestricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientObjected(ClientChanged):
    """The client objects to somebody or something, or takes that back (`reason`)."""

    kind = "client.objected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRefused(ClientChanged):
    """A look at, or a change of, a client's record was not allowed."""

    kind, outcome = "client.refused", "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChanged(PersonEvent):
    """What everything about one consent has in common. `notice` is the text's version."""

    outcome = "ok"
    consent: str | None = None
    grants: tuple[str, ...] | None = None
    notice: str | None = None
    reason: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven(ConsentChanged):
    """A client agreed to share."""

    kind = "consent.given"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentNarrowed(ConsentChanged):
    """A client took some grants back, and left others."""

    kind = "consent.narrowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRenewed(ConsentChanged):
    """A client agreed for another term."""

    kind = "consent.renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn(ConsentChanged):
    """A client stopped sharing. No release that rests on this consent may follow."""

    kind = "consent.withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentExpired(ConsentChanged):
    """The term of a consent has ended."""

    kind = "consent.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentInvalidated(ConsentChanged):
    """A consent turned out never to have been a valid one."""

    kind = "consent.invalidated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRevoked(ConsentChanged):
    """Somebody else who may ended a consent; `via` says who, as a code."""

    kind = "consent.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSuspended(ConsentChanged):
    """A consent does not count until it is confirmed."""

    kind = "consent.suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentResumed(ConsentChanged):
    """A suspended consent counts again."""

    kind = "consent.resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRefused(ConsentChanged):
    """A consent stayed as it was: it is not there, or may not change in this way."""

    kind, outcome = "consent.refused", "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDelivered(PersonEvent):
    """A recipient's system stored a notice, which carries no data."""

    kind, outcome = "notice.delivered", "ok"
    about: str | None = None
    consent: str | None = None
    handover: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeAcknowledged(PersonEvent):
    """A recipient says it has acted on a notice. `said` is a code for what it did.

    `certificate_sha256` (hexadecimal) is that of what it signed, where it signed something.
    """

    kind, outcome = "notice.acknowledged", "ok"
    about: str | None = None
    consent: str | None = None
    handover: str | None = None
    said: str | None = None
    certificate_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeUndelivered(FailedEvent):
    """A notice did not arrive, or nobody can tell."""

    kind = "notice.undelivered"
    about: str | None = None
    consent: str | None = None
    handover: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditInspected(PersonEvent):
    """Somebody looked into the log: one event for each query, its filter sealed."""

    kind, outcome = "audit.inspected", "ok"
    filter: Mapping[str, str | int] | None = None
    found: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExported(PersonEvent):
    """A range of the log was made into a bundle. Committed before the first byte of it leaves."""

    kind, outcome = "audit.exported", "ok"
    filter: Mapping[str, str | int] | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureExported(PersonEvent):
    """A client's record, or the evidence of one handover, was made into a bundle.

    `evidence` holds the SHA-256 (hexadecimal) of each document that belongs to it, by name.
    """

    kind, outcome = "disclosure.exported", "ok"
    evidence: Mapping[str, str] | None = None
    filter: Mapping[str, str | int] | None = None
    handover: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRecorded(PersonEvent):
    """A holder told somebody something outside the broker: on which basis, how, when it was.

    `recipient_kind` stands where the recipient is no organisation of the register.
    """

    kind, outcome = "disclosure.recorded", "ok"
    basis: str
    via: str
    happened_at: str
    recipient_kind: str | None = None
