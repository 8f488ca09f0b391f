"""A second connection to a broker's database, for whoever walks round the broker."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from exchange.database import WRITES, Database, DatabaseOptions
from exchange.services import SHARD, Services


@contextmanager
def aside(services: Services, *, keep: bool = False) -> Iterator[Connection]:
    """A connection that may write, in one transaction: undone at the end, unless it is to keep."""
    options = services.database.options
    database = Database(DatabaseOptions(options.url, journal=options.journal))
    with database.writing_engine.connect() as opened:
        connection = opened.execution_options(**{WRITES: SHARD})
        begun = connection.begin()
        try:
            yield connection
        except BaseException:
            begun.rollback()
            raise
        if keep:
            begun.commit()
        else:
            begun.rollback()
    database.close()
