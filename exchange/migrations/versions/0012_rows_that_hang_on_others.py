"""A handover, its steps and a handle hang on a client of the same shard. Expands only.

Code of before wrote them in that order already. Rows that hang on nothing stop the upgrade.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0012_hanging", "0011_burst"

_HANGING = (("known_as", "client"), ("handover", "client"), ("handover_event", "handover"))


def _key(table: str, parent: str) -> str:
    return (
        f"CONSTRAINT fk_{table}_{parent} FOREIGN KEY (shard, {parent})"
        f" REFERENCES {parent} (shard, id)"
    )


def upgrade() -> None:
    for table, parent in _HANGING:
        key = _key(table, parent)
        if op.get_bind().dialect.name == "sqlite":
            _make_anew(table, lambda sql, key=key: f"{sql.rstrip()[:-1]}, {key})")  # type: ignore[misc]
        else:
            op.execute(f"ALTER TABLE {table} ADD {key}")


def downgrade() -> None:
    for table, parent in reversed(_HANGING):
        key = _key(table, parent)
        if op.get_bind().dialect.name == "sqlite":
            _make_anew(table, lambda sql, key=key: sql.replace(f", {key}", ""))  # type: ignore[misc]
        else:
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT fk_{table}_{parent}")


def _make_anew(table: str, changed: Callable[[str], str]) -> None:
    """SQLite adds no constraint to a table that stands: make another of the same rows.

    What it was made with is kept word for word, and so are its indexes and their statistics.
    """
    connection = op.get_bind()
    of_table = {"table": table}
    (made,) = connection.scalars(
        sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table"), of_table
    )
    indexes = connection.scalars(
        sa.text(
            "SELECT sql FROM sqlite_schema WHERE tbl_name = :table AND type = 'index' AND sql IS NOT NULL"
        ),
        of_table,
    ).all()
    known = connection.execute(
        sa.text("SELECT tbl, idx, stat FROM sqlite_stat1 WHERE tbl = :table"), of_table
    ).all()
    rest = changed(made).partition("(")[2]
    connection.exec_driver_sql(f"CREATE TABLE {table}_anew ({rest}")
    connection.exec_driver_sql(f"INSERT INTO {table}_anew SELECT * FROM {table}")  # noqa: S608 - names of ours
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_anew RENAME TO {table}")
    for each in indexes:
        connection.exec_driver_sql(each)
    for row in known:
        connection.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", tuple(row))
    connection.exec_driver_sql("ANALYZE sqlite_schema")
