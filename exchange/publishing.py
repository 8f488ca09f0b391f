"""Write the log's tiles to a folder, after each head: any static host can then be a mirror."""

from pathlib import Path

from audit import published
from audit.publishing import NotTheSame, Written, write_tiles
from audit.tiles import TileMissing
from exchange.database import Database
from exchange.observability import log


def publish(database: Database, folder: Path, *, shard: int, entries: bool) -> Written | None:
    """Bring the folder up to the last published head; nothing before the first.

    Raises `NotTheSame`, `TileMissing`, `OSError`.
    """
    with database.reading() as connection:
        head = published.latest(connection, shard=shard)
        if head is None:
            return None
        lines = published.cosigned(connection, shard=shard, size=head.size)
        note = (head.note + "".join(each.line for each in lines)).encode()
        return write_tiles(connection, folder, shard=shard, note=note, entries=entries)


def keep_publishing(database: Database, folder: Path, *, shard: int, entries: bool) -> None:
    """As `publish`, over and over: a folder that does not serve harms nothing else."""
    try:
        publish(database, folder, shard=shard, entries=entries)
    except (NotTheSame, TileMissing, OSError) as error:
        log.error("tiles.unpublished", failure=type(error).__name__)
