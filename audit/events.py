"""The closed list of what is worth recording. A new kind needs a decision record.

What `leaf.PUBLIC` names stands in the leaf for ever. Every other field is sealed beside it, in
the part y, and erased with the client: forgetting to decide means sealing.
"""

from collections.abc import Mapping

from audit.log_events import (
    AdminChanged,
    AdminStarted,
    AuthFailures,
    IntakeImported,
    KeyRotated,
    LogOpened,
    PartsExpired,
    PartsLost,
    PolicyChanged,
    SubjectErased,
)
from audit.person_events import (
    AuditExported,
    AuditInspected,
    ClientCorrected,
    ClientRecognised,
    ClientRefused,
    ClientRegistered,
    ClientRestricted,
    ClientUnrestricted,
    ClientViewed,
    ConsentExpired,
    ConsentGiven,
    ConsentInvalidated,
    ConsentNarrowed,
    ConsentRefused,
    ConsentRenewed,
    ConsentResumed,
    ConsentSuspended,
    ConsentWithdrawn,
    DisclosureExported,
    HandoverAccepted,
    HandoverClosed,
    HandoverDeclined,
    HandoverExpired,
    HandoverFirstContact,
    HandoverOffered,
    HandoverRefused,
    HandoverRevoked,
    NoticeAcknowledged,
    NoticeDelivered,
    NoticeUndelivered,
    SummaryDelivered,
    SummaryDeposited,
    SummaryRefused,
    SummaryReleased,
    SummaryUndelivered,
    SummaryViewed,
    Trace,
)
from audit.recording import Actor, AuditEvent, FailedEvent, LogEvent, PersonEvent

__all__ = [
    "EVENTS",
    "Actor",
    "AdminChanged",
    "AdminStarted",
    "AuditEvent",
    "AuditExported",
    "AuditInspected",
    "AuthFailures",
    "ClientCorrected",
    "ClientRecognised",
    "ClientRefused",
    "ClientRegistered",
    "ClientRestricted",
    "ClientUnrestricted",
    "ClientViewed",
    "ConsentExpired",
    "ConsentGiven",
    "ConsentInvalidated",
    "ConsentNarrowed",
    "ConsentRefused",
    "ConsentRenewed",
    "ConsentResumed",
    "ConsentSuspended",
    "ConsentWithdrawn",
    "DisclosureExported",
    "FailedEvent",
    "HandoverAccepted",
    "HandoverClosed",
    "HandoverDeclined",
    "HandoverExpired",
    "HandoverFirstContact",
    "HandoverOffered",
    "HandoverRefused",
    "HandoverRevoked",
    "IntakeImported",
    "KeyRotated",
    "LogEvent",
    "LogOpened",
    "NoticeAcknowledged",
    "NoticeDelivered",
    "NoticeUndelivered",
    "PartsExpired",
    "PartsLost",
    "PersonEvent",
    "PolicyChanged",
    "SubjectErased",
    "SummaryDelivered",
    "SummaryDeposited",
    "SummaryRefused",
    "SummaryReleased",
    "SummaryUndelivered",
    "SummaryViewed",
    "Trace",
]


EVENTS: Mapping[str, type[AuditEvent]] = {
    each.kind: each
    for each in tuple(globals().values())
    if isinstance(each, type) and issubclass(each, AuditEvent) and "kind" in vars(each)
}
"""The class behind each kind that can be recorded today; `leaf.KINDS` knows more."""
