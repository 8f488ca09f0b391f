"""From when on somebody must look at a consent. Expands only.

Rows that stand already say 0: what they say is sealed, so the sweep opens them when it passes,
and notes when each is due. So it does with rows that code of before adds.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0014_due", "0012_hanging"

_BIG = sa.BigInteger()


def upgrade() -> None:
    op.add_column("consent", sa.Column("due_at", _BIG, nullable=True, server_default="0"))
    op.create_index("ix_consent_due", "consent", ["shard", "due_at"])
    op.create_index(
        "ix_consent_of_controller", "consent", ["shard", "controller", "suspended", "due_at", "id"]
    )


def downgrade() -> None:
    op.drop_index("ix_consent_of_controller", "consent")
    op.drop_index("ix_consent_due", "consent")
    op.drop_column("consent", "due_at")
