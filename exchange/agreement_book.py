"""The agreements as they were kept: every version's text, every step, and how each stands.

Texts and steps are added and never changed. Queries; never commits.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Select,
    insert,
    select,
)
from sqlmodel import Field, SQLModel, col

from consent.content import canonical
from exchange.directory import documents
from policies.agreement_life import Act, Life, Step, lived
from policies.agreement_text import filled, read_text
from policies.agreements import Agreement, Standing, standing
from policies.risk_analysis import RISK_ANALYSIS, Analysed, analysed_in
from policies.vocabulary import AgreementId, OrganisationId

Acts: TypeAlias = Sequence[tuple[tuple[AgreementId, str], Act]]
_SAID = ("outcome", "remarks", "body", "reference", "url", "reason")
_OF_ALL = frozenset({Act.SUSPENDED, Act.LIFTED})


class AgreementVersion(SQLModel, table=True):
    """A text that was once written down. `text` is canonical JSON, `hash` its SHA-256 (hex).

    `ordinal` counts the versions of one agreement from 1; `kept_at` in µs.
    """

    __tablename__ = "agreement_version"
    __table_args__ = (
        CheckConstraint("length(agreement) = 11", name="ck_agreement_version_agreement"),
        CheckConstraint("length(version) BETWEEN 1 AND 20", name="ck_agreement_version_version"),
        CheckConstraint("length(hash) = 64", name="ck_agreement_version_hash"),
        CheckConstraint("length(text) <= 60000", name="ck_agreement_version_text"),
    )

    shard: int = Field(primary_key=True)
    agreement: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    ordinal: int
    text: str
    hash: str
    kept_at: int = Field(sa_type=BigInteger)


class AgreementStep(SQLModel, table=True):
    """An act on a version: `party` did it (or the broker), it counts from `day`.

    `said` holds what belongs to it (JSON); `ordinal` counts the steps of an agreement from 1.
    """

    __tablename__ = "agreement_step"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "agreement", "version"],
            ["agreement_version.shard", "agreement_version.agreement", "agreement_version.version"],
            name="fk_agreement_step_version",
        ),
        CheckConstraint("length(act) <= 20", name="ck_agreement_step_act"),
        CheckConstraint("length(party) BETWEEN 1 AND 60", name="ck_agreement_step_party"),
        CheckConstraint("length(day) = 10", name="ck_agreement_step_day"),
        CheckConstraint("length(said) <= 120000", name="ck_agreement_step_said"),
    )

    shard: int = Field(primary_key=True)
    agreement: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    version: str
    act: str
    party: str
    day: str
    said: str
    taken_at: int = Field(sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached JWS over a text, the thumbprint of its key, and the application that has it."""

    jws: str
    key: str
    application: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A step as it was kept, with the signature that was made. `taken_at` in µs.

    `on_paper`: a document said that it was done; we did not see it.
    """

    version: str
    ordinal: int
    step: Step
    taken_at: int
    on_paper: bool = False
    signature: Signature | None = None


@dataclass(frozen=True)
class Version:
    """One version: its text (canonical JSON, named by `hash`), its steps, and how it stands.

    `felt`: its own steps, and every suspension of the agreement and its lifting.
    """

    id: AgreementId
    version: str
    ordinal: int
    text: str
    hash: str
    kept_at: int
    steps: tuple[Taken, ...]
    felt: tuple[Step, ...]
    analysed: Analysed = frozenset()

    @cached_property
    def life(self) -> Life:
        """What the steps make of the text."""
        return lived(read_text(json.loads(self.text), self.analysed), self.felt)

    @property
    def name(self) -> str:
        """As the log names it: `PR-2026-001/2.0`."""
        return f"{self.id}/{self.version}"

    @property
    def agreement(self) -> Agreement:
        """As decisions read it."""
        return self.life.seen

    @cached_property
    def document(self) -> dict[str, Any]:
        """The text and what was done to it, in the form of `schemas/agreement.schema.json`."""
        return filled(json.loads(self.text), self.life)

    @property
    def live(self) -> bool:
        """Whether it came into use and has not ended."""
        done = {each.step.act for each in self.steps}
        return Act.ACTIVATED in done and Act.ENDED not in done

    def standing(self, on: date) -> Standing:
        """What it is worth on a day."""
        return standing(self.agreement, on)


@dataclass(frozen=True)
class Book:
    """All versions of one agreement, oldest first; there is always one."""

    id: AgreementId
    versions: tuple[Version, ...]
    steps: int

    def current(self, on: date) -> Version:
        """The newest that is in use on a day; the newest of all, when none is."""
        newest_first = self.versions[::-1]
        return next((each for each in newest_first if _begun(each, on)), newest_first[0])

    def named(self, version: str) -> Version | None:
        return next((each for each in self.versions if each.version == version), None)


def canonical_text(text: Mapping[str, Any]) -> tuple[str, str]:
    """A text as it is kept and signed, and its name: SHA-256 (hex) of the bytes in UTF-8."""
    written = canonical(text)
    return written.decode(), sha256(written).hexdigest()


def books(
    connection: Connection, *, shard: int, agreement: AgreementId | None = None
) -> dict[AgreementId, Book]:
    """Every agreement that was ever kept, or the one, by id and in the order of ids."""
    steps = _of(AgreementStep, shard, agreement)
    taken: dict[str, list[Taken]] = {}
    for each in connection.execute(steps.order_by(col(AgreementStep.ordinal))):
        taken.setdefault(each.agreement, []).append(_taken(each))
    versions = _of(AgreementVersion, shard, agreement)
    named, counted = col(AgreementVersion.agreement), col(AgreementVersion.ordinal)
    found: dict[str, list[Any]] = {}
    for row in connection.execute(versions.order_by(named, counted)):
        found.setdefault(row.agreement, []).append(row)
    analysed = analysed_in(documents(connection, shard=shard, kind=RISK_ANALYSIS).values())
    return {
        AgreementId(id): _book(AgreementId(id), rows, taken.get(id, []), analysed)
        for id, rows in found.items()
    }


def book_of(connection: Connection, *, shard: int, agreement: AgreementId) -> Book | None:
    """All versions of one agreement; nothing when there is no such one."""
    return books(connection, shard=shard, agreement=agreement).get(agreement)


def acts(connection: Connection, *, shard: int) -> Acts:
    """What was done to each version, by agreement and version; no texts."""
    columns = (col(AgreementStep.agreement), col(AgreementStep.version), col(AgreementStep.act))
    rows = connection.execute(select(*columns).where(col(AgreementStep.shard) == shard))
    return [((AgreementId(agreement), version), Act(act)) for agreement, version, act in rows]


def add_version(connection: Connection, row: AgreementVersion) -> None:
    connection.execute(insert(AgreementVersion), row.model_dump())


def add_step(connection: Connection, *, shard: int, id: AgreementId, taken: Taken) -> None:
    step = taken.step
    said = {name: getattr(step, name) for name in _SAID}
    signature = None if taken.signature is None else asdict(taken.signature)
    said |= {"signature": signature, "on_paper": taken.on_paper or None}
    row = {
        "shard": shard,
        "agreement": id,
        "ordinal": taken.ordinal,
        "version": taken.version,
        "act": step.act.value,
        "party": step.by,
        "day": step.on.isoformat(),
        "said": canonical({k: v for k, v in said.items() if v is not None}).decode(),
        "taken_at": taken.taken_at,
    }
    connection.execute(insert(AgreementStep), row)


def _of(
    table: type[AgreementVersion | AgreementStep], shard: int, agreement: AgreementId | None
) -> Select[Any]:
    rows = select(table).where(col(table.shard) == shard)
    return rows if agreement is None else rows.where(col(table.agreement) == agreement)


def _book(id: AgreementId, rows: list[Any], steps: list[Taken], analysed: Analysed) -> Book:
    return Book(id, tuple(_versions(id, rows, steps, analysed)), len(steps))


def _versions(
    id: AgreementId, rows: list[Any], steps: list[Taken], analysed: Analysed
) -> Iterator[Version]:
    for row in rows:
        mine = tuple(each for each in steps if each.version == row.version)
        # A suspension is of the agreement: a new version does not escape it.
        felt = tuple(
            each.step for each in steps if each.version == row.version or each.step.act in _OF_ALL
        )
        kept = (row.version, row.ordinal, row.text, row.hash, row.kept_at)
        yield Version(id, *kept, mine, felt, analysed)


def _begun(version: Version, on: date) -> bool:
    first = version.life.agreement.valid_from
    return version.live and (first is None or first <= on)


def _taken(row: Any) -> Taken:
    said = json.loads(row.said)
    step = Step(
        act=Act(row.act),
        on=date.fromisoformat(row.day),
        by=OrganisationId(row.party),
        **{name: said[name] for name in _SAID if name in said},
    )
    made = Signature(**said["signature"]) if "signature" in said else None
    on_paper = said.get("on_paper", False)
    return Taken(row.version, row.ordinal, step, row.taken_at, on_paper, made)
