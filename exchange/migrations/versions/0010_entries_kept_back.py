"""Entries that law keeps from a client for a time, and what two operators must both say.

Expands only.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0010_kept_back", "0009_tenants"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("delayed_after", "delayed_until"):
        op.add_column("audit_subject", sa.Column(name, _BIG, nullable=True))
    op.create_table(
        "first_word",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("what", sa.LargeBinary(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "what", name="pk_first_word"),
    )


def downgrade() -> None:
    op.drop_table("first_word")
    for name in ("delayed_until", "delayed_after"):
        op.drop_column("audit_subject", name)
