"""The legal bases beside consent that stand in a client's sealed record, and which of them counts.

Times are whole microseconds since 1970 (UTC), days are Belgian.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from consent.standing import lapses
from exchange.directory import Directory
from policies.bases import BasisKind, Claim, Condition, fault, gives
from policies.decision import BasisFacts
from policies.vocabulary import AgreementId, OrganisationId


class BasisState(StrEnum):
    """How a basis stands. Only `standing` lets anything leave; nothing follows on `ended`."""

    STANDING = "standing"
    OBJECTED = "objected"
    """The client objects: it waits for the holder's answer (gdpr-object)."""

    SUSPENDED = "suspended"
    """Part of the log was lost, and nobody knows what the client said meanwhile."""

    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Basis:
    """One basis. `checked_by` is the function of who checked the conditions, never a name.

    `why` says by which word it came to stand as it does, since `changed_at`.
    """

    id: str
    claim: Claim
    starts: str | None
    until: str | None
    checked_by: str | None
    recorded_at: int
    state: BasisState
    why: str
    changed_at: int

    @property
    def reference(self) -> str:
        """What it rests on; the article of an agreement is told with the agreement."""
        if self.claim.kind is BasisKind.AGREEMENT_ARTICLE:
            return f"{self.claim.agreement}/{self.claim.reference}"
        return self.claim.reference

    @property
    def code(self) -> str:
        """Kind and reference, as the log has them."""
        return f"{self.claim.kind}:{self.reference}"

    def within(self, now: int, day: date) -> bool:
        """Within its days, and not older than any consent may become (H9)."""
        today = day.isoformat()
        begun = self.starts is None or self.starts <= today
        return (
            begun and (self.until is None or today <= self.until) and now < lapses(self.recorded_at)
        )

    def to_json(self) -> dict[str, Any]:
        """As it is sealed; `basis_in` is the other way."""
        claim = self.claim
        return {
            "id": self.id,
            "kind": claim.kind,
            "recipient": claim.recipient,
            "purpose": claim.purpose,
            "agreement": claim.agreement,
            "reference": claim.reference,
            "conditions": sorted(claim.conditions),
            "starts": self.starts,
            "until": self.until,
            "checked_by": self.checked_by,
            "recorded_at": self.recorded_at,
            "state": self.state,
            "why": self.why,
            "changed_at": self.changed_at,
        }


def basis_in(body: Mapping[str, Any]) -> Basis:
    """The basis as it was sealed."""
    return Basis(
        id=body["id"],
        claim=Claim(
            kind=BasisKind(body["kind"]),
            recipient=OrganisationId(body["recipient"]),
            purpose=body["purpose"],
            agreement=AgreementId(body["agreement"]),
            reference=body["reference"],
            conditions=frozenset(map(Condition, body["conditions"])),
        ),
        starts=body["starts"],
        until=body["until"],
        checked_by=body["checked_by"],
        recorded_at=body["recorded_at"],
        state=BasisState(body["state"]),
        why=body["why"],
        changed_at=body["changed_at"],
    )


def fault_of(
    claim: Claim, directory: Directory, holder: OrganisationId, day: date
) -> tuple[str, str] | None:
    """What of the claim does not stand that day by directory and agreements (see `fault`)."""
    agreement = next((each for each in directory.agreements if each.id == claim.agreement), None)
    known = directory.organisations
    return fault(claim, agreement, known.get(holder), known.get(claim.recipient), day)


def live_basis(
    bases: Iterable[Basis],
    directory: Directory,
    *,
    holder: OrganisationId,
    recipient: OrganisationId,
    purpose: str,
    now: int,
    day: date,
) -> Basis | None:
    """The basis recorded first of those that stand for recipient and purpose.

    None does while the client objects to one of them: an objection is to what is done, and not
    to one number that it rests on.
    """
    mine = [
        each
        for each in bases
        if each.claim.recipient == recipient and each.claim.purpose == purpose
    ]
    if any(objected(each) for each in mine):
        return None
    live = (each for each in mine if each.state is BasisState.STANDING and each.within(now, day))
    return next((each for each in live if not fault_of(each.claim, directory, holder, day)), None)


def objected(basis: Basis) -> bool:
    """Whether the client's objection stands: it waits for an answer, or was heard."""
    return basis.state is BasisState.OBJECTED or basis.why == "objection_upheld"


def facts_of(basis: Basis) -> BasisFacts:
    """The basis as a decision takes it."""
    return BasisFacts(
        fields=gives(basis.claim.purpose),
        agreement=basis.claim.agreement,
        shared=basis.claim.conditions == frozenset(Condition),
    )
