"""How often each field was asked for, released and opened, by month: tables and statements.

Never commits. Sums alone: no row is about a person, a day or a request.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, Connection, bindparam, func, select
from sqlmodel import Field, SQLModel, col

from audit.prepared import Prepared, together
from exchange.field_counting import Way
from policies.proportionality import Times

RELEASES = "*"
"""Stands for the release as a whole, where a field stands else."""


class FieldTally(SQLModel, table=True):
    """The sums of one field in a month (YYYY-MM): under which agreement, to whom, for what."""

    __tablename__ = "field_tally"
    __table_args__ = (
        CheckConstraint("length(month) = 7", name="ck_field_tally_month"),
        CheckConstraint("length(agreement) BETWEEN 1 AND 20", name="ck_field_tally_agreement"),
        CheckConstraint("length(recipient) BETWEEN 1 AND 60", name="ck_field_tally_recipient"),
        CheckConstraint("length(purpose) BETWEEN 2 AND 4", name="ck_field_tally_purpose"),
        CheckConstraint("length(field) BETWEEN 1 AND 60", name="ck_field_tally_field"),
    )

    shard: int = Field(primary_key=True)
    agreement: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    recipient: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    asked: int = Field(sa_type=BigInteger)
    released: int = Field(sa_type=BigInteger)
    opened: int = Field(sa_type=BigInteger)


class RefusalTally(SQLModel, table=True):
    """How often a recipient was refused for a purpose in a month, by what it was told."""

    __tablename__ = "refusal_tally"
    __table_args__ = (
        CheckConstraint("length(month) = 7", name="ck_refusal_tally_month"),
        CheckConstraint("length(recipient) BETWEEN 1 AND 60", name="ck_refusal_tally_recipient"),
        CheckConstraint("length(purpose) BETWEEN 2 AND 4", name="ck_refusal_tally_purpose"),
        CheckConstraint("length(told) BETWEEN 1 AND 60", name="ck_refusal_tally_told"),
    )

    shard: int = Field(primary_key=True)
    month: str = Field(primary_key=True)
    recipient: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    told: str = Field(primary_key=True)
    times: int = Field(sa_type=BigInteger)


class Sum(NamedTuple):
    """What a field came to over some months; see `RELEASES`."""

    recipient: str
    purpose: str
    field: str
    times: Times


_ADD = Prepared(
    "INSERT INTO field_tally"
    " (shard, agreement, month, recipient, purpose, field, asked, released, opened)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (shard, agreement, month, recipient, purpose, field) DO UPDATE SET"
    " asked = field_tally.asked + excluded.asked,"
    " released = field_tally.released + excluded.released,"
    " opened = field_tally.opened + excluded.opened"
)
_REFUSED = Prepared(
    "INSERT INTO refusal_tally (shard, month, recipient, purpose, told, times)"
    " VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (shard, month, recipient, purpose, told) DO UPDATE SET"
    " times = refusal_tally.times + excluded.times"
)
_SUMS = (
    select(
        col(FieldTally.recipient),
        col(FieldTally.purpose),
        col(FieldTally.field),
        *(func.sum(col(each)) for each in (FieldTally.asked, FieldTally.released)),
        func.sum(col(FieldTally.opened)),
    )
    .where(
        col(FieldTally.shard) == bindparam("shard"),
        col(FieldTally.agreement) == bindparam("agreement"),
        col(FieldTally.month).between(bindparam("first"), bindparam("last")),
    )
    .group_by(col(FieldTally.recipient), col(FieldTally.purpose), col(FieldTally.field))
)
_REFUSALS = (
    select(
        col(RefusalTally.recipient),
        col(RefusalTally.purpose),
        col(RefusalTally.told),
        func.sum(col(RefusalTally.times)),
    )
    .where(
        col(RefusalTally.shard) == bindparam("shard"),
        col(RefusalTally.month).between(bindparam("first"), bindparam("last")),
    )
    .group_by(col(RefusalTally.recipient), col(RefusalTally.purpose), col(RefusalTally.told))
)


def add(
    connection: Connection, *, shard: int, month: str, way: Way, fields: Mapping[str, Times]
) -> None:
    """Add what was counted on one way; what has no name is the releases."""
    whose = (shard, way.agreement, month, way.recipient, way.purpose)
    rows = [(*whose, name or RELEASES, *times) for name, times in fields.items()]
    together(connection, (_ADD, rows))


def add_refusals(
    connection: Connection, *, shard: int, month: str, refusals: Mapping[tuple[str, str, str], int]
) -> None:
    """Add how often each recipient was refused for a purpose and told what."""
    rows = [(shard, month, *what, times) for what, times in refusals.items()]
    together(connection, (_REFUSED, rows))


def sums(
    connection: Connection, *, shard: int, agreement: str, first: str, last: str
) -> Iterable[Sum]:
    """What was counted under an agreement from one month to another, both included (YYYY-MM)."""
    key = {"shard": shard, "agreement": agreement, "first": first, "last": last}
    for recipient, purpose, name, *times in connection.execute(_SUMS, key):
        yield Sum(recipient, purpose, name, Times(*map(int, times)))


def refusals(
    connection: Connection, *, shard: int, first: str, last: str
) -> dict[tuple[str, str, str], int]:
    """How often each recipient was refused for a purpose and told what, in these months."""
    rows = connection.execute(_REFUSALS, {"shard": shard, "first": first, "last": last})
    return {(recipient, purpose, told): int(times) for recipient, purpose, told, times in rows}
