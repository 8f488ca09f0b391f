"""Persons served under each agreement, and what a data protection officer must hear of.

Expands only. Neither table names a client.
"""

import sqlalchemy as sa
from alembic import op

from exchange import tenancy

revision, down_revision = "0023_quotas", "0018_agreement_life"

_KINDS = "'prohibited_purpose', 'volume_nearly', 'volume_reached', 'volume_refused'"


def upgrade() -> None:
    op.create_table(
        "agreement_volume",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(scope) BETWEEN 8 AND 40", name="ck_agreement_volume_scope"),
        sa.CheckConstraint("persons > 0", name="ck_agreement_volume_persons"),
        sa.PrimaryKeyConstraint("shard", "scope", name="pk_agreement_volume"),
    )
    op.create_table(
        "alert",
        sa.Column("shard", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("day", "kind", "organisation", "purpose", "agreement", "application")
        ),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("first_at", "last_at", "times")
        ),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name="ck_alert_kind"),
        sa.CheckConstraint("length(day) = 10", name="ck_alert_day"),
        sa.CheckConstraint("length(organisation) BETWEEN 1 AND 60", name="ck_alert_organisation"),
        sa.CheckConstraint("length(purpose) BETWEEN 2 AND 8", name="ck_alert_purpose"),
        sa.CheckConstraint("length(agreement) <= 40", name="ck_alert_agreement"),
        sa.CheckConstraint("length(application) BETWEEN 1 AND 60", name="ck_alert_application"),
        sa.PrimaryKeyConstraint(
            "shard", "day", "kind", "organisation", "purpose", "agreement", name="pk_alert"
        ),
    )
    tenancy.put_up(op.get_bind(), ("alert",))


def downgrade() -> None:
    tenancy.take_down(op.get_bind(), ("alert",))
    op.drop_table("alert")
    op.drop_table("agreement_volume")
