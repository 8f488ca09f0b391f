"""How many persons were served under each agreement in each year: numbers, and nothing of whom.

That a person is counted stands sealed in their own record. Never commits.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import BigInteger, CheckConstraint, Connection, select
from sqlmodel import Field, SQLModel, col

from audit.prepared import Prepared, together

_ONE_MORE = Prepared(
    "INSERT INTO agreement_volume (shard, scope, persons) VALUES (?, ?, 1)"
    " ON CONFLICT (shard, scope) DO UPDATE SET persons = agreement_volume.persons + 1"
    " RETURNING persons"
)


class AgreementVolume(SQLModel, table=True):
    """Persons counted in a scope: `PR-2026-001/2026`, or for one purpose `PR-2026-001/P2/2026`.

    Nobody is taken off again, also not who was erased: what was served was served.
    """

    __tablename__ = "agreement_volume"
    __table_args__ = (
        CheckConstraint("length(scope) BETWEEN 8 AND 40", name="ck_agreement_volume_scope"),
        CheckConstraint("persons > 0", name="ck_agreement_volume_persons"),
    )

    shard: int = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    persons: int = Field(sa_type=BigInteger)


def one_more(connection: Connection, *, shard: int, scopes: Collection[str]) -> list[int]:
    """Count one person more in each of these; how many there are now."""
    found = together(connection, *((_ONE_MORE, [(shard, scope)]) for scope in scopes))
    return [int(each.rows[0][0]) for each in found]


def persons_in(connection: Connection, *, shard: int) -> Mapping[str, int]:
    """How many were counted, by scope."""
    mine = select(col(AgreementVolume.scope), col(AgreementVolume.persons)).where(
        col(AgreementVolume.shard) == shard
    )
    return {str(scope): int(persons) for scope, persons in connection.execute(mine)}
