"""The words every other package uses. Codes here are public: never reuse or rename one."""

from enum import StrEnum
from typing import NewType

ClientId = NewType("ClientId", str)
"""The broker's own name for a client (UUID text). It never leaves the broker."""

NOBODY = ClientId("")
"""The client behind an unknown handle: owns nothing, costs as many look-ups as anybody."""

Handle = NewType("Handle", str)
"""One organisation's name for a client, 26 letters; no two organisations have the same one."""

OrganisationId = NewType("OrganisationId", str)
ApplicationId = NewType("ApplicationId", str)

BROKER = "app:broker"
"""The broker itself, where it acts because time has passed, or for who signed in nowhere."""

AgreementId = NewType("AgreementId", str)
ConsentId = NewType("ConsentId", str)
GrantId = NewType("GrantId", str)
HandoverId = NewType("HandoverId", str)

FieldId = NewType("FieldId", str)
"""`section.field` of the summary model, for instance `educ.highest_level`."""


class Section(StrEnum):
    """One part of an intake summary. Class X has no section: it can not be stored."""

    IDENT = "ident"
    NATID = "natid"
    CONTACT = "contact"
    DEMOG = "demog"
    RESID = "resid"
    LANG = "lang"
    EDUC = "educ"
    WORK = "work"
    BENEF = "benef"
    HOUSE = "house"
    BARR = "barr"
    HEALTH = "health"
    JUSTICE = "justice"
    GOALS = "goals"
    SELFEFF = "selfeff"
    TRAJ = "traj"
    AGREE = "agree"
    REFER = "refer"
    NET = "net"
    OUTC = "outc"
    FOLLOW = "follow"
    DOCS = "docs"
    NOTE = "note"


class Operation(StrEnum):
    """What a recipient may do with what it gets."""

    NOTIFY = "notify"
    VIEW = "view"
    DOWNLOAD = "download"
    IMPORT = "import"
    WRITE_BACK = "write_back"
    ONWARD = "onward"
    AGGREGATE = "aggregate"
    MATCH = "match"


class OrganisationType(StrEnum):
    """What kind of service an organisation is; purposes and hard rules speak of kinds."""

    GUIDANCE_SERVICE = "guidance_service"
    PUBLIC_EMPLOYMENT_SERVICE = "public_employment_service"
    LOCAL_WELFARE_CENTRE = "local_welfare_centre"
    GENERAL_WELFARE_CENTRE = "general_welfare_centre"
    PUPIL_GUIDANCE_CENTRE = "pupil_guidance_centre"
    INTEGRATION_AGENCY = "integration_agency"
    TRAINING_PROVIDER = "training_provider"
    EXAM_BOARD = "exam_board"
    PRISON_SERVICE = "prison_service"
    PARTNER_PROVIDER = "partner_provider"
    BACK_OFFICE = "back_office"
    EDUCATION_MINISTRY = "education_ministry"
    FUNDER = "funder"
    EMPLOYER = "employer"
    VOLUNTEER_ORGANISATION = "volunteer_organisation"
    TRADE_UNION = "trade_union"
    FEDERAL_BENEFIT_AGENCY = "federal_benefit_agency"
    SUPERVISORY_AUTHORITY = "supervisory_authority"
    PARTNERSHIP = "partnership"


class ConsentState(StrEnum):
    """How a consent stands. Only the first three release anything."""

    GIVEN = "given"
    RENEWED = "renewed"
    NARROWED = "narrowed"
    REQUESTED = "requested"
    DEFERRED = "deferred"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    REVOKED_BY_OTHER = "revoked_by_other"
    UNKNOWN = "unknown"


class HandoverState(StrEnum):
    """How far a handover has come. In the first three the recipient has a care relation."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    FIRST_CONTACT = "first_contact"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"
    CLOSED = "closed"


class Reason(StrEnum):
    """Why an answer is no. The log keeps it for ever; a partner never sees most of them."""

    NO_ACTIVE_PROTOCOL = "NO_ACTIVE_PROTOCOL"
    RECIPIENT_NOT_ACCREDITED = "RECIPIENT_NOT_ACCREDITED"
    NO_CARE_RELATION = "NO_CARE_RELATION"
    PURPOSE_UNKNOWN = "PURPOSE_UNKNOWN"
    PURPOSE_PROHIBITED = "PURPOSE_PROHIBITED"
    NO_CONSENT = "NO_CONSENT"
    CONSENT_REFUSED = "CONSENT_REFUSED"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    CONSENT_SUSPENDED = "CONSENT_SUSPENDED"
    CONSENT_STALE_NOTICE = "CONSENT_STALE_NOTICE"
    CAPACITY_MISSING = "CAPACITY_MISSING"
    CAPACITY_CHANGED_AGE18 = "CAPACITY_CHANGED_AGE18"
    EXPLICIT_DENIAL = "EXPLICIT_DENIAL"
    HARD_RULE_H1 = "HARD_RULE_H1"
    HARD_RULE_H2 = "HARD_RULE_H2"
    HARD_RULE_H3 = "HARD_RULE_H3"
    HARD_RULE_H4 = "HARD_RULE_H4"
    HARD_RULE_H5 = "HARD_RULE_H5"
    HARD_RULE_H6 = "HARD_RULE_H6"
    HARD_RULE_H7 = "HARD_RULE_H7"
    HARD_RULE_H8 = "HARD_RULE_H8"
    HARD_RULE_H9 = "HARD_RULE_H9"
    HARD_RULE_H10 = "HARD_RULE_H10"
    SUBJECT_RESTRICTED = "SUBJECT_RESTRICTED"
    QUARANTINED = "QUARANTINED"
    USES_EXHAUSTED = "USES_EXHAUSTED"
    RATE_LIMITED = "RATE_LIMITED"
    UNKNOWN_CLIENT = "UNKNOWN_CLIENT"
    GATE_FAILED = "GATE_FAILED"
    SITE_RULE = "SITE_RULE"
    # Refusals to change something; never an answer to a request for data.
    CONSENT_NOT_FOUND = "CONSENT_NOT_FOUND"
    ALREADY_WITHDRAWN = "ALREADY_WITHDRAWN"
    REQUEST_NOT_OPEN = "REQUEST_NOT_OPEN"
    HANDOVER_NOT_FOUND = "HANDOVER_NOT_FOUND"
    HANDOVER_NOT_OPEN = "HANDOVER_NOT_OPEN"
    RECALL_NOT_FOUND = "RECALL_NOT_FOUND"
    RECALL_ANSWERED = "RECALL_ANSWERED"
    NOT_THE_HOLDER = "NOT_THE_HOLDER"
    STALE_VERSION = "STALE_VERSION"
    KEY_REUSED = "KEY_REUSED"
    CONTENT_REFUSED = "CONTENT_REFUSED"
    CALLER_REVOKED = "CALLER_REVOKED"
    PROOF_REPLAYED = "PROOF_REPLAYED"
    SCOPE_MISSING = "SCOPE_MISSING"
