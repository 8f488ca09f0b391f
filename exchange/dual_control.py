"""What two operators must say, one after the other, before it is done: the first one's word."""

from datetime import timedelta

from sqlalchemy import BigInteger, Connection, Text, delete, insert, select
from sqlmodel import Field, SQLModel, col

from consent.belgian_time import instant, time_of

HOLDS = timedelta(days=1)
"""How long the first word waits for the second."""


class FirstWord(SQLModel, table=True):
    """What one operator has said. `what` is a hash of it: of a client there is no trace here."""

    __tablename__ = "first_word"

    shard: int = Field(primary_key=True)
    what: bytes = Field(primary_key=True)
    operator: str = Field(sa_type=Text)
    said_at: int = Field(sa_type=BigInteger)


def first_to_say(connection: Connection, *, shard: int, what: bytes, now: int) -> str | None:
    """Who said it before, and not so long ago that it no longer holds."""
    since = instant(time_of(now) - HOLDS)
    statement = select(col(FirstWord.operator)).where(
        col(FirstWord.shard) == shard,
        col(FirstWord.what) == what,
        col(FirstWord.said_at) > since,
    )
    return connection.scalars(statement).first()


def keep_word(connection: Connection, *, shard: int, what: bytes, operator: str, now: int) -> None:
    """Have it wait for the second operator; what has waited for too long goes."""
    forget_word(connection, shard=shard, what=what, now=now)
    row = {"shard": shard, "what": what, "operator": operator, "said_at": now}
    connection.execute(insert(FirstWord), row)


def forget_word(connection: Connection, *, shard: int, what: bytes, now: int) -> None:
    """It was said by both, or is said anew."""
    old = col(FirstWord.said_at) <= instant(time_of(now) - HOLDS)
    mine = col(FirstWord.shard) == shard
    connection.execute(delete(FirstWord).where(mine, (col(FirstWord.what) == what) | old))
