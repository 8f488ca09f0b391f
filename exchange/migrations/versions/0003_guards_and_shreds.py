"""Guards on the log, keys that are still to be destroyed, what owns up to gaps. Expands only."""

import sqlalchemy as sa
from alembic import op

from audit import guards

revision, down_revision = "0003_guards", "0002_heads"

_OWNING_UP = (
    "kind IN ('key.rotated', 'log.pruned', 'parts.expired', 'parts.lost', 'subject.erased')"
)


def upgrade() -> None:
    op.create_table(
        "pending_shred",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "key_id", name="pk_pending_shred"),
    )
    op.create_index(
        "ix_audit_index_owning_up",
        "audit_index",
        ["shard", "idx"],
        sqlite_where=sa.text(_OWNING_UP),
        postgresql_where=sa.text(_OWNING_UP),
    )
    guards.put_up(op.get_bind())


def downgrade() -> None:
    guards.take_down(op.get_bind())
    op.drop_index("ix_audit_index_owning_up", "audit_index")
    op.drop_table("pending_shred")
