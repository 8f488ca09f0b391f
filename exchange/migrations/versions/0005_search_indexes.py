"""Whose, of whom, by whom, of which kind, on which consent: an index for each, in order.

Expands only, but for one index that gives way to a longer one of its name.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0005_search", "0004_parts"

_SUBJECT = "ix_audit_index_subject_blind"

# Entries that one value of the last column but one stands for, in a log of five million: without
# figures SQLite takes any index that begins with the shard for as good as any other.
_STANDS_FOR = {
    "provider": "5000000 5000000 100000 1",
    "consumer": "5000000 5000000 100000 1",
    "subject_blind": "5000000 5000000 10 1",
    "actor_blind": "1000000 1000000 1000 1",
    "kind": "5000000 5000000 100000 1",
    "consent_blind": "100000 100000 10 1",
}
_HELD = {
    "kind": None,
    "consent_blind": "subject_blind IS NULL AND consent_blind IS NOT NULL",
}


def upgrade() -> None:
    op.drop_index(_SUBJECT, "audit_index")
    for column in _STANDS_FOR:
        said = _HELD.get(column, f"{column} IS NOT NULL")
        held = None if said is None else sa.text(said)
        columns = ["shard", column, "idx"]
        name = f"ix_audit_index_{column}"
        op.create_index(name, "audit_index", columns, sqlite_where=held, postgresql_where=held)
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for column, figures in _STANDS_FOR.items():
            row = "audit_index", f"ix_audit_index_{column}", figures
            connection.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", row)
        connection.exec_driver_sql("ANALYZE sqlite_schema")


def downgrade() -> None:
    for column in _STANDS_FOR:
        op.drop_index(f"ix_audit_index_{column}", "audit_index")
    op.create_index(_SUBJECT, "audit_index", ["shard", "subject_blind"])
