"""Who received what under which grant: one row each, written with the first release of all.

So that whoever must be told that a client has stopped is found without going through the log.
Never commits. Ids and codes alone: what was released stands in the log, sealed.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    bindparam,
    delete,
    func,
    literal,
    select,
)
from sqlmodel import Field, SQLModel, col

from audit.prepared import Prepared, together
from policies.vocabulary import ClientId, ConsentId, GrantId, OrganisationId

SOME_GRANT = GrantId("*")

_ADD = Prepared(
    "INSERT INTO received (shard, client, recipient, consent, grant_id, purpose, first_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class Received(SQLModel, table=True):
    """A recipient received something of a client under this grant. `first_at` in µs.

    What was read before this was kept stands under `SOME_GRANT` of each consent of then; for a
    purpose more, under that with the purpose behind it.
    """

    __tablename__ = "received"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_received_client"
        ),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_received_consent"
        ),
        Index("ix_received_consent", "shard", "consent", "recipient"),
        CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_received_client"),
        CheckConstraint("length(recipient) BETWEEN 1 AND 60", name="ck_received_recipient"),
        CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_received_consent"),
        CheckConstraint("length(grant_id) BETWEEN 1 AND 20", name="ck_received_grant_id"),
        CheckConstraint("length(purpose) BETWEEN 2 AND 4", name="ck_received_purpose"),
    )

    shard: int = Field(primary_key=True)
    client: str = Field(primary_key=True)
    recipient: str = Field(primary_key=True)
    consent: str = Field(primary_key=True)
    grant_id: str = Field(primary_key=True)
    purpose: str
    first_at: int = Field(sa_type=BigInteger)


KNOWN = (
    select(
        func.aggregate_strings(
            col(Received.consent).op("||")(literal("#", String)).op("||")(col(Received.grant_id)),
            " ",
        )
    )
    .where(
        col(Received.shard) == bindparam("shard"),
        col(Received.client) == bindparam("client"),
        col(Received.recipient) == bindparam("recipient"),
    )
    .scalar_subquery()
)
"""What the recipient has received of the client, as one text: asked with its open handovers."""

_NAME = col(Received.recipient).op("||")(literal(" ", String)).op("||")(col(Received.purpose))
_RECIPIENTS = (
    select(col(Received.recipient), col(Received.purpose), func.min(col(Received.first_at)))
    .where(
        col(Received.shard) == bindparam("shard"),
        col(Received.consent) == bindparam("consent"),
        col(Received.recipient) >= bindparam("recipient"),
        bindparam("after") < _NAME,
    )
    .group_by(col(Received.recipient), col(Received.purpose))
    .order_by(col(Received.recipient), col(Received.purpose))
    .limit(bindparam("most"))
)


class Receiver(NamedTuple):
    """Who received something for a purpose, and since when (µs)."""

    recipient: OrganisationId
    purpose: str
    since: int

    @property
    def place(self) -> str:
        """Where to go on after it."""
        return f"{self.recipient} {self.purpose}"


def keep(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    recipient: OrganisationId,
    purpose: str,
    rests_on: Collection[tuple[ConsentId, GrantId]],
    known: str | None,
    at: int,
) -> None:
    """Keep what a release rests on; nothing is run where all of it is `known` (see `KNOWN`)."""
    before = (known or "").split()
    new = [each for each in rests_on if f"{each[0]}#{each[1]}" not in before]
    if new:
        whose = (shard, client, recipient)
        together(connection, (_ADD, [(*whose, *each, purpose, at) for each in sorted(new)]))


def receivers_of(
    connection: Connection,
    *,
    shard: int,
    consent: ConsentId,
    grants: Collection[GrantId] | None,
    after: str,
    most: int,
) -> list[Receiver]:
    """Who received under these grants of a consent (none: any), at most `most` after a place."""
    statement = _RECIPIENTS
    if grants is not None:
        grant = col(Received.grant_id)
        statement = statement.where(grant.in_(sorted(grants)) | grant.startswith(SOME_GRANT))
    key = {"shard": shard, "consent": consent, "after": after, "most": most}
    rows = connection.execute(statement, key | {"recipient": after.partition(" ")[0]})
    return [Receiver(OrganisationId(name), purpose, at) for name, purpose, at in rows]


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    mine = (col(Received.shard) == shard) & (col(Received.client) == client)
    connection.execute(delete(Received).where(mine))
