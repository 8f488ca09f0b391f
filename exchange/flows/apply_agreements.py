"""Keep agreements from their documents, with what was done to them on paper.

Where it is serious a second operator says the same: nobody but them has seen the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from audit.events import Actor, AdminChanged
from consent.content import canonical
from exchange.agreement_keeping import Registration, TextChanged, keep, planned
from exchange.dual_control import first_to_say, forget_word, keep_word
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class AgreementDocuments:
    """The documents, and the operator (a number) who has seen the paper.

    `two`: what was done on paper counts when two operators have said so.
    """

    documents: Sequence[Mapping[str, Any]]
    operator: str | None
    two: bool


@dataclass(frozen=True, slots=True)
class AgreementsApplied:
    """How many were new or changed; and whether all waits for another operator.

    `untaken`, by version: what a document says was done and can not have been.
    """

    changed: int
    unchanged: int
    waiting: bool
    untaken: Mapping[str, Sequence[tuple[str, str, str]]]


def apply_agreements(tx: Transaction, order: AgreementDocuments) -> Outcome[AgreementsApplied]:
    """Keep all of them, or none: a version that is kept never gets another text."""
    plans = planned(tx, order.documents)
    if isinstance(plans, TextChanged):
        return _refused("text", plans.name, *plans.where)
    changes = [each for each in plans if each.changes]
    if order.two and any(each.steps for each in changes):
        if order.operator is None:
            return _refused("operator")
        what = sha256(b"agreements|" + canonical(list(order.documents))).digest()
        word: dict[str, Any] = {"shard": tx.shard, "what": what, "now": tx.now}
        first = first_to_say(tx.connection, **word)
        if first == order.operator:
            return _refused("same-operator")
        if first is None:
            keep_word(tx.connection, **word, operator=order.operator)
            return Outcome(_applied(plans, waiting=True), _events(changes, "asked", order))
        forget_word(tx.connection, **word)
    keep(tx, plans)
    return Outcome(_applied(plans, waiting=False), _events(changes, "applied", order))


def _applied(plans: Sequence[Registration], *, waiting: bool) -> AgreementsApplied:
    changed = 0 if waiting else sum(each.changes for each in plans)
    untaken = {each.name: each.untaken for each in plans if each.untaken}
    return AgreementsApplied(changed, len(plans) - changed, waiting, untaken)


def _events(
    changes: Sequence[Registration], act: str, order: AgreementDocuments
) -> tuple[AdminChanged, ...]:
    who = None if order.operator is None else Actor(user=order.operator, capacity="operator")
    return tuple(
        AdminChanged(what="agreement", act=act, id=each.name, actor=who) for each in changes
    )


def _refused(*details: str) -> Outcome[AgreementsApplied]:
    reason = Reason.CONTENT_REFUSED
    return Outcome(Refused(reason, told=reason, details=details))
