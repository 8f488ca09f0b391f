"""Begin a new log where one can not be gone on with, and keep the old one whole beside it.

The tables are keyed by shard and index. The rows of a log that is closed are moved to a shard
of their own, with a negative number: they keep their bytes, verify as before, and are in the
way of nothing (audit-log.md, section 14).
"""

from typing import Any

from sqlalchemy import Connection, update
from sqlmodel import col

from audit import guards, log, records, subjects
from audit.log import Head
from audit.published import AuditCheckpoint, AuditCosig, AuditSignerKey
from audit.records import (
    AuditEntry,
    AuditIndex,
    AuditPart,
    AuditState,
    AuditSubject,
    AuditTile,
)

_TABLES: tuple[Any, ...] = (
    AuditState,
    AuditEntry,
    AuditTile,
    AuditPart,
    AuditSubject,
    AuditIndex,
    AuditCheckpoint,
    AuditCosig,
    AuditSignerKey,
)


def shard_of_old(shard: int, epoch: int) -> int:
    """Where the log of an earlier epoch lies: below zero, and never the same for two."""
    return -(shard * 10_000 + epoch)


def begin_anew(connection: Connection, *, shard: int) -> Head:
    """Set the log aside and open the next epoch's, empty; in the caller's transaction.

    `LogOpened`, with the new epoch, must be its first entry. The guards are down meanwhile,
    and up again when this returns: nobody sees them off but this transaction.
    """
    state = records.state_of(connection, shard=shard)
    if state is None:
        raise log.NotOpened
    guards.take_down(connection)
    aside = shard_of_old(shard, state.epoch)
    for table in _TABLES:
        connection.execute(update(table).where(col(table.shard) == shard).values(shard=aside))
    guards.put_up(connection)
    subjects.keep_delays(connection, aside=aside, shard=shard)
    epoch = state.epoch + 1
    return log.open_log(
        connection, shard=shard, origin=next_origin(state.origin, epoch), epoch=epoch
    )


def next_origin(origin: str, epoch: int) -> str:
    """The origin of another epoch of the same log: `…/s0e1` becomes `…/s0e2`."""
    return f"{origin.rpartition('e')[0]}e{epoch}"


def place_of(connection: Connection, shard: int, epoch: int) -> int:
    """The shard under which the log of this epoch lies today."""
    return shard if log.head(connection, shard=shard).epoch == epoch else shard_of_old(shard, epoch)
