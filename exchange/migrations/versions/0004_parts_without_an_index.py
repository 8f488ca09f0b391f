"""Parts are found by their entries: an index on their keys was dearer than all it was for."""

from alembic import op

revision, down_revision = "0004_parts", "0003_guards"


def upgrade() -> None:
    op.drop_index("ix_audit_part_key_id", "audit_part")


def downgrade() -> None:
    op.create_index("ix_audit_part_key_id", "audit_part", ["shard", "key_id"])
