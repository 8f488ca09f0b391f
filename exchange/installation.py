"""What all hosts of one database must know of each other: a row that every batch reads.

It travels with the log's head, so it costs no round trip, and it is read under the shard's lock:
what one host says here, the next batch of every other host has heard.
"""

from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Text, bindparam, insert, update
from sqlmodel import Field, SQLModel, col

from audit.prepared import Answer, Asked, Prepared, together


class InstallationState(SQLModel, table=True):
    """Which key wraps all others, and whether somebody has found the log to be a wrong one."""

    __tablename__ = "installation_state"

    shard: int = Field(primary_key=True)
    kek_epoch: int
    kek: str = Field(sa_type=Text)
    frozen: str | None = Field(default=None, sa_type=Text)
    frozen_at: int | None = Field(default=None, sa_type=BigInteger)


class Known(NamedTuple):
    """The epoch and fingerprint of the key that wraps, and why nothing may be released, if so."""

    kek_epoch: int
    kek: str
    frozen: str | None


_KNOWN = Prepared(f"SELECT {', '.join(Known._fields)} FROM installation_state WHERE shard = ?")  # noqa: S608  # our names
_MINE = col(InstallationState.shard) == bindparam("of_shard")


def asking(shard: int) -> Asked:
    """What to ask for `heard`, beside other things."""
    return _KNOWN, [(shard,)]


def heard(answer: Answer) -> Known | None:
    """What is known; nothing before the first start."""
    return Known(*answer.rows[0]) if answer.rows else None


def known(connection: Connection, *, shard: int) -> Known | None:
    """As `heard`, asked by itself."""
    (answer,) = together(connection, asking(shard))
    return heard(answer)


def keep_kek(connection: Connection, *, shard: int, epoch: int, kek: str) -> None:
    """Say which key wraps from now on, by its fingerprint; in the caller's transaction."""
    if known(connection, shard=shard) is None:
        row = {"shard": shard, "kek_epoch": epoch, "kek": kek}
        connection.execute(insert(InstallationState), row)
    else:
        said = update(InstallationState).where(_MINE).values(kek_epoch=epoch, kek=kek)
        connection.execute(said, {"of_shard": shard})


def freeze(connection: Connection, *, shard: int, why: str, at: int) -> None:
    """Say that nothing may be released any more. `at` in µs. The first reason stays."""
    unsaid = _MINE & col(InstallationState.frozen).is_(None)
    said = update(InstallationState).where(unsaid).values(frozen=why, frozen_at=at)
    connection.execute(said, {"of_shard": shard})


def thaw(connection: Connection, *, shard: int) -> None:
    """Another log has begun: what was said of the one before is over."""
    over = update(InstallationState).where(_MINE).values(frozen=None, frozen_at=None)
    connection.execute(over, {"of_shard": shard})
