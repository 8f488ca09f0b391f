"""What would be decided, as an OpenID AuthZEN policy decision point (Authorization API 1.0).

For the staff of a client's holder and for oversight auditors. A partner learns nothing here: a
client whom the asker does not hold and one who does not exist are the same `not-available`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from consent.belgian_time import instant
from exchange.api.answers import answer
from exchange.api.dependencies import Body, RequestServices, body_of, caller_with
from exchange.api.explanations import audience_of, explained, language_of
from exchange.api.forms import (
    HandleText,
    Instant,
    Organisation,
    Purpose,
    ShortCode,
    moment_text,
    organisation_of,
)
from exchange.flows.evaluate_access import (
    EVERYTHING,
    AccessQuestion,
    Evaluated,
    Semantic,
    Whose,
    evaluate_access,
)
from exchange.problems import INVALID_CONTENT, RequestRefused, settled
from exchange.security.tokens import Caller
from exchange.services import Services
from policies.explaining import Audience, words
from policies.vocabulary import Handle, Operation, Section

router = APIRouter(tags=["evaluations"])

MOST_AT_ONCE = 32
"""Evaluations of one batch: all of them are one command."""

FARTHEST = timedelta(days=731)
"""How far from now the evaluation time may lie: no consent stands longer without renewal."""

EvaluationCaller = Annotated[Caller, Depends(caller_with("audit", EVERYTHING))]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHARED = ("subject", "action", "context")


class SubjectProperties(Body):
    """`end_user`: a member of the organisation's staff, by its own number.

    `on_behalf_of`: the controller in whose name it would ask, as its processor.
    """

    end_user: ShortCode | None = None
    on_behalf_of: Organisation | None = None


class Subject(Body):
    """The organisation that would ask."""

    type: Literal["organisation"]
    id: Organisation
    properties: SubjectProperties | None = None


class Action(Body):
    """What it would do."""

    name: Literal[tuple(each.value for each in Operation)]  # type: ignore[valid-type]  # its members


class ResourceProperties(Body):
    """Without `sections` all that the purpose may use; `holder` is whose handle it is."""

    sections: list[Literal[tuple(Section)]] | None = None  # type: ignore[valid-type]  # its members
    holder: Organisation | None = None


class Resource(Body):
    """The summary of a client, by the holder's handle."""

    type: Literal["summary"]
    id: HandleText
    properties: ResourceProperties | None = None


class EvaluationContext(Body):
    """For which purpose, as of when (nothing: now), and whom the explanation speaks to."""

    purpose: Purpose
    time: Instant | None = None
    whom: Annotated[
        Literal[tuple(each.value for each in Audience)] | None,  # type: ignore[valid-type]  # its members
        Field(alias="as"),
    ] = None


class NewEvaluation(Body):
    """One question."""

    subject: Subject
    action: Action
    resource: Resource
    context: EvaluationContext


class PartialEvaluation(Body):
    """One question of several: a member that is left out is the one of them all, as a whole."""

    subject: Subject | None = None
    action: Action | None = None
    context: EvaluationContext | None = None


class Options(Body):
    """How far to go on."""

    evaluations_semantic: Literal[tuple(each.value for each in Semantic)] = (  # type: ignore[valid-type]  # its members
        Semantic.EXECUTE_ALL.value
    )


class NewEvaluations(PartialEvaluation):
    """Several questions about one client, with what they share; without any it is one itself."""

    resource: Resource
    evaluations: Annotated[list[PartialEvaluation], Field(max_length=MOST_AT_ONCE)] | None = None
    options: Options | None = None


@router.post("/access/v1/evaluation")
async def post_evaluation(
    caller: EvaluationCaller,
    body: Annotated[NewEvaluation, Depends(body_of(NewEvaluation))],
    request: Request,
    services: RequestServices,
) -> Response:
    """Whether it would be allowed, with every step in words. Nothing leaves; the look is logged.

    `context.time` decides as of another instant, on what stands now: the answer says which facts
    are of then. What was decided in the past is told by the explanation of its entry.
    """
    return await _one(caller, body, request, services)


