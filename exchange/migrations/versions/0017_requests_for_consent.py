"""Requests for consent: what partners asked of clients, and how each question stands.

Expands only.
"""

import sqlalchemy as sa
from alembic import op

from exchange import tenancy

revision, down_revision = "0017_consent_requests", "0016_recalls"

TABLE = "consent_request"
INDEXES = {
    "outbox": ("requester", "asked_at", "id"),
    "inbox": ("holder", "asked_at", "id"),
    "asked": ("requester", "handle", "purpose", "asked_at"),
    "client": ("client",),
    "due": ("state", "closes_at"),
    "age": ("asked_at",),
}
CHECKS = {
    "state": (
        "state IN ('given', 'renewed', 'narrowed', 'requested', 'deferred', 'refused',"
        " 'withdrawn', 'expired', 'invalidated', 'revoked_by_other', 'unknown')"
    ),
    "handle": "length(handle) = 26",
    "purpose": "length(purpose) <= 8",
    "sections": "length(sections) <= 400",
    "reason_code": "length(reason_code) <= 40",
    "consent": "length(consent) <= 42",
    "sealed": "length(sealed) <= 10000",
}
TEXTS = [
    "id",
    "client",
    "holder",
    "requester",
    "handle",
    "purpose",
    "sections",
    "reason_code",
    "state",
]


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("shard", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in TEXTS),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", sa.BigInteger(), nullable=False),
        sa.Column("deferred_until", sa.BigInteger(), nullable=True),
        sa.Column("consent", sa.String(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        *(
            sa.CheckConstraint(said, name=op.f(f"ck_{TABLE}_{name}"))
            for name, said in CHECKS.items()
        ),
        sa.PrimaryKeyConstraint("shard", "id", name=op.f(f"pk_{TABLE}")),
    )
    for name, columns in INDEXES.items():
        op.create_index(f"ix_{TABLE}_{name}", TABLE, ["shard", *columns])
    tenancy.put_up(op.get_bind(), (TABLE,))


def downgrade() -> None:
    tenancy.take_down(op.get_bind(), (TABLE,))
    op.drop_table(TABLE)
