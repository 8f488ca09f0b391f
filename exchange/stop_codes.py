"""The codes with which a client stops sharing, from any letter or message: keyed hashes alone.

Never commits. A code is found by its hash; who has the table alone can try none.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    delete,
    select,
)
from sqlmodel import Field, SQLModel, col

from audit.prepared import Prepared, together
from policies.vocabulary import ClientId, ConsentId, OrganisationId

_ADD = Prepared(
    "INSERT INTO withdrawal_code (shard, digest, consent, client, controller, made_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class WithdrawalCode(SQLModel, table=True):
    """One code that was given with a consent. `digest` is its keyed hash, 32 bytes."""

    __tablename__ = "withdrawal_code"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_withdrawal_code_client"
        ),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_withdrawal_code_consent"
        ),
        Index("ix_withdrawal_code_client", "shard", "client"),
        CheckConstraint("length(digest) = 32", name="ck_withdrawal_code_digest"),
        CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_withdrawal_code_consent"),
        CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_withdrawal_code_client"),
        CheckConstraint(
            "length(controller) BETWEEN 1 AND 60", name="ck_withdrawal_code_controller"
        ),
    )

    shard: int = Field(primary_key=True)
    digest: bytes = Field(primary_key=True)
    consent: str
    client: str
    controller: str
    made_at: int = Field(sa_type=BigInteger)


class Meant(NamedTuple):
    """With which consent a code was given, by whom, to whom."""

    consent: ConsentId
    client: ClientId
    controller: OrganisationId


def keep(
    connection: Connection, *, shard: int, digests: Sequence[bytes], meant: Meant, at: int
) -> int | None:
    """Keep the first of these hashes that is nobody's yet; its place, or none when all were."""
    for place, digest in enumerate(digests):
        (added,) = together(connection, (_ADD, [(shard, digest, *meant, at)]))
        if added.changed:
            return place
    return None


def meant_by(connection: Connection, *, shard: int, digest: bytes) -> Meant | None:
    """What was given with the code of that hash, if anything was."""
    columns = (WithdrawalCode.consent, WithdrawalCode.client, WithdrawalCode.controller)
    mine = (col(WithdrawalCode.shard) == shard) & (col(WithdrawalCode.digest) == digest)
    row: Any = connection.execute(select(*map(col, columns)).where(mine).limit(1)).first()
    return None if row is None else Meant(*row)


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    mine = (col(WithdrawalCode.shard) == shard) & (col(WithdrawalCode.client) == client)
    connection.execute(delete(WithdrawalCode).where(mine))
