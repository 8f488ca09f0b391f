"""What is left of a request: grants, purpose profile, agreement, denials and rules, all at once.

Nothing here asks who may know the answer; that is for the gates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from policies.decision import (
    BasisFacts,
    Facts,
    FlowFacts,
    GrantFacts,
    Precision,
    ReleaseRequest,
)
from policies.purposes import asked_by_default, implied_by, may_use, profile
from policies.reduction import effective_precision
from policies.summary_model import fields_of, hidden, summary_model
from policies.vocabulary import FieldId, Reason, Section

NOTHING: frozenset[FieldId] = frozenset()
ON_BASIS = -1
"""The position of what the basis beside consent gives: behind no grant."""

_THE_CLIENTS_NO = frozenset(
    {
        Reason.CONSENT_WITHDRAWN,
        Reason.CONSENT_REFUSED,
        Reason.CONSENT_SUSPENDED,
        Reason.CAPACITY_CHANGED_AGE18,
    }
)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What may leave, by which flow and on which grants; or which cut left nothing.

    `gives`: what each grant that it rests on gives, with the grant's position in the facts.
    `reason` and `code` are set together: the code is the reason's own, or the `@id` of the
    rule of this installation behind it.
    """

    fields: frozenset[FieldId] = NOTHING
    flow: FlowFacts | None = None
    gives: tuple[tuple[int, frozenset[FieldId]], ...] = ()
    reason: Reason | None = None
    code: str | None = None
    without_own: frozenset[FieldId] = NOTHING
    """What would leave if the installation had no rules of its own."""


def asked(request: ReleaseRequest) -> frozenset[Section]:
    """The sections asked for; without a word, all that the purpose may use."""
    return asked_by_default(request.purpose) if request.sections is None else request.sections


def said_no(grants: Iterable[GrantFacts], *, refused: bool) -> bool:
    """Whether a no of the client stands for this recipient and purpose, or a yes is on hold.

    One grant that was taken back is enough, whatever else was given: no basis goes round it.
    """
    return refused or any(each.ended in _THE_CLIENTS_NO for each in grants)


def basis_of(facts: Facts) -> BasisFacts | None:
    """The basis that counts beside consent: only where no consent stands and no no.

    Where the holder has professional secrecy it counts towards who has it too, and when the
    five conditions of sharing it were checked (be-secrecy, be-secrecy-shared).
    """
    basis = facts.basis
    if basis is None or any(each.ended is None for each in facts.grants):
        return None
    if facts.holder_secrecy and not (facts.recipient.secrecy and basis.shared):
        return None
    return None if said_no(facts.grants, refused=facts.refused) else basis


def usable(request: ReleaseRequest, facts: Facts) -> dict[int, GrantFacts]:
    """The live grants that allow the operation, by their position in the facts.

    Where the holder has professional secrecy and the recipient has not, only those count by
    which the client frees the holder from it (be-secrecy). Where there is none, what the basis
    gives that counts beside consent.
    """
    if basis := basis_of(facts):
        return {ON_BASIS: _as_grant(basis)}
    allowing = implied_by(request.operation)
    freed = facts.holder_secrecy and not facts.recipient.secrecy
    return {
        position: each
        for position, each in enumerate(facts.grants)
        if each.ended is None
        and not allowing.isdisjoint(each.operations)
        and (each.secrecy_release or not freed)
    }


def granted(request: ReleaseRequest, facts: Facts) -> dict[int, frozenset[FieldId]]:
    """What each usable grant gives of what was asked, cut to the purpose profile."""
    wanted = _fields_of_all(asked(request))
    return {
        position: each.fields & wanted & may_use(request.purpose, each.named)
        for position, each in usable(request, facts).items()
    }


def flows_for(request: ReleaseRequest, facts: Facts) -> tuple[FlowFacts, ...]:
    """The flows that cover it (see `covering`) and have room for one person more."""
    return tuple(each for each in covering(request, facts) if not each.full)


def covering(request: ReleaseRequest, facts: Facts) -> tuple[FlowFacts, ...]:
    """The flows in force that allow the operation; on a basis, those of its own agreement."""
    allowing = implied_by(request.operation)
    basis = basis_of(facts)
    return tuple(
        each
        for each in facts.flows
        if not allowing.isdisjoint(each.operations)
        and (basis is None or each.agreement == basis.agreement)
    )


