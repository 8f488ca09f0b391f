"""Keep agreements as their days say: ended, superseded, suspended with an accreditation, reminded.

No decision waits for it: each reads the days themselves.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice

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


def keep_agreements(tx: Transaction, most: int = 20) -> Outcome[int]:
    """Do what is due to at most `most` agreements, one step each; how many steps were taken."""
    known = acts(tx.connection, shard=tx.shard)
    reminded = {name for name, act in known if act is Act.REMINDED}
    steps = (name for id, step in _due(tx, reminded) for name in _done(tx, id, step))
    done = list(islice(steps, most))
    done += [name for id in _doubly_live(known) for name in _superseded(tx, id)]
    events = tuple(
        AdminChanged(what="agreement", act=act.value, id=name, actor=Actor(system=BROKER))
        for name, act in done
    )
    return Outcome(len(done), events)


def _due(
    tx: Transaction, reminded: set[tuple[AgreementId, str]]
) -> Iterator[tuple[AgreementId, Step]]:
    for each in tx.directory.agreements:
        if each.state not in LIVE:
            continue
        if each.valid_until and each.valid_until < tx.day:
            yield each.id, Step(act=Act.ENDED, on=tx.day, reason="expired")
        elif lost(tx.directory, each, tx.day):
            yield each.id, Step(act=Act.SUSPENDED, on=tx.day, reason=_LOST)
        elif each.suspended is not None:
            yield each.id, Step(act=Act.LIFTED, on=tx.day, reason=_LOST)
        elif (each.id, str(each.version)) not in reminded and to_review(each, tx.day):
            yield each.id, Step(act=Act.REMINDED, on=tx.day)


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


def _done(tx: Transaction, id: AgreementId, step: Step) -> Iterator[tuple[str, Act]]:
    book = book_of(tx.connection, shard=tx.shard, agreement=id)
    if book is None:
        return
    version = book.current(tx.day)
    if not _changes(version.life, step):
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
