"""What another document would make of a release, against what it is today. Pure.

A consent keeps what could leave on the day it was given (see `at_most`). So where a document
lets more leave, a consent gives no more than it did: what is asked beyond it waits for the
client's renewed word, and is named here.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from policies.at_most import Decide, Levels, at_most
from policies.decision import Decision, Facts, FlowFacts, GrantFacts, ReleaseRequest
from policies.purposes import profile
from policies.summary_model import summary_model
from policies.vocabulary import AgreementId, FieldId, Operation, Reason


@dataclass(frozen=True, slots=True)
class Release:
    """What would leave under one set of documents, and what they ask for at most.

    `wanted` is what a consent would let leave that named all it may, also while an agreement is
    suspended; what the client denied is not in it.
    """

    levels: Levels
    wanted: Levels
    reason: Reason | None = None
    agreement: AgreementId | None = None


class Effect(StrEnum):
    """What becomes of a consent. Several may hold at once; what is broken is not narrowed."""

    BROKEN = "broken"
    """Something left, and nothing would."""

    NARROWED = "narrowed"
    """Less would leave, or less precisely."""

    RESTORED = "restored"
    """More would leave, of what the client agreed to on the day of the consent."""

    WIDENED = "widened"
    """The document asks for more than the consent gives: nothing of it leaves unrenewed."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one release: which fields would go, come back, or be asked for anew.

    `reason` says why nothing would leave any more. `agreement` is the one that it rests on, or
    rested on.
    """

    loses: frozenset[FieldId] = frozenset()
    regains: frozenset[FieldId] = frozenset()
    asks: frozenset[FieldId] = frozenset()
    reason: Reason | None = None
    agreement: AgreementId | None = None

    @property
    def effects(self) -> dict[Effect, frozenset[FieldId]]:
        """Each effect with the fields that it concerns; none when all stays as it is."""
        loss = Effect.NARROWED if self.reason is None else Effect.BROKEN
        told = {loss: self.loses, Effect.RESTORED: self.regains, Effect.WIDENED: self.asks}
        return {effect: fields for effect, fields in told.items() if fields}


def release_of(
    request: ReleaseRequest, facts: Facts, decide: Decide, asking: tuple[FlowFacts, ...]
) -> Release:
    """What leaves on these facts, and what would by the flows `asking` to who was given all."""
    decision = decide(request, facts)
    everything = _everything(request.purpose)
    wanted = at_most(request, replace(facts, flows=asking), everything, decide)
    return Release(
        levels=levels_of(decision),
        wanted=frozenset(each for each in wanted if each[0] not in facts.denied),
        reason=decision.reason,
        agreement=None if decision.flow is None else decision.flow.agreement,
    )


def compared(today: Release, then: Release) -> Change:
    """What changes between the two."""
    return Change(
        loses=_beyond(today.levels, then.levels),
        regains=_beyond(then.levels, today.levels),
        asks=_beyond(then.wanted, today.wanted) & _beyond(then.wanted, then.levels),
        reason=then.reason if today.levels and not then.levels else None,
        agreement=then.agreement or today.agreement,
    )


def asks_renewal(change: Change) -> bool:
    """Whether the client's renewed word would give what the consent does not, or no longer."""
    return bool(change.asks) or change.reason is Reason.CONSENT_STALE_NOTICE


def _everything(purpose: str) -> GrantFacts:
    fields, known = profile(purpose), summary_model().fields
    return GrantFacts(
        fields=fields,
        named=fields | {each.partition(".")[0] for each in fields},
        precision=tuple((each, known[each].precision[0]) for each in sorted(fields)),
        operations=frozenset(Operation),
        ended=None,
        secrecy_release=True,
    )


def levels_of(decision: Decision) -> Levels:
    """What a decision lets leave, each field with its level; nothing when it is a no."""
    if decision.reason:
        return frozenset()
    known, told = summary_model().fields, dict(decision.precision)
    return frozenset((each, told.get(each, known[each].precision[0])) for each in decision.fields)


def _beyond(more: Levels, less: Levels) -> frozenset[FieldId]:
    """The fields that one lets leave and the other does not, or not as precisely."""
    has = dict(less)
    return frozenset(
        field for field, level in more if field not in has or _finer(field, level, has[field])
    )


def _finer(field: FieldId, level: str, than: str) -> bool:
    # A level that one of two summary models does not know is another level, whatever it means.
    known = summary_model().fields.get(field)
    scale = () if known is None else known.precision
    if level in scale and than in scale:
        return scale.index(level) < scale.index(than)
    return level != than