@router.post("/access/v1/evaluations")
async def post_evaluations(
    caller: EvaluationCaller,
    body: Annotated[NewEvaluations, Depends(body_of(NewEvaluations))],
    request: Request,
    services: RequestServices,
) -> Response:
    """Several questions about one client, answered in order, as far as `options` says.

    Members beside `evaluations` are those of every question that does not say its own; the
    client is that of all. Without questions it is `/access/v1/evaluation`.
    """
    if not body.evaluations:
        return await _one(caller, _whole(body, body, ""), request, services)
    wanted = [
        _whole(each, body, f"evaluations.{place}.") for place, each in enumerate(body.evaluations)
    ]
    chosen = None if body.options is None else body.options.evaluations_semantic
    semantic = Semantic.EXECUTE_ALL if chosen is None else Semantic(chosen)
    found = await _evaluated(caller, wanted, semantic, services)
    told = [_told(caller, *each, request) for each in zip(wanted, found, strict=False)]
    return answer({"evaluations": told}, headers=_identified(request))


@router.get("/.well-known/authzen-configuration")
async def show_configuration(services: RequestServices) -> Response:
    """Where the policy decision point answers (Authorization API 1.0, its metadata)."""
    base = services.settings.public_base_url
    return answer(
        {
            "policy_decision_point": base,
            "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        },
        headers={"Cache-Control": "public, max-age=300"},
    )


async def _one(
    caller: Caller, body: NewEvaluation, request: Request, services: Services
) -> Response:
    (found,) = await _evaluated(caller, [body], Semantic.EXECUTE_ALL, services)
    return answer(_told(caller, body, found, request), headers=_identified(request))


async def _evaluated(
    caller: Caller, wanted: list[NewEvaluation], semantic: Semantic, services: Services
) -> tuple[Evaluated, ...]:
    """The answers to questions that are all about the same client."""
    questions = [_question(each, services.clock()) for each in wanted]
    resource = wanted[0].resource
    holder = None if resource.properties is None else resource.properties.holder
    whose = Whose(Handle(resource.id), None if holder is None else organisation_of(holder))
    run = services.writer.run(
        evaluate_access, caller, whose, questions, semantic, services.rulebook
    )
    return settled(await run)


def _whole(each: PartialEvaluation, common: NewEvaluations, place: str) -> NewEvaluation:
    said: dict[str, Any] = {"resource": common.resource}
    lacking = []
    for name in _SHARED:
        said[name] = getattr(each, name) or getattr(common, name)
        if said[name] is None:
            lacking.append((f"{place}{name}", f"needs_{name}"))
    if lacking:
        raise RequestRefused(INVALID_CONTENT, tuple(lacking))
    return NewEvaluation(**said)


def _question(body: NewEvaluation, now: datetime) -> AccessQuestion:
    more = body.resource.properties or ResourceProperties()
    who = body.subject.properties or SubjectProperties()
    asker = organisation_of(body.subject.id)
    recipient = asker if who.on_behalf_of is None else organisation_of(who.on_behalf_of)
    return AccessQuestion(
        recipient=recipient,
        processor=None if recipient == asker else asker,
        operation=Operation(body.action.name),
        purpose=body.context.purpose,
        sections=None if not more.sections else frozenset(map(Section, more.sections)),
        end_user=who.end_user,
        at=None if body.context.time is None else _moment(body.context.time, now),
    )


def _moment(text: str, now: datetime) -> int:
    try:
        at = datetime.fromisoformat(text)
        far = abs(at - now) > FARTHEST
    except (ValueError, OverflowError):
        raise RequestRefused(INVALID_CONTENT, (("context.time", "no_such_time"),)) from None
    if far:
        raise RequestRefused(INVALID_CONTENT, (("context.time", "too_far"),))
    return instant(at)


def _told(
    caller: Caller, body: NewEvaluation, found: Evaluated, request: Request
) -> dict[str, Any]:
    language, decision = language_of(request), found.decision
    said = words(language)["as_of"]
    as_of = {"then": said["then"], "now": said["now"], "past": said["past"]}
    context = {
        "reason": decision.reason,
        "trace": [{"gate": gate, "code": code} for gate, code in decision.trace],
        "released": sorted(decision.fields),
        "time": moment_text(found.at),
        "as_of": None if body.context.time is None else as_of,
        "explanation": explained(found.account, audience_of(caller, body.context.whom), language),
    }
    return {"decision": decision.reason is None, "context": context}


def _identified(request: Request) -> Mapping[str, str]:
    """The number that the asker gave its request, as the interface wants it; if it is one."""
    given = request.headers.get("x-request-id", "")
    return {"X-Request-ID": given} if _REQUEST_ID.fullmatch(given) else {}
