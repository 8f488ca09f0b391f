"""How a framework agreement may change. Pure and total: every act in every state has an answer.

draft → advice of both officers (→ the supervisor's) → signed → published → active, in review or
ended. A suspension is no state but stands beside it: several may, each of who imposed it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from policies.agreement_document import (
    Agreement,
    AgreementState,
    AuthorityAdvice,
    DpoAdvice,
    Party,
    Publication,
    Suspension,
)
from policies.agreements import incomplete
from policies.vocabulary import BROKER, OrganisationId

THE_BROKER = OrganisationId(BROKER)
"""Who acts where time has passed, and its operator; no organisation's id has this form."""


class Act(StrEnum):
    """What can be done to one version of an agreement."""

    ADVISED = "advised"
    AUTHORITY_ADVISED = "authority_advised"
    SIGNED = "signed"
    PUBLISHED = "published"
    ACTIVATED = "activated"
    REVIEWED = "reviewed"
    ENDED = "ended"
    SUSPENDED = "suspended"
    LIFTED = "lifted"
    REMINDED = "reminded"


class Obstacle(StrEnum):
    """Why an act can not be done now."""

    NOT_A_PARTY = "not_a_party"
    INCOMPLETE = "incomplete"
    ADVISED_AGAINST = "advised_against"
    ADVICE_LATER = "advice_later"
    NOT_ADVISED = "not_advised"
    NOT_SIGNED = "not_signed"
    NOT_PUBLISHED = "not_published"
    NOT_ACTIVE = "not_active"
    SETTLED = "settled"
    ALREADY = "already"
    NOT_IMPOSED_BY_IT = "not_imposed_by_it"
    LATER = "later"
    OVER = "over"
    SUPERSEDED = "superseded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One act, the day it counts from, and who did it: a party, or the broker.

    `outcome` and `remarks` are of an advice, `body` and `reference` of the supervisor's, `url`
    of a publication, `reason` (a code) of a suspension, its lifting and an end.
    """

    act: Act
    on: date
    by: OrganisationId = THE_BROKER
    outcome: str | None = None
    remarks: str | None = None
    body: str | None = None
    reference: str | None = None
    url: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One version as it stands: the agreement with what was done to it, and what holds it.

    `agreement.suspended` is empty here; `seen` fills it in.
    """

    agreement: Agreement
    holds: tuple[Suspension, ...] = ()

    @property
    def seen(self) -> Agreement:
        """As decisions read it: with the suspension that began first."""
        first = min(self.holds, key=lambda each: each.on, default=None)
        return replace(self.agreement, suspended=first)


LIVE = frozenset({AgreementState.ACTIVE, AgreementState.IN_REVIEW})
"""Where a version has come into use, and has not ended."""
_UNSIGNED = frozenset(
    {AgreementState.DRAFT, AgreementState.DPO_ADVICE, AgreementState.AUTHORITY_ADVICE}
)
_OF_A_PARTY = frozenset({Act.ADVISED, Act.SIGNED, Act.PUBLISHED})
_LATER_ELEMENTS = ("signed_on", "published")


def after(life: Life, step: Step) -> Life | Obstacle:
    """The version after the act, or what stands in the way."""
    return obstacle(life, step) or taken(life, step)


def obstacle(life: Life, step: Step) -> Obstacle | None:
    """What stands in the way of an act, if anything does. What has ended never comes back."""
    if life.agreement.state is AgreementState.ENDED:
        return Obstacle.ENDED
    if _party(life.agreement, step.by) is None and (
        step.act in _OF_A_PARTY or step.by != THE_BROKER
    ):
        return Obstacle.NOT_A_PARTY
    return _OBSTACLES[step.act](life, step)


def taken(life: Life, step: Step) -> Life:
    """The version after an act that was done, whatever is asked of such an act today."""
    if step.act is Act.SUSPENDED:
        held = Suspension(on=step.on, by=step.by, reason_code=str(step.reason), until_lifted=True)
        return replace(life, holds=(*life.holds, held))
    if step.act is Act.LIFTED:
        return replace(life, holds=tuple(each for each in life.holds if not _lifts(step, each)))
    return replace(life, agreement=_CHANGES[step.act](life.agreement, step))


def lived(agreement: Agreement, steps: Iterable[Step]) -> Life:
    """What steps that were taken make of an agreement, in their order."""
    life = Life(agreement)
    for each in steps:
        life = taken(life, each)
    return life


def lacking_for_signature(agreement: Agreement) -> tuple[tuple[str, str], ...]:
    """Every element that must be there before anybody signs, the advices too, with its rule."""
    return tuple(
        (element, rule)
        for element, rule in incomplete(agreement)
        if not (element.startswith("parties.") and element.endswith(_LATER_ELEMENTS))
    )


def _party(agreement: Agreement, organisation: OrganisationId) -> Party | None:
    return next((each for each in agreement.parties if each.org == organisation), None)


def _has(agreement: Agreement, organisation: OrganisationId, element: str) -> bool:
    return getattr(_party(agreement, organisation), element, None) is not None


def _all_have(agreement: Agreement, element: str) -> bool:
    parties = agreement.parties
    return bool(parties) and all(getattr(each, element) is not None for each in parties)


def _negative(agreement: Agreement) -> bool:
    advices = (each.dpo_advice for each in agreement.parties)
    return any(each is not None and each.outcome == "negative" for each in advices)


def _lifts(step: Step, held: Suspension) -> bool:
    return held.by == step.by and step.reason in (None, held.reason_code)


def _to_advise(life: Life, step: Step) -> Obstacle | None:
    if _has(life.agreement, step.by, "dpo_advice"):
        return Obstacle.ALREADY
    return None if life.agreement.state in _UNSIGNED else Obstacle.SETTLED


