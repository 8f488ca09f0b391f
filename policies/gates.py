"""Every gate a release must pass, in order, and the decision made of their answers. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from policies.decision import Decision, Facts, RecipientFacts, ReleaseRequest
from policies.minimisation import (
    ON_BASIS,
    asked,
    covering,
    flows_for,
    granted,
    precision_of,
    remainder,
    usable,
    withheld_names,
)
from policies.purposes import is_prohibited, purpose
from policies.site_rules import Overlay
from policies.summary_model import fields_of
from policies.vocabulary import Reason, Section

Gate = Callable[[ReleaseRequest, Facts], Reason | None]


def the_purpose_is_ours(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """The purpose is on the closed list, and is not one of those nobody may have."""
    if is_prohibited(request.purpose):
        return Reason.PURPOSE_PROHIBITED
    return None if purpose(request.purpose) else Reason.PURPOSE_UNKNOWN


def the_number_may_be_asked_for(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """Who names the national number has an authorisation for it (be-rrn-use)."""
    if request.sections is None or Section.NATID not in request.sections:
        return None
    return None if facts.recipient.insz_authorised else Reason.HARD_RULE_H4


def the_client_is_known(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """The handle stands for somebody."""
    return None if facts.known else Reason.UNKNOWN_CLIENT


def the_client_may_be_read_about(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """The client has not restricted the processing, and lives."""
    return Reason.SUBJECT_RESTRICTED if facts.blocked else None


def the_client_consented_at_this_age(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """What was granted last did not end because the client came of age."""
    ended = _last_ended(facts)
    return ended if ended is Reason.CAPACITY_CHANGED_AGE18 else None


def an_agreement_covers_it(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """Holder and recipient have an agreement in force for purpose and operation, with room."""
    if flows_for(request, facts):
        return None
    return Reason.USES_EXHAUSTED if covering(request, facts) else Reason.NO_ACTIVE_PROTOCOL


def the_recipient_is_accredited(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """The directory says so for today."""
    return None if facts.recipient.accredited else Reason.RECIPIENT_NOT_ACCREDITED


def a_care_relation_stands(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """The recipient has an open handover, an appointment or a case with a ground behind it."""
    return None if facts.care_relation else Reason.NO_CARE_RELATION


def the_denials_leave_something(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """Of what was granted and asked for, the client has not denied all to this recipient."""
    fields = frozenset[str]().union(*granted(request, facts).values())
    return Reason.EXPLICIT_DENIAL if fields and fields <= facts.denied else None


def a_grant_is_live(request: ReleaseRequest, facts: Facts) -> Reason | None:
    """Some grant, or a basis beside consent, allows it; if none, what became of the last grant."""
    if usable(request, facts):
        return None
    fallen = Reason.CONSENT_REFUSED if facts.refused else Reason.NO_CONSENT
    return _last_ended(facts) or fallen


GATES: tuple[Gate, ...] = (
    the_purpose_is_ours,
    the_number_may_be_asked_for,
    the_client_is_known,
    the_client_may_be_read_about,
    the_client_consented_at_this_age,
    an_agreement_covers_it,
    the_recipient_is_accredited,
    a_care_relation_stands,
    the_denials_leave_something,
    a_grant_is_live,
)

_NOT_FOR_THIS_RECIPIENT = frozenset({Reason.HARD_RULE_H6, Reason.HARD_RULE_H7, Reason.HARD_RULE_H8})
RULES = "the_rules_leave_something"
SCAN = "nothing_is_quarantined"


def decide(
    request: ReleaseRequest, facts: Facts, overlay: Overlay, gates: Sequence[Gate] = GATES
) -> Decision:
    """No, unless every gate holds and cuts, rules and scan leave something to give.

    Every gate is asked, also after the first no: the trace is whole, and the time taken does
    not tell which gate it was. The first reason in order is the one that is logged. A gate
    that raises has not said yes; without gates nobody has. Raises nothing.

    A client we do not know is decided on like any other; what is logged then is what may be
    told the requester, or else that the client is unknown.
    """
    trace = tuple((gate.__name__, _answer(gate, request, facts)) for gate in gates)
    told = _told(request, facts, overlay)
    left = _left(request, facts, overlay)
    reasons = [each for _, each in trace] if gates else [Reason.GATE_FAILED]
    if not facts.known:
        reasons = [told, Reason.UNKNOWN_CLIENT]
    reason = next((each for each in (*reasons, left.reason, told) if each), None)
    if reason:
        return Decision(reason, told, (*trace, *left.trace))
    return replace(left, trace=(*trace, *left.trace))


class Decider:
    """Decides, and remembers the last `size` decisions by all that they were made from.

    For one thread at a time. Two requests whose facts are the same get the same decision,
    whoever the client is: nothing in the facts names one. `alarm` is told every gate, and every
    rule, that failed where it was asked for a decision, a remembered one too.
    """

    def __init__(
        self, overlay: Overlay, size: int = 4096, alarm: Callable[[str], None] = lambda _: None
    ) -> None:
        self._overlay, self._size, self._alarm = overlay, size, alarm
        self._made: dict[tuple[ReleaseRequest, Facts], tuple[Decision, tuple[str, ...]]] = {}

    def take(self, overlay: Overlay) -> None:
        """Decide by these rules from now on; what was decided by others is forgotten."""
        self._overlay, self._made = overlay, {}

    def anew(self) -> "Decider":
        """Another with the same rules that remembers nothing yet: for another thread."""
        return Decider(self._overlay, self._size)

    def forbidden(self, recipient: RecipientFacts, purpose: str) -> frozenset[Section]:
        """The sections that some rule keeps back from the recipient, whoever the client is."""
        return frozenset(self._overlay.forbidden(recipient, purpose))

    @property
    def rules(self) -> Overlay:
        """The rules that it decides with."""
        return self._overlay

    def decide(self, request: ReleaseRequest, facts: Facts) -> Decision:
        """What `decide` answers, made afresh only when it has not been made lately."""
        key = (request, facts)
        made = self._made.get(key)
        if made is None:
            decision = decide(request, facts, self._overlay)
            made = decision, failed(decision, request, facts, self._overlay)
            if len(self._made) >= self._size:
                del self._made[next(iter(self._made))]
            self._made[key] = made
        for each in made[1]:
            self._alarm(each)
        return made[0]


def failed(
    decision: Decision, request: ReleaseRequest, facts: Facts, overlay: Overlay
) -> tuple[str, ...]:
    """The gates and rules that failed in a decision: each was a no, and is a mistake of ours."""
    gates = [name for name, code in decision.trace if code == Reason.GATE_FAILED]
    rules: tuple[str, ...] = ()
    if purpose(request.purpose):
        rules = overlay.failing(facts.recipient, request.purpose, real_number=facts.real_number)
    return (*(each for each in gates if each != RULES or not rules), *rules)


def _answer(gate: Gate, request: ReleaseRequest, facts: Facts) -> Reason | None:
    try:
        return gate(request, facts)
    except Exception:  # noqa: BLE001 - whatever went wrong, it was not a yes
        return Reason.GATE_FAILED


def _told(request: ReleaseRequest, facts: Facts, overlay: Overlay) -> Reason | None:
    """The no that holds for every client alike, known or not; the only one told openly.

    It may look at the request, the recipient and whether that has an agreement with anybody,
    and at nothing else of the facts: one look at the client more, and the answer would say
    who is one.
    """
    if no := the_purpose_is_ours(request, facts):
        return no
    if not facts.recipient.accredited or _closed_to(request, facts.recipient, overlay):
        return Reason.RECIPIENT_NOT_ACCREDITED
    if not facts.any_agreement:
        return Reason.NO_ACTIVE_PROTOCOL
    return the_number_may_be_asked_for(request, facts)


def _closed_to(request: ReleaseRequest, recipient: RecipientFacts, overlay: Overlay) -> bool:
    """Whether the hard rules about recipients keep back every section that is asked for."""
    forbidden = overlay.forbidden(recipient, request.purpose)
    rules = {forbidden.get(each) for each in asked(request)}
    return None not in rules and not _NOT_FOR_THIS_RECIPIENT.isdisjoint(rules)


def _left(request: ReleaseRequest, facts: Facts, overlay: Overlay) -> Decision:
    """The decision as far as cuts, rules and scan go, with what they answered as its trace."""
    try:
        return _cut(request, facts, overlay)
    except Exception:  # noqa: BLE001 - whatever went wrong, it was not a yes
        return Decision(Reason.GATE_FAILED, None, ((RULES, Reason.GATE_FAILED),))


def _cut(request: ReleaseRequest, facts: Facts, overlay: Overlay) -> Decision:
    forbidden: Mapping[Section, str] = {}
    if purpose(request.purpose):
        forbidden = overlay.forbidden(
            facts.recipient, request.purpose, real_number=facts.real_number
        )
    rest = remainder(request, facts, forbidden)
    if rest.reason:
        return Decision(rest.reason, None, ((RULES, rest.code), (SCAN, None)))
    sections = tuple(each for each in Section if not fields_of(each).isdisjoint(rest.fields))
    # A rule of the installation never makes a request go through that was stopped without it.
    scanned = {
        each for each in facts.quarantined if not fields_of(each).isdisjoint(rest.without_own)
    }
    if scanned:
        return Decision(Reason.QUARANTINED, None, ((RULES, None), (SCAN, Reason.QUARANTINED)))
    withheld, filtered = withheld_names(request, rest.fields)
    return Decision(
        reason=None,
        told=None,
        trace=((RULES, None), (SCAN, None)),
        fields=rest.fields,
        sections=sections,
        withheld=withheld,
        filtered=filtered,
        rests_on=tuple(at for at, _ in rest.gives if at != ON_BASIS),
        on_basis=any(at == ON_BASIS for at, _ in rest.gives),
        precision=precision_of(facts, rest),
        flow=rest.flow,
    )


def _last_ended(facts: Facts) -> Reason | None:
    """Why the last grant ended, when none stands."""
    if not facts.grants or any(each.ended is None for each in facts.grants):
        return None
    return facts.grants[-1].ended
