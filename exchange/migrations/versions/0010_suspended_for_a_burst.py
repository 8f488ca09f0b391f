"""Since when an application is suspended for a burst. Expands only."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0010_burst", "0009_tenants"


def upgrade() -> None:
    op.add_column("application", sa.Column("burst_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("application") as application:
        application.drop_column("burst_at")
