"""What each answer looks like, in JSON Schema: closed objects, so that nothing more can slip in."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from audit.leaf import KINDS
from consent.forms import DENIAL, GRANT, REFUSAL
from consent.shape import shape_schema
from exchange.api.forms import CONSENT, HANDLE
from exchange.bases import BasisState
from policies.bases import BasisKind, Condition
from policies.summary_model import summary_model
from policies.vocabulary import ConsentState, HandoverState, Section

Schema: TypeAlias = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
SAID: Schema = {"type": "string", "minLength": 1}
WHOLE: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}
OBJECT: Schema = {"type": "object"}


def text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def many(each: Schema) -> Schema:
    return {"type": "array", "items": each}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, NOTHING]}


def whole(optional: Sequence[str] = (), /, **members: Schema) -> Schema:
    """An object with these members and no other; all are there but the `optional`."""
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def more(schema: Schema, optional: Sequence[str] = (), /, **members: Schema) -> Schema:
    """The object with more members; of a name with a dash or of a word of Python, too."""
    needed = [name for name in members if name not in optional]
    return {
        **schema,
        "properties": {**schema["properties"], **members},
        "required": [*schema["required"], *needed],
    }


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
SHOWN_GRANT: Schema = {
    **_SHOWN_GRANT,
    "properties": {**_SHOWN_GRANT["properties"], "withdrawn": TRUTH},
    "required": ["id", "purpose", "recipient", "ops", "from", "onward", "withdrawn"],
}
STATE = word(*ConsentState)
GIVEN = whole(consent=CONSENT_ID, state=STATE, grants=many(SHOWN_GRANT), receipt=COMPACT)
_NOTICE = whole(id=TEXT, version=TEXT, lang=TEXT, sha256=HASH)
_CONSENT = whole(
    consent=CONSENT_ID,
    state=STATE,
    suspended=TRUTH,
    grants=many(SHOWN_GRANT),
    denials=many(shape_schema(DENIAL, sections={"anyOf": [many(TEXT)]})),
    refused=many(shape_schema(REFUSAL)),
    notice=_NOTICE,
    given_at=INSTANT,
)
CONSENTS = whole(items=many(_CONSENT), next=NOTHING)
ENDED = whole(consent=CONSENT_ID, state=STATE, withdrawn_at=INSTANT)
KEPT = whole(consent=CONSENT_ID, state=word("received"))

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

SUMMARY = whole(
    iss=TEXT,
    aud=text("^org:[a-z0-9][a-z0-9-]{1,39}$"),
    sub=CLIENT,
    iat=WHOLE,
    summary=SUMMARY_SECTIONS,
    released=SECTIONS,
    withheld=many(TEXT),
    precision={"type": "object", "additionalProperties": TEXT},
    obligations=whole(erase_by=DAY, onward=TRUTH),
    grounds=whole(
        ("consent", "basis", "protocol"),
        purpose=PURPOSE,
        grants=many(TEXT),
        consent=CONSENT_ID,
        basis=whole(("reference",), kind=word(*BasisKind), reference=TEXT),
        protocol=TEXT,
    ),
    audit=ENTRY,
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