def _to_advise_with_authority(life: Life, _step: Step) -> Obstacle | None:
    agreement = life.agreement
    if agreement.authority_advice is not None:
        return Obstacle.ALREADY
    signed = any(each.signed_on for each in agreement.parties)
    if agreement.state not in _UNSIGNED or signed:
        return Obstacle.SETTLED
    if not _all_have(agreement, "dpo_advice"):
        return Obstacle.NOT_ADVISED
    return Obstacle.ADVISED_AGAINST if _negative(agreement) else None


def _to_sign(life: Life, step: Step) -> Obstacle | None:
    agreement = life.agreement
    if _has(agreement, step.by, "signed_on"):
        return Obstacle.ALREADY
    if agreement.state not in _UNSIGNED:
        return Obstacle.SETTLED
    if _negative(agreement):
        return Obstacle.ADVISED_AGAINST
    if not _all_have(agreement, "dpo_advice"):
        return Obstacle.NOT_ADVISED
    if lacking_for_signature(agreement):
        return Obstacle.INCOMPLETE
    given = [each.dpo_advice.date for each in agreement.parties if each.dpo_advice]
    return Obstacle.ADVICE_LATER if max(given) > step.on else None


def _to_publish(life: Life, step: Step) -> Obstacle | None:
    if _has(life.agreement, step.by, "published"):
        return Obstacle.ALREADY
    if life.agreement.state in _UNSIGNED:
        return Obstacle.NOT_SIGNED
    return None


def _to_activate(life: Life, step: Step) -> Obstacle | None:
    agreement = life.agreement
    if agreement.state is AgreementState.ACTIVE:
        return Obstacle.ALREADY
    if agreement.state in _UNSIGNED:
        return Obstacle.NOT_SIGNED
    if agreement.state is AgreementState.SIGNED:
        return Obstacle.NOT_PUBLISHED
    if incomplete(agreement):
        return Obstacle.INCOMPLETE
    return Obstacle.OVER if agreement.valid_until and agreement.valid_until < step.on else None


def _to_review(life: Life, _step: Step) -> Obstacle | None:
    if life.agreement.state is AgreementState.IN_REVIEW:
        return Obstacle.ALREADY
    return None if life.agreement.state is AgreementState.ACTIVE else Obstacle.NOT_ACTIVE


def _to_remind(life: Life, _step: Step) -> Obstacle | None:
    return None if life.agreement.state in LIVE else Obstacle.NOT_ACTIVE


def _to_end(_life: Life, _step: Step) -> Obstacle | None:
    return None


def _to_suspend(life: Life, step: Step) -> Obstacle | None:
    # One that begins later keeps nobody from suspending at once.
    same = any(
        each.by == step.by and each.reason_code == step.reason and each.on <= step.on
        for each in life.holds
    )
    return Obstacle.ALREADY if same else None


def _to_lift(life: Life, step: Step) -> Obstacle | None:
    mine = any(_lifts(step, each) for each in life.holds)
    return None if mine else Obstacle.NOT_IMPOSED_BY_IT


_OBSTACLES: Mapping[Act, Callable[[Life, Step], Obstacle | None]] = {
    Act.ADVISED: _to_advise,
    Act.AUTHORITY_ADVISED: _to_advise_with_authority,
    Act.SIGNED: _to_sign,
    Act.PUBLISHED: _to_publish,
    Act.ACTIVATED: _to_activate,
    Act.REVIEWED: _to_review,
    Act.ENDED: _to_end,
    Act.SUSPENDED: _to_suspend,
    Act.LIFTED: _to_lift,
    Act.REMINDED: _to_remind,
}


def _of_party(agreement: Agreement, by: OrganisationId, **done: Any) -> Agreement:
    parties = (replace(each, **done) if each.org == by else each for each in agreement.parties)
    return replace(agreement, parties=tuple(parties))


def _advised(agreement: Agreement, step: Step) -> Agreement:
    advice = DpoAdvice(date=step.on, outcome=str(step.outcome), remarks=step.remarks)
    advised = _of_party(agreement, step.by, dpo_advice=advice)
    return replace(advised, state=AgreementState.DPO_ADVICE)


def _authority_advised(agreement: Agreement, step: Step) -> Agreement:
    advice = AuthorityAdvice(body=str(step.body), date=step.on, reference=step.reference)
    return replace(agreement, authority_advice=advice, state=AgreementState.AUTHORITY_ADVICE)


def _signed(agreement: Agreement, step: Step) -> Agreement:
    signed = _of_party(agreement, step.by, signed_on=step.on)
    whole = _all_have(signed, "signed_on")
    return replace(signed, state=AgreementState.SIGNED) if whole else signed


def _published(agreement: Agreement, step: Step) -> Agreement:
    there = Publication(on=step.on, url=str(step.url))
    published = _of_party(agreement, step.by, published=there)
    whole = _all_have(published, "published")
    return replace(published, state=AgreementState.PUBLISHED) if whole else published


def _to(state: AgreementState) -> Callable[[Agreement, Step], Agreement]:
    return lambda agreement, _step: replace(agreement, state=state)


_CHANGES: Mapping[Act, Callable[[Agreement, Step], Agreement]] = {
    Act.ADVISED: _advised,
    Act.AUTHORITY_ADVISED: _authority_advised,
    Act.SIGNED: _signed,
    Act.PUBLISHED: _published,
    Act.ACTIVATED: _to(AgreementState.ACTIVE),
    Act.REVIEWED: _to(AgreementState.IN_REVIEW),
    Act.ENDED: _to(AgreementState.ENDED),
    Act.REMINDED: lambda agreement, _step: agreement,
}
