"""Put the installation's own rules in force, as a whole; in production two operators say so.

It has a batch to itself: what is decided before is logged under the bundle before, and
everything after it, at every host, under the new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from audit.events import Actor, AdminChanged, PolicyChanged
from exchange import ruling
from exchange.dual_control import first_to_say, forget_word, keep_word
from exchange.ruling import RULES, policy_version
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.rule_texts import fingerprint_of
from policies.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class NewRules:
    """A set that was checked as a whole, and who says that it shall hold.

    `rest` names all of the bundle beside it; with `two`, another operator must have said the
    same within a day. `operator` is a code and stands for ever.
    """

    files: Mapping[str, str]
    rest: str
    operator: str
    two: bool


@dataclass(frozen=True, slots=True)
class RulesApplied:
    """Whether the set is in force; if not, it waits for another operator."""

    done: bool
    changed: bool
    fingerprint: str


def apply_rules(tx: Transaction, order: NewRules) -> Outcome[RulesApplied]:
    """Put the set in force, when all who must say so have said it; the same again does nothing."""
    before = fingerprint_of(ruling.kept(tx.connection, shard=tx.shard))
    after = fingerprint_of(order.files)
    if before == after and _said(tx, before):
        return Outcome(RulesApplied(done=True, changed=False, fingerprint=after))
    if order.two:
        what = sha256(f"{RULES}|{before}|{after}".encode()).digest()
        word: dict[str, Any] = {"shard": tx.shard, "what": what, "now": tx.now}
        first = first_to_say(tx.connection, **word)
        if first == order.operator:
            event = _changed(order, "refused", after)
            return Outcome(Refused(Reason.CONTENT_REFUSED, details=("operator",)), (event,))
        if first is None:
            keep_word(tx.connection, **word, operator=order.operator)
            waits = RulesApplied(done=False, changed=False, fingerprint=after)
            return Outcome(waits, (_changed(order, "asked", after),))
        forget_word(tx.connection, **word)
    ruling.keep(tx.connection, order.files, shard=tx.shard)
    old, new = (policy_version(order.rest, each) for each in (before, after))
    # These two stand side by side: by the second the first is found again.
    events = (_changed(order, "applied", after), PolicyChanged(old=old, new=new))
    return Outcome(RulesApplied(done=True, changed=True, fingerprint=after), events)


def _said(tx: Transaction, fingerprint: str) -> bool:
    """Whether the log names the set that is kept; after a loss of either it must be said anew."""
    said = ruling.said(tx.connection, shard=tx.shard)
    return said is None or said == fingerprint


def _changed(order: NewRules, act: str, fingerprint: str) -> AdminChanged:
    """Public for ever: which set, and which step of it; sealed, which operator."""
    actor = Actor(user=order.operator, capacity="operator") if order.operator else None
    return AdminChanged(what=RULES, act=act, id=fingerprint, actor=actor)
