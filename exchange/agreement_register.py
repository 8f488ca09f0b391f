"""The public register: every agreement in every version that was ever kept.

It holds nothing of any client. What ended, was suspended or was replaced stays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from exchange.agreement_book import Book, Version, books
from exchange.directory import Directory
from policies.agreement_document import Agreement
from policies.agreement_life import Act, Step
from policies.protocol import Protocol
from policies.protocol_text import how_it_stands, protocol
from policies.protocol_words import word
from policies.vocabulary import BROKER

_OF_ALL = frozenset({Act.SUSPENDED, Act.LIFTED})
"""What is done to an agreement whatever its version."""

_SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Edition:
    """One version of one agreement in the register, as it stands on a day."""

    kept: Version
    book: Book
    on: date
    names: Mapping[str, str]

    @property
    def version(self) -> str:
        return self.kept.version

    @property
    def agreement(self) -> Agreement:
        return self.kept.agreement

    @property
    def document(self) -> Mapping[str, Any]:
        return self.kept.document

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the text that the parties sign."""
        return self.kept.hash

    @property
    def address(self) -> str:
        """Where this version stands for ever."""
        return f"/agreements/{self.agreement.id}/versions/{self.version}"

    @property
    def written(self) -> date:
        """A day of the text itself, the same whenever it is looked at."""
        return self.agreement.valid_from or date(2000, 1, 1)

    @cached_property
    def stands(self) -> tuple[str, str]:
        """How it stands, as a code and as a sentence."""
        return how_it_stands(
            self.agreement,
            on=self.on,
            names=self.names,
            replaced_by=self._replaced_by,
            ended_on=self._end.on if self._end else None,
        )

    @cached_property
    def protocol(self) -> Protocol:
        """It, to be read."""
        return protocol(self.agreement, names=self.names, stands=self.stands, steps=self._story())

    @property
    def _end(self) -> Step | None:
        ends = (each.step for each in self.kept.steps if each.step.act is Act.ENDED)
        return next(ends, None)

    @property
    def _replaced_by(self) -> str:
        if self._end is None or self._end.reason != _SUPERSEDED:
            return ""
        later = (each for each in self.book.versions if each.ordinal > self.kept.ordinal)
        used = (each for each in later if any(one.step.act is Act.ACTIVATED for one in each.steps))
        return next((each.version for each in used), "")

    def _story(self) -> Iterator[tuple[date, str]]:
        """What was done to it that its document does not say."""
        for version in self.book.versions:
            for each in version.steps:
                step = each.step
                mine = version.version == self.version or step.act in _OF_ALL
                if mine and step.act.value in _TOLD:
                    yield step.on, self._told(step)

    def _told(self, step: Step) -> str:
        who = self.names.get(step.by, step.by)
        said = word("acts", step.act.value).format(who=who)
        return f"{said}: {word('reasons', step.reason)}" if step.reason else said


_TOLD = frozenset({"activated", "reviewed", "ended", "suspended", "lifted"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One agreement: the version in use, and all there are, the newest first."""

    current: Edition
    editions: tuple[Edition, ...]


def entries(
    connection: Connection, directory: Directory, *, shard: int, on: date
) -> Mapping[str, Entry]:
    """Every agreement by its id, as it stands on a day."""
    names = {**directory.names, BROKER: word("acts", "broker")}
    found = {}
    for id, book in books(connection, shard=shard).items():
        current = book.current(on).version
        editions = tuple(Edition(each, book, on, names) for each in reversed(book.versions))
        (now,) = (each for each in editions if each.version == current)
        found[str(id)] = Entry(now, editions)
    return found
