"""Withdrawals of consents that can not be opened now: all of them stops, and the rest is owed.

What a consent says is sealed; without the client's key nobody can tell which grants it has. Its
plain column `suspended` is read by every decision, stands outside the seal, and needs no key:
so the word of the client holds at once, and is written into the consent when the key is back.
Never commits.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlmodel import Field, SQLModel, col

from consent import agenda
from consent.records import Consent
from policies.vocabulary import ClientId, ConsentId, GrantId

ROOM = 2000
"""So long the grants of one withdrawal may be, with a space between: every one of a consent."""


class HeldWithdrawal(SQLModel, table=True):
    """A withdrawal that is still to be written into its consent. `grants`: which; none: all."""

    __tablename__ = "held_withdrawal"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "consent", name="pk_held_withdrawal"),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_held_withdrawal_consent"
        ),
        Index("ix_held_withdrawal_tried", "shard", "tried_at"),
        CheckConstraint("length(via) BETWEEN 1 AND 60", name="ck_held_withdrawal_via"),
        CheckConstraint("length(application) BETWEEN 1 AND 60", name="ck_held_withdrawal_app"),
        CheckConstraint(f"length(grants) <= {ROOM}", name="ck_held_withdrawal_grants"),
    )

    shard: int
    consent: str
    via: str
    application: str
    grants: str | None = None
    suspended: bool
    tried_at: int = Field(sa_column=Column(BigInteger, nullable=False))


class Held(NamedTuple):
    """A withdrawal that waits for a key. `suspended`: the consent was held before as well."""

    consent: ConsentId
    client: ClientId
    controller: str
    via: str
    application: str
    grants: str | None
    suspended: bool

    @property
    def parts(self) -> tuple[GrantId, ...] | None:
        return None if self.grants is None else tuple(map(GrantId, self.grants.split()))


def hold(connection: Connection, *, shard: int, held: Held, at: int) -> None:
    """Have the consent release nothing from this commit on, and owe it the rest."""
    _suspend(connection, shard, held.consent, suspended=True)
    said = held._asdict()
    row = {"shard": shard, "tried_at": at} | {
        name: said[name] for name in ("consent", "via", "application", "grants", "suspended")
    }
    connection.execute(insert(HeldWithdrawal), row)


def widen(
    connection: Connection, *, shard: int, consent: ConsentId, grants: Collection[GrantId] | None
) -> None:
    """Owe these grants besides those that are owed already; none: all of the consent."""
    said = None if grants is None else " ".join(grants)
    connection.execute(update(HeldWithdrawal).where(_mine(shard, consent)).values(grants=said))


def keep_on(connection: Connection, *, shard: int, consent: ConsentId) -> None:
    """Another hold has come: what the withdrawal leaves is held on when that is written."""
    connection.execute(update(HeldWithdrawal).where(_mine(shard, consent)).values(suspended=True))


def hold_unopened(connection: Connection, *, shard: int, consent: ConsentId) -> None:
    """Hold a consent that can not be opened: when its key is back it is held all the same."""
    _suspend(connection, shard, consent, suspended=True)
    keep_on(connection, shard=shard, consent=consent)


def stops(connection: Connection, *, shard: int, consent: ConsentId) -> bool:
    """Whether a withdrawal of this consent waits."""
    asked = select(col(HeldWithdrawal.shard)).where(_mine(shard, consent))
    return connection.execute(asked).first() is not None


def owed(connection: Connection, *, shard: int) -> list[ConsentId]:
    """Every consent of which a withdrawal waits."""
    asked = select(col(HeldWithdrawal.consent)).where(col(HeldWithdrawal.shard) == shard)
    return [ConsentId(each) for each in connection.scalars(asked)]


def of(connection: Connection, *, shard: int, consent: ConsentId) -> Held | None:
    """The withdrawal of this consent that waits, if one does."""
    row = connection.execute(_held(shard).where(_mine(shard, consent))).first()
    return None if row is None else Held._make(row)


def waiting(connection: Connection, *, shard: int, most: int) -> list[Held]:
    """Withdrawals that wait, what was tried longest ago first."""
    by_turn = (col(HeldWithdrawal.tried_at), col(HeldWithdrawal.consent))
    rows: Any = connection.execute(_held(shard).order_by(*by_turn).limit(most))
    return [Held(*row) for row in rows]


def _held(shard: int) -> Any:
    same = (col(Consent.shard) == col(HeldWithdrawal.shard)) & (
        col(Consent.id) == col(HeldWithdrawal.consent)
    )
    owed = (HeldWithdrawal.via, HeldWithdrawal.application, HeldWithdrawal.grants)
    return (
        select(
            col(Consent.id),
            col(Consent.client),
            col(Consent.controller),
            *map(col, owed),
            col(HeldWithdrawal.suspended),
        )
        .join(Consent, same)
        .where(col(HeldWithdrawal.shard) == shard)
    )


def tried(connection: Connection, *, shard: int, consent: ConsentId, at: int) -> None:
    """Note that it still could not be done, so that others have their turn."""
    connection.execute(update(HeldWithdrawal).where(_mine(shard, consent)).values(tried_at=at))


def settle(connection: Connection, *, shard: int, held: Held, ended: bool) -> None:
    """It stands in the consent now; what goes on is held no longer than it was before.

    What has `ended` is held no more. What goes on is looked at again: it was due for nothing.
    """
    _suspend(connection, shard, held.consent, suspended=held.suspended and not ended)
    if not ended:
        agenda.put_off(connection, shard=shard, consent=held.consent, due_at=0)
    connection.execute(delete(HeldWithdrawal).where(_mine(shard, held.consent)))


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    """To be called before the consents themselves go."""
    mine = select(col(Consent.id)).where(col(Consent.shard) == shard, col(Consent.client) == client)
    connection.execute(
        delete(HeldWithdrawal).where(
            col(HeldWithdrawal.shard) == shard, col(HeldWithdrawal.consent).in_(mine)
        )
    )


def _suspend(connection: Connection, shard: int, consent: ConsentId, *, suspended: bool) -> None:
    one = (col(Consent.shard) == shard) & (col(Consent.id) == consent)
    connection.execute(update(Consent).where(one).values(suspended=suspended))


def _mine(shard: int, consent: ConsentId) -> Any:
    return (col(HeldWithdrawal.shard) == shard) & (col(HeldWithdrawal.consent) == consent)
