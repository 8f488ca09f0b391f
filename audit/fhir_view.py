"""Entries as FHIR R4 AuditEvent, after the patterns of IHE BALP (Basic Audit Log Patterns).

Patterns, not profiles: no resource claims one in `meta.profile`.
"""

from typing import Any

from audit.views import House, Shown

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_SOURCE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
_OURS = "urn:overdracht:"

_EXPORT, _QUERY, _RECORD, _ACTIVITY = (
    (_DCM, "110106", "Export"),
    (_DCM, "110112", "Query"),
    (_DCM, "110110", "Patient Record"),
    (_DCM, "110100", "Application Activity"),
)
_DISCLOSE = (_LIFECYCLE, "disclose", "Disclose Record Lifecycle Event")
# The type of an entry and its action, by how its kind begins; the first that fits.
_TYPES = (
    ("summary.deposited", _RECORD, "C"),
    ("summary.expired", _RECORD, "D"),
    ("summary.viewed", _RECORD, "R"),
    ("summary.", _EXPORT, "R"),
    ("breakglass.", _EXPORT, "R"),
    ("disclosure.", _EXPORT, "R"),
    ("audit.exported", _EXPORT, "R"),
    ("audit.", _QUERY, "E"),
    ("client.registered", _RECORD, "C"),
    ("client.recognised", _RECORD, "R"),
    ("client.viewed", _RECORD, "R"),
    ("client.", _RECORD, "U"),
    ("consent.given", _RECORD, "C"),
    ("consent.", _RECORD, "U"),
    ("handover.offered", _RECORD, "C"),
    ("handover.", _RECORD, "U"),
    ("appointment.", _RECORD, "U"),
    ("notice.", _ACTIVITY, "E"),
)
_SUCCESS, _MINOR, _SERIOUS = "0", "4", "8"


def audit_event(entry: Shown, house: House) -> dict[str, Any]:
    """The entry as a resource. Client and user are keyed hashes; no value of a field is in it."""
    body = entry.body
    type_, action = _type(entry)
    subtypes = [(_OURS + "event-kind", entry.kind, "")]
    if type_ is _EXPORT and entry.personal:
        subtypes.insert(0, _DISCLOSE)
    resource: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": body["id"],
        "type": _coding(*type_),
        "subtype": [_coding(*each) for each in subtypes],
        "action": action,
        "recorded": entry.time,
        "outcome": _outcome(body["o"]),
        "agent": _agents(entry, house),
        "source": {
            "observer": _reference(_OURS + "log", house.origin),
            "type": [_coding(_SOURCE, "4", "Application Server")],
        },
        "entity": _entities(entry, house),
    }
    if body["o"] != "ok":
        resource["outcomeDesc"] = str(entry.detail.get("reason", body["o"]))
    if "u" in body:
        resource["purposeOfEvent"] = [{"coding": [_coding(_OURS + "purpose", body["u"])]}]
    return resource


def _type(entry: Shown) -> tuple[tuple[str, str, str], str]:
    fitting = ((of, action) for start, of, action in _TYPES if entry.kind.startswith(start))
    return next(fitting, (_ACTIVITY, "E"))


def _outcome(said: str) -> str:
    if said in ("permit", "ok"):
        return _SUCCESS
    return _MINOR if said == "deny" else _SERIOUS


def _agents(entry: Shown, house: House) -> list[dict[str, Any]]:
    """Who acted is the requestor: a person where one is known, else an application."""
    user, agents = entry.actor.get("user"), []
    roles = (
        ("110153", "Source Role ID", entry.provider),
        ("110152", "Destination Role ID", entry.recipient),
    )
    for code, display, organisation in roles:
        if organisation:
            kind = {"coding": [_coding(_DCM, code, display)]}
            agents.append(_agent("organisation", organisation) | {"type": kind})
    application = str(entry.body.get("ap", "")).removeprefix("app:")
    if application:
        agents.append(_agent("application", application, requestor=not user))
    if user:
        person = _agent("user", house.pseudonym("act", user), requestor=True)
        if entry.actor.get("capacity"):
            person["role"] = [{"text": entry.actor["capacity"]}]
        agents.append(person)
    return agents or [_agent("organisation", house.organisation, requestor=True)]


def _agent(sort: str, value: str, *, requestor: bool = False) -> dict[str, Any]:
    return {"who": _reference(_OURS + sort, value), "requestor": requestor}


def _entities(entry: Shown, house: House) -> list[dict[str, Any]]:
    """The client, the consents, the request, and where in the log the entry stands."""
    entities: list[dict[str, Any]] = []
    if entry.client:
        who = _reference(_OURS + "client", house.pseudonym("sub", entry.client))
        kind, role = _coding(_ENTITY, "1", "Person"), _coding(_ROLE, "1", "Patient")
        entities.append({"what": who, "type": kind, "role": role})
    consents = entry.detail.get("consents") or [entry.detail.get("consent")]
    for consent in filter(None, consents):
        kind = _coding("http://hl7.org/fhir/resource-types", "Consent")
        entities.append({"what": _reference(_OURS + "consent", consent), "type": kind})
    if "q" in entry.body:
        request = _reference(_OURS + "request", entry.body["q"])
        entities.append({"what": request, "type": _coding(_BALP_ENTITY, "XrequestId")})
    sections = [{"type": "section", "valueString": each} for each in entry.body.get("d", ())]
    place = {"type": "leaf-hash", "valueString": entry.leaf_hash.hex()}
    log_entry = _reference(_OURS + "entry", f"{house.origin}#{entry.index}")
    other = _coding(_ENTITY, "4", "Other")
    entities.append({"what": log_entry, "type": other, "detail": [place, *sections]})
    return entities


def _reference(system: str, value: str) -> dict[str, Any]:
    return {"identifier": {"system": system, "value": value}}


def _coding(system: str, code: str, display: str = "") -> dict[str, str]:
    return {"system": system, "code": code} | ({"display": display} if display else {})
