"""Tokens that were ended, keys of our own that sign no more, and an application's second key."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0008_door", "0007_installation"

_STATES = ("former_until", "suspended_at", "expires_at")


def upgrade() -> None:
    op.create_table(
        "ended_token",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "token", name="pk_ended_token"),
    )
    op.create_table(
        "token_key",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("jwk", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "kid", name="pk_token_key"),
    )
    op.add_column(
        "directory_state",
        sa.Column("tokens", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.add_column("application", sa.Column("former_key", sa.String(), nullable=True))
    for name in _STATES:
        op.add_column("application", sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("application") as application:
        for name in ("former_key", *_STATES):
            application.drop_column(name)
    with op.batch_alter_table("directory_state") as state:
        state.drop_column("tokens")
    op.drop_table("token_key")
    op.drop_table("ended_token")