def remainder(request: ReleaseRequest, facts: Facts, forbidden: Mapping[Section, str]) -> Remainder:
    """What grants, purpose profile and one flow have in common, less denials and rules.

    Of several flows the one that lets most leave, then the one whose agreement has the
    smallest id, so that the grounds of a release name one agreement. `forbidden` holds the
    sections that a rule keeps back, with the code of the rule. The installation's own rules have
    no say in which flow it is: by another one something could leave that did not before the rule.
    """
    given = granted(request, facts)
    left = NOTHING.union(*given.values())
    if not left:
        return Remainder(reason=Reason.NO_CONSENT, code=Reason.NO_CONSENT)
    left -= facts.denied
    if not left:
        return Remainder(reason=Reason.EXPLICIT_DENIAL, code=Reason.EXPLICIT_DENIAL)
    hard = (each for each, code in forbidden.items() if code in _HARD)
    withheld = _fields_of_all(_kept_back(facts, hard))
    flow = _widest(flows_for(request, facts), left - withheld)
    if flow is None or left.isdisjoint(flow.fields):
        return Remainder(reason=Reason.NO_ACTIVE_PROTOCOL, code=Reason.NO_ACTIVE_PROTOCOL)
    left &= flow.fields
    without_own = left - withheld
    fields = without_own - _fields_of_all(frozenset(forbidden))
    if not fields:
        return _forbidden(left, forbidden)
    gives = tuple((at, each & fields) for at, each in given.items() if each & fields)
    return Remainder(fields, flow, gives, without_own=without_own)


def withheld_names(
    request: ReleaseRequest, released: frozenset[FieldId]
) -> tuple[tuple[str, ...], int]:
    """What was asked for and stays behind: the names that may be told, and the count of all.

    A section of which nothing is released counts by its own name, another by those of its
    fields that the purpose could use. Health and justice are counted and never named.
    """
    could_use = profile(request.purpose)
    told: list[str] = []
    total = 0
    for section in sorted(asked(request)):
        fields = fields_of(section)
        names = {section.value} if released.isdisjoint(fields) else (fields & could_use) - released
        total += len(names)
        if not hidden(section):
            told += sorted(names)
    return tuple(told), total


def why_withheld(field: FieldId, purpose: str, named: frozenset[str], facts: Facts) -> str:
    """Which cut a field falls to that a grant gives and that does not leave, as a code.

    `denied`, `not_for_this_purpose`, `no_agreement`, `not_in_the_agreement`, or `kept_back` for
    what is left: a rule, or what keeps everything back today.
    """
    if field in facts.denied:
        return "denied"
    if field not in may_use(purpose, named):
        return "not_for_this_purpose"
    if not facts.flows:
        return "no_agreement"
    if not any(field in flow.fields for flow in facts.flows):
        return "not_in_the_agreement"
    return "kept_back"


def precision_of(facts: Facts, rest: Remainder) -> Precision:
    """The level of each released field that has more than one, sorted by field.

    The finest that the grants rested on ask for, and never finer than the flow allows.
    """
    caps = dict(rest.flow.caps) if rest.flow else {}
    grants = [
        (fields, {} if at == ON_BASIS else dict(facts.grants[at].precision))
        for at, fields in rest.gives
    ]
    levels: list[tuple[FieldId, str]] = []
    for field in sorted(rest.fields & _reducible()):
        asked_for = [each.get(field) for fields, each in grants if field in fields]
        levels.append((field, effective_precision(field, asked_for, caps.get(field))))
    return tuple(levels)


@lru_cache(maxsize=256)
def _as_grant(basis: BasisFacts) -> GrantFacts:
    """It names nothing by itself: so nothing that must be named leaves on it."""
    return GrantFacts(basis.fields, frozenset(), (), frozenset(), None, secrecy_release=False)


def _kept_back(facts: Facts, forbidden: Iterable[Section]) -> frozenset[Section]:
    recipient = facts.recipient
    kept = recipient.hard_denies | frozenset(forbidden)
    return kept if recipient.only_sections is None else kept | (_ALL - recipient.only_sections)


def _widest(flows: Iterable[FlowFacts], fields: frozenset[FieldId]) -> FlowFacts | None:
    """Of two that let as much leave under one agreement, the one that is more careful with it."""
    return min(
        flows,
        key=lambda each: (
            -len(fields & each.fields),
            each.agreement,
            not each.origin_masking,
            each.onward,
            tuple(each.caps),
            _in_order(fields & each.fields),
            _in_order(each.fields),
            _in_order(each.operations),
        ),
        default=None,
    )


@lru_cache(maxsize=4096)
def _in_order(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _forbidden(fields: frozenset[FieldId], forbidden: Mapping[Section, str]) -> Remainder:
    """Which rule left nothing: the first of the overlay, else the directory's own limits."""
    codes = [forbidden[each] for each in Section if each in forbidden and fields & fields_of(each)]
    code = codes[0] if codes else Reason.SITE_RULE
    return Remainder(reason=reason_of(code), code=code)


def reason_of(code: str) -> Reason:
    """The reason behind a rule's `@id`: its own, or that it is a rule of this installation."""
    return Reason(code) if code in Reason.__members__ else Reason.SITE_RULE


_ALL = frozenset(Section)
_HARD = frozenset(each for each in Reason if each.startswith("HARD_RULE_"))


@lru_cache(maxsize=4096)
def _fields_of_all(sections: frozenset[Section]) -> frozenset[FieldId]:
    return NOTHING.union(*map(fields_of, sections))


@lru_cache(maxsize=1)
def _reducible() -> frozenset[FieldId]:
    fields = summary_model().fields.values()
    return frozenset(each.id for each in fields if len(each.precision) > 1)
