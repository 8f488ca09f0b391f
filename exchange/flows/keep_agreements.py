"""Keep agreements as their days say: ended, superseded, suspended with an accreditation, reminded.

No decision waits for its end: each reads the days itself. That a version takes over from another,
and that a holder is accredited no more, counts from here on: within a minute of their day.
"""

from collections.abc import Iterator, Set
from datetime import date, timedelta
from itertools import islice
from typing import TypeAlias

from audit.events import Actor, AdminChanged
from exchange.agreement_book import Acts, acts, book_of
from exchange.agreement_keeping import settle, superseded, take
from exchange.directory import Directory
from exchange.transaction import BROKER, Outcome, Transaction
from policies.agreement_life import LIVE, THE_BROKER, Act, Life, Step
from policies.agreements import Agreement
from policies.vocabulary import AgreementId

REMINDED_BEFORE = timedelta(days=60)
"""How long before its review an agreement is due for it."""

_LOST = "accreditation_ended"

_Reminded: TypeAlias = Set[tuple[AgreementId, str]]


def keep_agreements(tx: Transaction, most: int = 20) -> Outcome[int]:
    """Do what is due to at most `most` agreements, one step each; how many steps were taken."""
    known = acts(tx.connection, shard=tx.shard)
    reminded = {name for name, act in known if act is Act.REMINDED}
    steps = (name for id in _due(tx, reminded) for name in _done(tx, id, reminded))
    done = list(islice(steps, most))
    done += [name for id in _doubly_live(known) for name in _superseded(tx, id)]
    events = tuple(
        AdminChanged(what="agreement", act=act.value, id=name, actor=Actor(system=BROKER))
        for name, act in done
    )
    return Outcome(len(done), events)


def _due(tx: Transaction, reminded: _Reminded) -> Iterator[AgreementId]:
    return (each.id for each in tx.directory.agreements if _step(tx, each, reminded))


def _step(tx: Transaction, agreement: Agreement, reminded: _Reminded) -> Step | None:
    """What its days ask for, if anything."""
    if agreement.state not in LIVE:
        return None
    if agreement.valid_until and agreement.valid_until < tx.day:
        return Step(act=Act.ENDED, on=tx.day, reason="expired")
    if lost(tx.directory, agreement, tx.day):
        return Step(act=Act.SUSPENDED, on=tx.day, reason=_LOST)
    if agreement.suspended is not None:
        return Step(act=Act.LIFTED, on=tx.day, reason=_LOST)
    told = (agreement.id, str(agreement.version)) in reminded
    due = not told and to_review(agreement, tx.day)
    return Step(act=Act.REMINDED, on=tx.day) if due else None


def lost(directory: Directory, agreement: Agreement, on: date) -> bool:
    """Whether a party was accredited and is no longer."""
    parties = (directory.organisations.get(each.org) for each in agreement.parties)
    return any(
        each.accreditation.status == "withdrawn"
        or (each.accreditation.until is not None and each.accreditation.until < on)
        for each in parties
        if each is not None
    )


def to_review(agreement: Agreement, on: date) -> bool:
    """Whether its review is due within sixty days, or was."""
    return agreement.review_on is not None and agreement.review_on - REMINDED_BEFORE <= on


def _done(tx: Transaction, id: AgreementId, reminded: _Reminded) -> Iterator[tuple[str, Act]]:
    book = book_of(tx.connection, shard=tx.shard, agreement=id)
    if book is None:
        return
    # Of the version in use today: what is due to the one before it must not end its successor.
    version = book.current(tx.day)
    step = _step(tx, version.agreement, reminded)
    if step is None or not _changes(version.life, step):
        return
    if take(tx, book, version, step) is None:
        yield version.name, step.act


def _changes(life: Life, step: Step) -> bool:
    held = any(each.by == THE_BROKER and each.reason_code == _LOST for each in life.holds)
    return held if step.act is Act.LIFTED else not (held and step.act is Act.SUSPENDED)


def _doubly_live(known: Acts) -> list[AgreementId]:
    """Agreements with a version that came into use and did not end, beside another."""
    ended = {name for name, act in known if act is Act.ENDED}
    live = [id for id, version in {n for n, act in known if act is Act.ACTIVATED} - ended]
    return sorted({id for id in live if live.count(id) > 1})


def _superseded(tx: Transaction, id: AgreementId) -> list[tuple[str, Act]]:
    """The versions that ended because the first day of another has come."""
    book = book_of(tx.connection, shard=tx.shard, agreement=id)
    old = [] if book is None else superseded(book, book.current(tx.day))
    if old:
        settle(tx, id)
    return [(each.name, Act.ENDED) for each in old]
