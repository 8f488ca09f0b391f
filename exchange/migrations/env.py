"""Run by alembic: migrates on the connection that it is handed, and commits nothing itself."""

from alembic import context
from sqlmodel import SQLModel

import exchange.tables  # noqa: F401 - so that every table is known to the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
