"""What the hosts of one database tell each other. Expands only."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0007_installation", "0006_pruning"


def upgrade() -> None:
    op.create_table(
        "installation_state",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("kek_epoch", sa.Integer(), nullable=False),
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("frozen", sa.Text(), nullable=True),
        sa.Column("frozen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", name="pk_installation_state"),
    )


def downgrade() -> None:
    op.drop_table("installation_state")
