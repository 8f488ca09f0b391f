"""Legal bases beside consent over HTTP, for the organisation that holds the client."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field, StringConstraints

from exchange.api.answers import answer
from exchange.api.clients import handle_in
from exchange.api.dependencies import Body, ConsentCaller, RequestServices, body_of
from exchange.api.forms import (
    ClientPath,
    Day,
    Organisation,
    Purpose,
    ShortCode,
    instant_text,
    organisation_of,
)
from exchange.bases import Basis
from exchange.flows.change_basis import BasisChange, Word, change_basis, view_bases
from exchange.flows.record_basis import NewBasis, record_basis
from exchange.problems import settled
from policies.bases import BasisKind, Claim, Condition
from policies.vocabulary import AgreementId

router = APIRouter(prefix="/v1/clients", tags=["clients"])

BasisPath = Annotated[str, Path(alias="basis", max_length=200)]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,79}$")]


class ClaimedBasis(Body):
    """On what else than consent you may share, with whom, for what, between which Belgian days.

    `reference`: the number of the article or authorisation, or the hash of the mandate. Among
    holders of secrecy all five conditions hold, and `checked_by` is the function (a code, never a
    name) of who checked that.
    """

    kind: Literal[tuple(BasisKind)]  # type: ignore[valid-type]  # its members
    recipient: Organisation
    purpose: Purpose
    agreement: Annotated[str, StringConstraints(pattern=r"^PR-[0-9]{4}-[0-9]{3}$")]
    reference: Reference
    starts: Annotated[Day | None, Field(alias="from")] = None
    until: Day | None = None
    conditions: Annotated[list[Literal[tuple(Condition)]], Field(max_length=5)] = Field(  # type: ignore[valid-type]  # its members
        default_factory=list
    )
    checked_by: ShortCode | None = None


class ObjectionAnswer(Body):
    """What became of the objection: upheld, or one of the two grounds that weigh more."""

    outcome: Literal["objection_upheld", "compelling_grounds", "legal_claims"]


@router.post("/{client}/bases")
async def post_basis(
    client: ClientPath,
    caller: ConsentCaller,
    body: Annotated[ClaimedBasis, Depends(body_of(ClaimedBasis))],
    services: RequestServices,
) -> Response:
    """Record a basis beside consent. It stands from this answer on, within its days."""
    claim = Claim(
        kind=BasisKind(body.kind),
        recipient=organisation_of(body.recipient),
        purpose=body.purpose,
        agreement=AgreementId(body.agreement),
        reference=body.reference,
        conditions=frozenset(map(Condition, body.conditions)),
    )
    order = NewBasis(handle_in(client), claim, body.starts, body.until, body.checked_by)
    basis = settled(await services.writer.run(record_basis, caller, order))
    return answer(_shown(basis), 201)


@router.get("/{client}/bases")
async def get_bases(
    client: ClientPath, caller: ConsentCaller, services: RequestServices
) -> Response:
    """Every basis of the client, ended ones too. The look is logged."""
    bases = settled(await services.writer.run(view_bases, caller, handle_in(client)))
    return answer({"bases": [_shown(each) for each in bases]})


@router.post("/{client}/bases/{basis}/end")
async def post_basis_end(
    client: ClientPath, basis: BasisPath, caller: ConsentCaller, services: RequestServices
) -> Response:
    """End a basis: nothing rests on it any more."""
    order = BasisChange(handle_in(client), basis, Word.ENDED)
    return answer(_shown(settled(await services.writer.run(change_basis, caller, order))))


@router.post("/{client}/bases/{basis}/objection")
async def post_objection(
    client: ClientPath, basis: BasisPath, caller: ConsentCaller, services: RequestServices
) -> Response:
    """The client objects: nothing rests on the basis until you have answered."""
    order = BasisChange(handle_in(client), basis, Word.OBJECTION)
    return answer(_shown(settled(await services.writer.run(change_basis, caller, order))))


@router.post("/{client}/bases/{basis}/objection/answer")
async def post_objection_answer(
    client: ClientPath,
    basis: BasisPath,
    caller: ConsentCaller,
    body: Annotated[ObjectionAnswer, Depends(body_of(ObjectionAnswer))],
    services: RequestServices,
) -> Response:
    """Answer an objection: the basis ends, or stands again on one of two grounds."""
    order = BasisChange(handle_in(client), basis, Word(body.outcome))
    return answer(_shown(settled(await services.writer.run(change_basis, caller, order))))


def _shown(basis: Basis) -> dict[str, Any]:
    claim = basis.claim
    return {
        "basis": basis.id,
        "state": basis.state,
        "why": basis.why,
        "kind": claim.kind,
        "recipient": f"org:{claim.recipient}",
        "purpose": claim.purpose,
        "agreement": claim.agreement,
        "reference": claim.reference,
        "from": basis.starts,
        "until": basis.until,
        "conditions": sorted(claim.conditions),
        "checked_by": basis.checked_by,
        "recorded": instant_text(basis.recorded_at),
        "changed": instant_text(basis.changed_at),
    }
