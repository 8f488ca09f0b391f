"""Signed pages of consents, and codes that clients have yet to say back. Expands only."""

import sqlalchemy as sa
from alembic import op

from exchange import tenancy

revision, down_revision = "0015_proof", "0014_due"

_TABLES = ("consent_evidence", "consent_confirmation")
_KINDS = "'application/pdf', 'image/jpeg', 'image/png'"


def upgrade() -> None:
    op.create_table(
        "consent_evidence",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name="ck_consent_evidence_sha256"),
        sa.CheckConstraint(f"media_type IN ({_KINDS})", name="ck_consent_evidence_media_type"),
        sa.CheckConstraint("length(sealed) <= 2097216", name="ck_consent_evidence_sealed"),
        sa.ForeignKeyConstraint(
            ["shard", "consent"],
            ["consent.shard", "consent.id"],
            name="fk_consent_evidence_consent",
        ),
        sa.PrimaryKeyConstraint("shard", "consent", "sha256", name="pk_consent_evidence"),
    )
    op.create_table(
        "consent_confirmation",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("confirm_by", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name="ck_consent_confirmation_digest"),
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name="ck_consent_confirmation_tries"),
        sa.ForeignKeyConstraint(
            ["shard", "consent"],
            ["consent.shard", "consent.id"],
            name="fk_consent_confirmation_consent",
        ),
        sa.PrimaryKeyConstraint("shard", "consent", name="pk_consent_confirmation"),
    )
    op.create_index(
        "ix_consent_confirmation_confirm_by", "consent_confirmation", ["shard", "confirm_by"]
    )
    tenancy.put_up(op.get_bind(), _TABLES)


def downgrade() -> None:
    tenancy.take_down(op.get_bind(), _TABLES)
    op.drop_table("consent_confirmation")
    op.drop_table("consent_evidence")
