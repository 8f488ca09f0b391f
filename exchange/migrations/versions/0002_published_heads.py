"""Signed heads, the witnesses' lines under them, and the keys. Expands only."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002_heads", "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", _BIG, nullable=False),
        sa.Column("published_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("shard", "size", name="pk_audit_checkpoint"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_cosig",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "size", "witness", name="pk_audit_cosig"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_signer_key",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("use", sa.Text(), nullable=False),
        sa.Column("from_size", _BIG, nullable=False),
        sa.Column("to_size", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("shard", "vkey", name="pk_audit_signer_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("audit_signer_key")
    op.drop_table("audit_cosig")
    op.drop_table("audit_checkpoint")
