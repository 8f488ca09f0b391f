"""Since when an application is suspended for a burst. Expands only."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0011_burst", "0010_kept_back"


def upgrade() -> None:
    op.add_column("application", sa.Column("burst_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("application") as application:
        application.drop_column("burst_at")
