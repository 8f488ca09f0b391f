"""Sums of what was asked for, released, opened and refused, by month: about nobody.

Expands only.
"""

import sqlalchemy as sa
from alembic import op

from exchange import tenancy

revision, down_revision = "0024_field_tallies", "0023_quotas"

TABLES = {
    "field_tally": ("agreement", "month", "recipient", "purpose", "field"),
    "refusal_tally": ("month", "recipient", "purpose", "told"),
}
COUNTS = {"field_tally": ("asked", "released", "opened"), "refusal_tally": ("times",)}
CHECKS = {
    "month": "length(month) = 7",
    "agreement": "length(agreement) BETWEEN 1 AND 20",
    "recipient": "length(recipient) BETWEEN 1 AND 60",
    "purpose": "length(purpose) BETWEEN 2 AND 4",
    "field": "length(field) BETWEEN 1 AND 60",
    "told": "length(told) BETWEEN 1 AND 60",
}


def upgrade() -> None:
    for table, names in TABLES.items():
        op.create_table(
            table,
            sa.Column("shard", sa.Integer(), nullable=False),
            *(sa.Column(name, sa.String(), nullable=False) for name in names),
            *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS[table]),
            *(sa.CheckConstraint(CHECKS[name], name=op.f(f"ck_{table}_{name}")) for name in names),
            sa.PrimaryKeyConstraint("shard", *names, name=op.f(f"pk_{table}")),
        )
    tenancy.put_up(op.get_bind(), tuple(TABLES))


def downgrade() -> None:
    tenancy.take_down(op.get_bind(), tuple(TABLES))
    for table in TABLES:
        op.drop_table(table)
