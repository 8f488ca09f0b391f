"""An agreement as a policy of ODRL 2.2 in JSON-LD: a view for others, that nothing is decided on.

One permission for each flow. What ODRL has no word for is said in the document (`term:notSaid`).
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from policies.agreement_document import Agreement, Flow
from policies.agreements import Standing, standing
from policies.linked_data import (
    CLIENT,
    ORGANISATION,
    PROFILE,
    SUMMARY,
    action_iri,
    assets,
    context,
    for_purposes,
    limit,
    on_days,
    precision_iri,
    said_beside,
    vocabulary,
)
from policies.purposes import purpose_list
from policies.vocabulary import OrganisationId

NOT_SAID = (
    "that every release needs a consent of the client, or another basis, beside the agreement",
    "that what one organisation holds itself is no flow to itself",
    "advice, signatures and publication",
    "legal bases and deliberation number",
    "that a processor acts in the name of its controller alone: `term:instructs` marks it",
    "persons a year, and how often: a number stands as `term:personsPerYear`",
    "recipient categories within an organisation",
    "security and quality measures",
    "sanctions",
    "retention as a duration: it stands as text, and as `term:keepMonths`",
)
"""What this form has no place for; the document names it too."""


def odrl_agreement(agreement: Agreement, base_url: str, on: date) -> dict[str, Any]:
    """The agreement as it stands on a day: `odrl:Agreement` once all have signed, else an offer.

    Whatever stops it that day (suspended, incomplete, in review, ended) is a prohibition, which
    wins from every permission: nobody who reads the permissions alone is told a yes too many.
    """
    uid = f"{base_url}/agreements/{agreement.id}"
    signed = bool(agreement.parties) and all(each.signed_on for each in agreement.parties)
    permissions = [_permission(uid, n, flow, agreement) for n, flow in _numbered(agreement)]
    prohibitions = [
        *(_kept(uid, n, flow) for n, flow in _numbered(agreement) if not flow.onward),
        _never(uid, agreement),
        *_stopped(uid, agreement, on),
    ]
    obligations = _obligations(uid, agreement)
    return {
        "@context": dict(context("odrl")),
        "@id": uid,
        "@type": "Agreement" if signed else "Offer",
        "uid": uid,
        "profile": PROFILE,
        "conflict": "prohibit",
        "dct:identifier": agreement.id,
        **({"dct:title": agreement.title} if agreement.title else {}),
        **({"term:version": agreement.version} if agreement.version else {}),
        "dct:issued": on.isoformat(),
        "term:standing": standing(agreement, on).value,
        "permission": permissions,
        "prohibition": prohibitions,
        **({"obligation": obligations} if obligations else {}),
        "term:vocabulary": [
            *vocabulary([*permissions, *prohibitions]),
            *(
                {"@id": f"{ORGANISATION}{each.org}", "@type": "Party", "dct:identifier": each.org}
                for each in agreement.parties
            ),
        ],
        "term:lossy": True,
        "term:notSaid": list(NOT_SAID),
    }


def _numbered(agreement: Agreement) -> Iterable[tuple[int, Flow]]:
    return enumerate(agreement.flows, 1)


def _organisations(of: Iterable[OrganisationId]) -> list[str]:
    return [f"{ORGANISATION}{each}" for each in of]


def _between(flow: Flow) -> dict[str, Any]:
    return {
        "assigner": _organisations(flow.from_),
        "assignee": _organisations(flow.to),
        "target": assets(flow.fields),
    }


def _permission(uid: str, number: int, flow: Flow, agreement: Agreement) -> dict[str, Any]:
    days = on_days(agreement.valid_from, agreement.valid_until)
    caps = [limit(precision_iri(field), "lteq", level) for field, level in flow.precision_caps]
    erase = {"@type": "Duty", "action": "delete", "dct:description": agreement.retention}
    return {
        "@id": f"{uid}#flow-{number}",
        "@type": "Permission",
        **_between(flow),
        "action": [action_iri(each) for each in sorted(flow.operations)],
        "constraint": [for_purposes(flow.purposes), *days, *caps],
        **({"duty": [erase]} if agreement.retention else {}),
        **({"term:originMasking": True} if flow.origin_masking else {}),
        **said_beside(flow),
    }


def _kept(uid: str, number: int, flow: Flow) -> dict[str, Any]:
    """That what this flow brings is passed on to nobody."""
    return {
        "@id": f"{uid}#flow-{number}-onward",
        "@type": "Prohibition",
        **_between(flow),
        "action": "distribute",
        "constraint": [for_purposes(flow.purposes)],
    }


def _never(uid: str, agreement: Agreement) -> dict[str, Any]:
    """The uses that no agreement can allow."""
    codes = dict.fromkeys(each.code for each in purpose_list().prohibited.values())
    return {
        "@id": f"{uid}#prohibited",
        "@type": "Prohibition",
        **_everybody(agreement),
        "constraint": [for_purposes(codes)],
    }


def _stopped(uid: str, agreement: Agreement, on: date) -> list[dict[str, Any]]:
    stands = standing(agreement, on)
    if stands is Standing.IN_FORCE:
        return []
    since = agreement.suspended.on if agreement.suspended else None
    days = on_days(since, None) if stands is Standing.SUSPENDED else []
    rule = {"@id": f"{uid}#standing", "@type": "Prohibition", "term:standing": stands.value}
    return [rule | _everybody(agreement) | ({"constraint": days} if days else {})]


def _everybody(agreement: Agreement) -> dict[str, Any]:
    parties = _organisations(each.org for each in agreement.parties)
    return {"assigner": parties, "assignee": parties, "target": SUMMARY, "action": "use"}


def _obligations(uid: str, agreement: Agreement) -> list[dict[str, Any]]:
    if agreement.transparency is None:
        return []
    return [
        {
            "@id": f"{uid}#inform",
            "@type": "Duty",
            "action": "inform",
            "assignee": _organisations(each.org for each in agreement.parties),
            "informedParty": CLIENT,
            "dct:description": agreement.transparency,
        }
    ]
