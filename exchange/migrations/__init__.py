"""The schema, step by step. A step expands first; what it makes obsolete goes a release later."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from exchange.database import Database, take_all_the_time


class SchemaBehind(Exception):
    """The database's schema is not the one this version works with; run `overdracht migrate`."""


def migrate(database: Database) -> None:
    """Bring the schema up to date, in one transaction under the writer's lock.

    It takes as long as it takes: an index on a long log is not made in a moment.
    """
    with database.writing(shard=0) as connection:
        take_all_the_time(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(database: Database) -> None:
    """Raises `SchemaBehind` unless the schema is the newest."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with database.reading() as connection:
        stands = MigrationContext.configure(connection).get_current_revision()
    if stands != newest:
        raise SchemaBehind


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "exchange:migrations")
    return config
