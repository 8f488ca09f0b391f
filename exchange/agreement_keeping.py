"""Keeping agreements: new texts, what documents say was done, and one act at a time.

After each change the directory holds, for each agreement, the document of the version in use:
what decisions read. So an act counts in the commit that keeps it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exchange import directory
from exchange.agreement_book import (
    AgreementVersion,
    Book,
    Signature,
    Taken,
    Version,
    add_step,
    add_version,
    book_of,
    books,
    canonical_text,
)
from exchange.transaction import Transaction
from policies.agreement_life import Act, Life, Obstacle, Step, obstacle, taken
from policies.agreement_text import read_text, steps_on_paper, text_of, unlike
from policies.agreements import Agreement, read_agreement
from policies.documents import UnfitDocument
from policies.vocabulary import AgreementId


@dataclass(frozen=True, slots=True)
class TextChanged:
    """A version that is kept already with another text, and where the texts differ."""

    name: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """What keeping a document comes to: a new version or not, the steps it tells of.

    `untaken` are those that can not be: (act, by whom, what stands in the way).
    """

    agreement: Agreement
    text: Mapping[str, Any]
    new: bool
    steps: tuple[Step, ...] = ()
    untaken: tuple[tuple[str, str, str], ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.agreement.id}/{self.agreement.version}"

    @property
    def changes(self) -> bool:
        return self.new or bool(self.steps)


def planned(
    tx: Transaction, documents: Iterable[Mapping[str, Any]]
) -> list[Registration] | TextChanged:
    """What keeping these documents comes to; nothing of them is kept yet.

    Raises `UnfitDocument` for one that is no agreement, or has no version.
    """
    plans = []
    for each in documents:
        document = json.loads(json.dumps(each, default=str))
        agreement = read_agreement(document)
        if agreement.version is None:
            raise UnfitDocument("version", "is missing")
        text = text_of(document)
        book = book_of(tx.connection, shard=tx.shard, agreement=agreement.id)
        before = book.named(agreement.version) if book else None
        if before and (where := unlike(json.loads(before.text), text)):
            return TextChanged(before.name, where)
        # A suspension is of the agreement: a version that is new is held by it too.
        holds = book.versions[-1].life.holds if book else ()
        life = before.life if before else Life(read_text(text, tx.directory.analysed), holds)
        plans.append(_registration(tx, agreement, text, before, life))
    return plans


def keep(tx: Transaction, plans: Iterable[Registration]) -> None:
    """Keep what was planned, each with the steps on paper."""
    for each in plans:
        if not each.changes:
            continue
        book = book_of(tx.connection, shard=tx.shard, agreement=each.agreement.id)
        if each.new:
            _add_version(tx, each, ordinal=len(book.versions) + 1 if book else 1)
        version, before = str(each.agreement.version), book.steps if book else 0
        for ordinal, step in enumerate(each.steps, before + 1):
            kept = Taken(version, ordinal, step, tx.now, on_paper=True)
            add_step(tx.connection, shard=tx.shard, id=each.agreement.id, taken=kept)
        settle(tx, each.agreement.id)


def take(
    tx: Transaction, book: Book, version: Version, step: Step, made: Signature | None = None
) -> Obstacle | None:
    """Keep an act on a version, or say what stands in the way."""
    newer = (each for each in book.versions if each.ordinal > version.ordinal and each.live)
    if step.act is Act.ACTIVATED and any(newer):
        return Obstacle.SUPERSEDED
    if why := obstacle(version.life, step):
        return why
    kept = Taken(version.version, book.steps + 1, step, tx.now, signature=made)
    add_step(tx.connection, shard=tx.shard, id=book.id, taken=kept)
    settle(tx, book.id)
    return None


def settle(tx: Transaction, id: AgreementId) -> None:
    """Have decisions read the version in use; it ends those before it."""
    book = books(tx.connection, shard=tx.shard, agreement=id)[id]
    now = book.current(tx.day)
    for count, old in enumerate(superseded(book, now), book.steps + 1):
        end = Step(act=Act.ENDED, on=tx.day, reason="superseded")
        kept = Taken(old.version, count, end, tx.now)
        add_step(tx.connection, shard=tx.shard, id=id, taken=kept)
    directory.put_documents(tx.connection, shard=tx.shard, kind="agreement", new={id: now.document})
    directory.moved(tx.connection, shard=tx.shard)


def superseded(book: Book, now: Version) -> list[Version]:
    """The versions in use that the one in use now takes the place of."""
    return [each for each in book.versions if each.live and each.ordinal < now.ordinal]


def _registration(
    tx: Transaction,
    agreement: Agreement,
    text: Mapping[str, Any],
    before: Version | None,
    life: Life,
) -> Registration:
    told, untaken = [], []
    for step in _untold(tx, agreement, before, life):
        why = _too_early(tx, step) or obstacle(life, step)
        if why is None:
            life = taken(life, step)
            told.append(step)
        elif why is not Obstacle.ALREADY:
            untaken.append((step.act.value, str(step.by), why.value))
    return Registration(agreement, text, before is None, tuple(told), tuple(untaken))


def _too_early(tx: Transaction, step: Step) -> Obstacle | None:
    # A first day and a suspension may lie ahead; all else has happened.
    may = step.act in {Act.ACTIVATED, Act.SUSPENDED} or step.on <= tx.day
    return None if may else Obstacle.LATER


def _untold(
    tx: Transaction, agreement: Agreement, before: Version | None, life: Life
) -> Iterator[Step]:
    """What the document tells of and we do not know: a step once taken is not taken again.

    Nor is a suspension that stands already, whatever day the document gives.
    """
    held = {(each.by, each.reason_code) for each in life.holds if each.on <= tx.day}
    done = {_mark(each.step) for each in before.steps} if before else set()
    for step in steps_on_paper(agreement, tx.day):
        stands = step.act is Act.SUSPENDED and (step.by, step.reason) in held
        if stands or _mark(step) in done:
            continue
        yield step


def _mark(step: Step) -> tuple[Any, ...]:
    more = (step.on, step.reason) if step.act is Act.SUSPENDED else ()
    return (step.act, step.by, *more)


def _add_version(tx: Transaction, plan: Registration, *, ordinal: int) -> None:
    text, named = canonical_text(plan.text)
    row = AgreementVersion(
        shard=tx.shard,
        agreement=plan.agreement.id,
        version=str(plan.agreement.version),
        ordinal=ordinal,
        text=text,
        hash=named,
        kept_at=tx.now,
    )
    add_version(tx.connection, row)
