"""What the tables hold, counted by the database, for the verifier to compare."""

from sqlalchemy import Connection, and_, bindparam, func, null, outerjoin, select, union_all
from sqlmodel import col

from audit.parts import NOBODY
from audit.records import (
    EXPIRED,
    LIVE,
    AuditIndex,
    AuditPart,
    AuditState,
    AuditSubject,
    AuditTile,
    of_shard,
)
from audit.tree import TILE_WIDTH

_TILE = select(col(AuditTile.data)).where(
    of_shard(AuditTile),
    col(AuditTile.level) == bindparam("level"),
    col(AuditTile.n) == bindparam("n"),
)
_TILES = (
    select(col(AuditTile.level), func.count())
    .where(of_shard(AuditTile), (col(AuditTile.level) > 0) | (col(AuditTile.n) >= bindparam("n")))
    .group_by(col(AuditTile.level))
)
_TOMBSTONES = (
    select(col(AuditPart.state), col(AuditPart.label), func.count().label("n"))
    .where(
        of_shard(AuditPart), col(AuditPart.state) != LIVE, col(AuditPart.idx) >= bindparam("least")
    )
    .group_by(col(AuditPart.state), col(AuditPart.label))
)
_NUMBERS = (of_shard(AuditPart), col(AuditPart.label) == "s")
_KEPT_TOO_LONG = select(func.min(col(AuditPart.idx))).where(
    *_NUMBERS,
    col(AuditPart.state) == LIVE,
    col(AuditPart.idx)
    < select(func.max(col(AuditPart.idx)))
    .where(*_NUMBERS, col(AuditPart.state) == EXPIRED)
    .scalar_subquery(),
)
_COUNTED = (
    select(col(AuditPart.key_id), func.count().label("n"), func.min(col(AuditPart.idx)).label("i"))
    .where(
        of_shard(AuditPart),
        col(AuditPart.label) == "s",
        col(AuditPart.state) == LIVE,
        col(AuditPart.key_id) != NOBODY,
    )
    .group_by(col(AuditPart.key_id))
    .subquery()
)
_counter = col(AuditSubject.n) + col(AuditSubject.n_delayed)
_MISCOUNTED = union_all(
    select(_COUNTED.c.i, (func.coalesce(_counter, 0) - _COUNTED.c.n).label("short"))
    .select_from(
        outerjoin(
            _COUNTED,
            AuditSubject,
            and_(of_shard(AuditSubject), col(AuditSubject.key_id) == _COUNTED.c.key_id),
        )
    )
    .where(
        func.coalesce(_counter, 0) != _COUNTED.c.n,
    ),
    select(null(), _counter).where(
        of_shard(AuditSubject),
        _counter > 0,
        col(AuditSubject.key_id).not_in(select(_COUNTED.c.key_id)),
    ),
)
_BEYOND = union_all(
    *(
        select(func.min(col(table.idx)).label("first")).where(
            of_shard(table), col(table.idx) >= bindparam("size")
        )
        for table in (AuditPart, AuditIndex)
    )
)


def min_index(connection: Connection, *, shard: int) -> int:
    """The first entry that was not pruned; 0 for a log that has all of them, or is not there."""
    statement = select(col(AuditState.min_index)).where(of_shard(AuditState))
    return connection.scalar(statement, {"at_shard": shard}) or 0


def tile(connection: Connection, shard: int, level: int, n: int) -> bytes | None:
    """The hashes of a tile as stored, or nothing."""
    key = {"at_shard": shard, "level": level, "n": n}
    data = connection.scalars(_TILE, key).first()
    return None if data is None else bytes(data)


def tiles_per_level(connection: Connection, *, shard: int, least: int = 0) -> list[tuple[int, int]]:
    """How many tiles are stored on each level that has any; on level 0, from entry `least` on."""
    key = {"at_shard": shard, "n": least // TILE_WIDTH}
    return [(level, tiles) for level, tiles in connection.execute(_TILES, key)]


def tombstones(connection: Connection, *, shard: int, least: int) -> dict[tuple[int, str], int]:
    """How many parts from entry `least` on are gone, by the state that says why and by label."""
    rows = connection.execute(_TOMBSTONES, {"at_shard": shard, "least": least})
    return {(row.state, row.label): row.n for row in rows}


def miscounted(connection: Connection, *, shard: int) -> list[tuple[int | None, int]]:
    """For every client whose counter is not the number of parts s: the first, how many lack."""
    return [(first, short) for first, short in connection.execute(_MISCOUNTED, {"at_shard": shard})]


def kept_too_long(connection: Connection, *, shard: int) -> int | None:
    """The first number of a client that is kept although a later one has expired."""
    first: int | None = connection.scalar(_KEPT_TOO_LONG, {"at_shard": shard})
    return first


def rows_beyond(connection: Connection, *, shard: int, size: int) -> list[int]:
    """The first part and the first index row that no entry of a log of this size has."""
    found = connection.execute(_BEYOND, {"at_shard": shard, "size": size})
    return [row.first for row in found if row.first is not None]
