"""What somebody with the database in hand can do to the log, apart from everything of ours."""

from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import Connection, delete, select, update
from sqlmodel import col

from audit import guards, log
from audit.published import AuditCheckpoint, AuditCosig
from audit.records import AuditEntry, AuditIndex, AuditPart, AuditState, AuditTile
from audit.tree import leaf_hash
from exchange.database import Database
from exchange.services import SHARD, Services

Attack: TypeAlias = Callable[[Connection], object]


def tamper(services: Services, attack: Attack) -> None:
    """Do it, as an operator could who has the database and no key."""
    own = Database(services.database.options)
    with own.writing(shard=SHARD) as connection:
        # Whoever owns the database can take its guards off, and put them back as if nothing were.
        guards.take_down(connection)
        attack(connection)
        guards.put_up(connection)
    own.close()


def head(services: Services) -> log.Head:
    with services.database.reading() as connection:
        return log.head(connection, shard=SHARD)


def rewind(services: Services, to: log.Head) -> None:
    """Put the log back as it was, as an older backup would: nothing in it contradicts itself."""

    def cut(connection: Connection) -> None:
        tables: tuple[Any, ...] = (AuditEntry, AuditPart, AuditIndex)
        for table in tables:
            connection.execute(delete(table).where(table.idx >= to.size))
        connection.execute(delete(AuditCheckpoint).where(col(AuditCheckpoint.size) > to.size))
        connection.execute(delete(AuditCosig).where(col(AuditCosig.size) > to.size))
        connection.execute(delete(AuditTile))
        compact = b"".join(to.compact)
        connection.execute(
            update(AuditState).values(size=to.size, compact=compact, last_t=to.last_t)
        )

    assert to.size < 256, "the tiles of a longer log would have to be cut too"
    tamper(services, cut)


def flip(connection: Connection, idx: int) -> None:
    """One bit of a stored leaf."""
    where = col(AuditEntry.idx) == idx
    leaf = bytearray(connection.scalars(select(col(AuditEntry.leaf)).where(where)).one())
    leaf[-3] ^= 1
    connection.execute(update(AuditEntry).where(where).values(leaf=bytes(leaf)))


def take_out(connection: Connection, idx: int) -> None:
    """A stored leaf."""
    connection.execute(delete(AuditEntry).where(col(AuditEntry.idx) == idx))


def hashes(services: Services) -> list[bytes]:
    """The leaf hashes of the whole log, from its stored bytes."""
    with services.database.reading() as connection:
        return [leaf_hash(leaf) for _, leaf in log.entries(connection, shard=SHARD)]
