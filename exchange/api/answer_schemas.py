"""What each answer looks like, in JSON Schema: closed objects, so that nothing more can slip in."""

from collections.abc import Mapping

from audit.leaf import KINDS
from consent.ending import Because
from consent.forms import DENIAL, GRANT, REFUSAL
from consent.shape import shape_schema
from exchange.api.forms import CONSENT, HANDLE
from exchange.api.shapes import (
    NOTHING,
    OBJECT,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    many,
    maybe,
    more,
    text,
    whole,
    word,
)
from exchange.bases import BasisState
from exchange.recalls import LAWS, RecallOutcome, RecallState
from policies.bases import BasisKind, Condition
from policies.summary_model import summary_model
from policies.vocabulary import ConsentState, HandoverState, Reason, Section
from policies.what_if import Effect

INSTANT = text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$")
DAY = text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
ID = text(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
CLIENT = text(HANDLE)
CONSENT_ID = text(CONSENT)
ORGANISATION = text("^[a-z0-9][a-z0-9-]{1,39}$")
HASH = text("^[0-9a-f]{64}$")
PURPOSE = text("^P[0-9]{1,3}$")
BASE64 = text("^[A-Za-z0-9+/]*={0,2}$")
COMPACT = text(r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")
DETACHED = text(r"^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+$")
SECTIONS = many(word(*Section))
NEXT = maybe(TEXT)
ENTRY = whole(index=WHOLE, leaf_hash=HASH)


def _value() -> Schema:
    lists = summary_model().code_lists
    reasons = word(*sorted(lists["missing_reason"].codes))
    source = word(*sorted(lists["value_source"].codes))
    return whole(
        ("observed_on", "verified", "missing_reason"),
        value={"description": "As the summary model says of the field, at the precision told."},
        source=source,
        observed_on=DAY,
        verified=TRUTH,
        missing_reason=reasons,
    )


def _sections() -> Schema:
    """Sections by name, in each its fields: nothing that the summary model does not know."""
    held = {"$ref": "#/components/schemas/SummaryValue"}
    found = {
        model.id.value: {
            "type": "object",
            "properties": {field.name: held for field in model.fields},
            "additionalProperties": False,
        }
        for model in summary_model().sections.values()
    }
    return {"type": "object", "properties": found, "additionalProperties": False}


SHARED: Mapping[str, Schema] = {"SummaryValue": _value(), "SummarySections": _sections()}
"""Schemas that others name."""

SUMMARY_SECTIONS: Schema = {"$ref": "#/components/schemas/SummarySections"}

REGISTERED = whole(client=CLIENT, created=TRUTH)
FLAGGED = whole(flags=many(word("high_risk", "restricted", "deceased", "under_inquiry")))
_BASIS = whole(
    basis=ID,
    state=word(*BasisState),
    why=TEXT,
    kind=word(*BasisKind),
    recipient=text("^org:[a-z0-9][a-z0-9-]{1,39}$"),
    purpose=PURPOSE,
    agreement=TEXT,
    reference=TEXT,
    until=maybe(DAY),
    conditions=many(word(*Condition)),
    checked_by=maybe(TEXT),
    recorded=INSTANT,
    changed=INSTANT,
)
BASIS = more(_BASIS, **{"from": maybe(DAY)})
BASES = whole(bases=many(BASIS))
DISCLOSED = whole(client=CLIENT, audit=ENTRY)
DEPOSITED = whole(version=WHOLE, stored=WHOLE, dropped=many(TEXT), quarantined=many(TEXT))
OWN_COPY = whole(client=CLIENT, version=WHOLE, sections=SUMMARY_SECTIONS)

_SHOWN_GRANT = shape_schema(GRANT)
_NOT_FREE = ("id", "purpose", "recipient", "ops", "from", "onward", "withdrawn", "conditionality")
SHOWN_GRANT: Schema = {
    **_SHOWN_GRANT,
    "properties": {
        **_SHOWN_GRANT["properties"],
        "withdrawn": TRUTH,
        "conditionality": word("none"),
    },
    "required": list(_NOT_FREE),
}
STATE = word(*ConsentState)
TERM = text("^dpv:[A-Za-z]+$")
_CODE = text("^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$")
_WAITING: Mapping[str, Schema] = {
    "provisional": {"const": True},
    "confirm_by": INSTANT,
    "not_given": many(whole(purpose=PURPOSE, recipient=TEXT)),
}
_LETTER: Mapping[str, Schema] = {**_WAITING, "code": _CODE, "withdrawal_code": _CODE}
_NEW_CONSENT: Mapping[str, Schema] = {
    "consent": CONSENT_ID,
    "state": STATE,
    "grants": many(SHOWN_GRANT),
    "receipt": COMPACT,
}
GIVEN = whole((*_LETTER,), **_NEW_CONSENT, **_LETTER)
RENEWED = whole((*_WAITING, "code"), **_NEW_CONSENT, **_WAITING, code=_CODE)
STANDS = whole(consent=CONSENT_ID, state=STATE, term=TERM, suspended=TRUTH, version=WHOLE)
CONFIRMED = whole(consent=CONSENT_ID, state=STATE)
_NOTICE = whole(id=TEXT, version=TEXT, lang=TEXT, sha256=HASH, filled_sha256=maybe(HASH))
_CONSENT = more(
    STANDS,
    (*_WAITING, "ends_at", "ends_because"),
    **_WAITING,
    ends_at=INSTANT,
    ends_because=word(*Because),
    grants=many(SHOWN_GRANT),
    denials=many(shape_schema(DENIAL, sections={"anyOf": [many(TEXT)]})),
    refused=many(shape_schema(REFUSAL)),
    notice=_NOTICE,
    hash=maybe(HASH),
    given_at=INSTANT,
)
CONSENTS = whole(items=many(_CONSENT), next=NOTHING)
DUE = whole(
    items=many(
        whole(consent=CONSENT_ID, client=maybe(CLIENT), state=STATE, version=WHOLE, due_at=INSTANT)
    ),
    next=NEXT,
)
_FIELDS = many(TEXT)
SIMULATED = whole(
    clients=WHOLE,
    unchanged=WHOLE,
    items=many(
        whole(
            client=CLIENT,
            recipient=text("^org:"),
            purpose=PURPOSE,
            agreement=maybe(TEXT),
            effects=many(whole(effect=word(*Effect), fields=_FIELDS)),
            reason=maybe(word(*Reason)),
            renewal=TRUTH,
            consents=many(CONSENT_ID),
            handovers=many(TEXT),
        )
    ),
    asks_more=many(whole(recipient=text("^org:"), purpose=PURPOSE, fields=_FIELDS)),
    next=NEXT,
)
ENDED = whole(consent=CONSENT_ID, state=STATE, withdrawn_at=INSTANT)
KEPT = whole(consent=CONSENT_ID, state=word("received"))
STOPPED = whole(state=word("stopped"))

_LEVELS: Schema = {"type": "object", "additionalProperties": TEXT}
_PREVIEW = whole(
    recipient=text("^org:"),
    purpose=PURPOSE,
    grants=many(TEXT),
    reason=maybe(word(*Reason)),
    protocol=maybe(TEXT),
    sections={"$ref": "#/components/schemas/SummarySections"},
    precision=_LEVELS,
    may=_LEVELS,
    withheld=many(whole(field=TEXT, why=TEXT)),
)
PREVIEWED = whole(
    previews=many(_PREVIEW),
    notice=more(_NOTICE, text=TEXT, lacking=many(TEXT)),
    hash=HASH,
)

KEPT_OUT = whole(kept_out=many(whole(organisation=text("^org:"), member=TEXT)))

_ASKED = whole(
    request=ID,
    client=maybe(CLIENT),
    purpose=PURPOSE,
    sections=SECTIONS,
    reason_code=TEXT,
    state=word("requested", "given", "closed"),
    asked_at=INSTANT,
    closes=INSTANT,
)
ASKED = whole(request=ID, state=word("requested"), sections=SECTIONS, closes=INSTANT)
_ASKED_OF_US = more(
    _ASKED,
    requester=text("^org:"),
    state=STATE,
    until=maybe(INSTANT),
    consent=maybe(CONSENT_ID),
)
QUESTIONS = whole(items=many({"anyOf": [_ASKED, _ASKED_OF_US]}), next=NEXT)
ANSWERED = whole(
    (*_LETTER, "consent", "receipt", "until"),
    **_LETTER,
    request=ID,
    state=word("given", "narrowed", "refused", "deferred"),
    consent=CONSENT_ID,
    receipt=COMPACT,
    until=INSTANT,
    yes=SECTIONS,
    no=SECTIONS,
)

_REGISTERED = whole(
    id=TEXT,
    title=TEXT,
    version=TEXT,
    standing=TEXT,
    stands=TEXT,
    parties=many(whole(organisation=ORGANISATION, name=TEXT)),
    valid_from=maybe(DAY),
    valid_until=maybe(DAY),
    address=TEXT,
)
AGREEMENTS = whole(agreements=many(_REGISTERED))
AGREEMENT = more(
    _REGISTERED,
    document=OBJECT,
    sha256=HASH,
    pdf=maybe(whole(address=TEXT, sha256=HASH)),
    versions=many(whole(version=TEXT, standing=TEXT, stands=TEXT, address=TEXT)),
)
MOVED = whole(handover=ID, state=word(*HandoverState), deadline=INSTANT)
OFFERED = more(MOVED, shared=SECTIONS, withheld=many(TEXT))
_MASKED = whole(masked={"const": True}, label=TEXT)
_PARTY = whole(("type_partner",), org=ORGANISATION, type_partner=TEXT)
_LINE = more(
    MOVED,
    to=_PARTY,
    subject=whole(pairwise_id=maybe(CLIENT)),
    purpose=PURPOSE,
    reason_code=TEXT,
    urgency=TEXT,
    offered_at=INSTANT,
    **{"from": {"anyOf": [_PARTY, _MASKED]}},
)
BOX = whole(items=many(_LINE), next=NEXT)
_EVENT: Schema = {
    **whole(
        ("actor_org",), event_id=ID, sequence=WHOLE, type=TEXT, at=TEXT, actor_org=ORGANISATION
    ),
    "additionalProperties": {"description": "What was said with it."},
}
ENVELOPE = more(
    _LINE,
    ("consent_ref", "appointment", "protocol_id"),
    schema={"const": "overdracht-handover/1.0"},
    id=ID,
    correlation_id=ID,
    shared=SECTIONS,
    withheld=many(TEXT),
    filtered=many(TEXT),
    consent_state=word("given"),
    summary_ref=TEXT,
    onward=TRUTH,
    created=INSTANT,
    expires=INSTANT,
    events=many(_EVENT),
    consent_ref=CONSENT_ID,
    appointment=OBJECT,
    protocol_id=TEXT,
)

_SAID_OF_RECALL = whole(
    ("outcome", "answered", "law", "until", "contradicted"),
    recall=ID,
    state=word(*RecallState),
    purpose=PURPOSE,
    told=INSTANT,
    due=INSTANT,
    reminders=WHOLE,
    outcome=word(*RecallOutcome),
    answered=INSTANT,
    law=word(*sorted(LAWS)),
    until=DAY,
    contradicted=TRUTH,
)
_RECALL = more(
    _SAID_OF_RECALL,
    ("consent",),
    to=whole(org=ORGANISATION),
    subject=whole(pairwise_id=maybe(CLIENT)),
    consent=CONSENT_ID,
    **{"from": {"anyOf": [whole(org=ORGANISATION), _MASKED]}},
)
RECALLS = whole(items=many(_RECALL), next=NEXT)
RECALLS_OF_CLIENT = whole(items=many(more(_SAID_OF_RECALL, recipient=text("^org:"))), next=NOTHING)
CERTIFIED = more(_SAID_OF_RECALL, sha256=HASH)

SUMMARY = whole(
    ("act",),
    iss=TEXT,
    aud=text("^org:[a-z0-9][a-z0-9-]{1,39}$"),
    sub=CLIENT,
    iat=WHOLE,
    summary=SUMMARY_SECTIONS,
    released=SECTIONS,
    withheld=many(TEXT),
    precision={"type": "object", "additionalProperties": TEXT},
    obligations=whole(
        ("retention",),
        erase_by=DAY,
        onward=TRUTH,
        source=word("named", "masked"),
        retention=TEXT,
    ),
    grounds=whole(
        ("consent", "basis", "protocol"),
        purpose=PURPOSE,
        grants=many(TEXT),
        consent=CONSENT_ID,
        basis=whole(("reference",), kind=word(*BasisKind), reference=TEXT),
        protocol=TEXT,
    ),
    audit=ENTRY,
    act=whole(sub=ORGANISATION),
    signature=DETACHED,
)

_JWK = whole(
    kty=word("EC"), crv=word("P-256"), x=TEXT, y=TEXT, kid=TEXT, alg=word("ES256"), use=word("sig")
)
KEY_SET = whole(keys=many(_JWK))
TOKEN = whole(access_token=COMPACT, token_type=word("DPoP", "Bearer"), expires_in=WHOLE, scope=TEXT)
METADATA: Schema = {
    "type": "object",
    "required": ["issuer", "token_endpoint", "revocation_endpoint", "jwks_uri"],
    "additionalProperties": {"anyOf": [TEXT, many(TEXT)]},
}
_ITEM = whole(
    index=WHOLE,
    leaf_hash=HASH,
    time=INSTANT,
    kind=word(*KINDS),
    outcome=TEXT,
    provider=maybe(TEXT),
    consumer=maybe(TEXT),
    application=maybe(TEXT),
    purpose=maybe(TEXT),
    sections=maybe(many(TEXT)),
    about=maybe(OBJECT),
    parts={"type": "object", "additionalProperties": OBJECT, "propertyNames": word("a", "s", "y")},
)
FOUND = whole(size=WHOLE, items=many(_ITEM), next=NEXT)
RECEIPT = whole(receipt=TEXT, vkey=TEXT)
PROVEN = whole(
    index=WHOLE,
    leaf=BASE64,
    leaf_hash=HASH,
    proof=many(BASE64),
    checkpoint=TEXT,
    parts=many(whole(l=TEXT, state=TEXT)),
)
UP = whole(status=word("up"))
READY = whole(status=word("ready", "not ready"))
