"""Summaries over HTTP: the part that consent, agreement and law allow."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, StringConstraints, model_validator

from audit.leaf import canon
from audit.log import Entry
from consent.belgian_time import day_of
from exchange.api.answers import NO_STORE, answer
from exchange.api.dependencies import Body, DirectRoute, body_of, caller_with, services_of
from exchange.api.forms import (
    HandleText,
    HandoverText,
    Organisation,
    Purpose,
    ShortCode,
    either,
    organisation_of,
)
from exchange.considering import opened_with
from exchange.counted import count_refusal, count_release
from exchange.flows.fetch_summary import Released, SummaryQuery, fetch_summary
from exchange.problems import settled
from exchange.security.contexts import SIGNED_SUMMARY
from exchange.security.jose_profile import publish, sign_detached
from exchange.security.signing_keys import Signer
from exchange.security.tokens import Caller
from exchange.services import Services
from policies.reduction import Release, reduced
from policies.vocabulary import Handle, HandoverId, Section

router = APIRouter(prefix="/v1/summaries", tags=["summaries"], route_class=DirectRoute)


class EndUser(Body):
    """Who asks, by the organisation's own number, and in which function. Never a name."""

    id: ShortCode
    function: Annotated[str, StringConstraints(min_length=1, max_length=60)]


class Query(Body):
    """What is asked, for which purpose, by whom and for which case. All of it is logged."""

    handover: HandoverText | None = None
    client: HandleText | None = None
    purpose: Purpose
    sections: list[Literal[tuple(Section)]] | None = None  # type: ignore[valid-type]  # its members
    end_user: EndUser
    case_reference: ShortCode
    on_behalf_of: Organisation | None = None
    """The controller in whose name its processor asks."""

    model_config = ConfigDict(json_schema_extra=either("handover", "client"))

    @model_validator(mode="after")
    def _one_client(self) -> "Query":
        if (self.handover is None) == (self.client is None):
            raise ValueError("either handover or client")
        return self


_caller, _body = caller_with("query"), body_of(Query)


@router.post("/query")
async def query_summary(request: Request) -> Response:
    """The part of a client's summary that consent, agreement and law allow you today."""
    services, caller = await services_of(request), await _caller(request)
    body = await _body(request)
    query = SummaryQuery(
        purpose=body.purpose,
        end_user=body.end_user.id,
        function=body.end_user.function,
        case_reference=body.case_reference,
        handover=None if body.handover is None else HandoverId(body.handover),
        client=None if body.client is None else Handle(body.client),
        sections=None if not body.sections else frozenset(map(Section, body.sections)),
        on_behalf_of=None if body.on_behalf_of is None else organisation_of(body.on_behalf_of),
    )
    committed = await services.writer.run(fetch_summary, caller, query, services.rulebook)
    count_refusal(services, caller, query, committed.value)
    released = settled(committed)
    shown = _shown(services, caller, released, committed.entries[0])
    count_release(services, caller, released, shown["summary"])
    return Response(_signed(shown, services.keys.summaries), 200, NO_STORE, "application/json")


@router.get("/keys")
async def show_keys(request: Request) -> Response:
    """The public keys that signatures of summaries verify with (RFC 7517), for ever."""
    services = await services_of(request)
    return answer(publish([services.keys.summaries.public_jwk()]))


def _signed(shown: Mapping[str, Any], signer: Signer) -> bytes:
    """The answer in its one form (RFC 8785), then its detached signature, a compact JWS."""
    body = canon(shown)
    signature = sign_detached(SIGNED_SUMMARY, body, signer)
    return b'%s,"signature":"%s"}' % (body[:-1], signature.encode("ascii"))


def _shown(services: Services, caller: Caller, released: Released, entry: Entry) -> dict[str, Any]:
    """The answer, opened and reduced after the commit."""
    decision = released.decision
    sections = {
        each.section: opened_with(services.vault, released.client, each)
        for each in released.sections
    }
    today = day_of(released.at)
    summary, precision = reduced(sections, _release(released, today))
    grounds: dict[str, Any] = {"purpose": released.purpose, "grants": list(released.grants)}
    if released.consents:
        grounds["consent"] = released.consents[0]
    if released.basis is not None:
        grounds["basis"] = {"kind": released.basis.claim.kind}
        if not released.masked:
            grounds["basis"]["reference"] = released.basis.reference
    if decision.flow is not None and not released.masked:
        # The agreement is public and names both parties: it would unmask the sender.
        grounds["protocol"] = decision.flow.agreement
    by_processor = released.recipient != caller.organisation
    return {
        # Who says it, to whom, about whom and when, as tokens call it (RFC 7519, section 4.1).
        "iss": services.settings.issuer,
        "aud": f"org:{released.recipient}",
        "sub": released.pseudonym,
        "iat": released.at // 1_000_000,
        "summary": summary,
        "released": list(decision.sections),
        "withheld": list(decision.withheld),
        "precision": precision,
        "obligations": released.obligations.document(),
        "grounds": grounds,
        "audit": {"index": entry.index, "leaf_hash": entry.leaf_hash.hex()},
        # Who asked in the recipient's name (RFC 8693, section 4.1).
        **({"act": {"sub": f"org:{caller.organisation}"}} if by_processor else {}),
    }


def _release(released: Released, today: date) -> Release:
    decision = released.decision
    return Release(
        fields=decision.fields,
        precision=decision.precision,
        high_risk=released.high_risk,
        health=Section.HEALTH in decision.sections,
        justice=Section.JUSTICE in decision.sections,
        explicit=decision.fields & released.named,
        masked_origin=released.masked,
        recipient_type=released.recipient_type,
        at=today,
        pseudonym=released.pseudonym,
        organisation_types=released.organisation_types,
        origin=released.holder,
    )
