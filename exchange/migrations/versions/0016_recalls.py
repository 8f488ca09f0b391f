"""Who received what, recalls, codes to stop with, withdrawals that wait for a key. Expands only.

What was read before is kept as received under every consent that the client had given by then:
rather one recipient asked too many than one too few.
"""

import sqlalchemy as sa
from alembic import op

from exchange import tenancy

revision, down_revision = "0016_recalls", "0015_proof"

_NEW = ("received", "recall", "recall_round", "withdrawal_code", "held_withdrawal")
_BEFORE = """
INSERT INTO received (shard, client, recipient, consent, grant_id, purpose, first_at)
SELECT h.shard, h.client, h.recipient, c.id, '*', min(h.purpose), min(h.read_at)
FROM handover h JOIN consent c ON c.shard = h.shard AND c.client = h.client
WHERE h.read_at IS NOT NULL AND c.given_at <= h.read_at
GROUP BY h.shard, h.client, h.recipient, c.id
"""


def upgrade() -> None:
    op.create_table(
        "recall",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("round", sa.String(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("law", sa.String(), nullable=True),
        sa.Column("until", sa.String(), nullable=True),
        sa.Column("contradicted", sa.Boolean(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('erased', 'kept', 'never_opened', 'acknowledged')",
            name="ck_recall_outcome",
        ),
        sa.CheckConstraint(
            "state IN ('open', 'overdue', 'escalated', 'answered')", name="ck_recall_state"
        ),
        sa.CheckConstraint("length(certificate) <= 8192", name="ck_recall_certificate"),
        sa.CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_recall_client"),
        sa.CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_recall_consent"),
        sa.CheckConstraint("length(controller) BETWEEN 1 AND 60", name="ck_recall_controller"),
        sa.CheckConstraint("length(id) = 36", name="ck_recall_id"),
        sa.CheckConstraint("length(law) BETWEEN 1 AND 60", name="ck_recall_law"),
        sa.CheckConstraint("length(purpose) BETWEEN 2 AND 4", name="ck_recall_purpose"),
        sa.CheckConstraint("length(recipient) BETWEEN 1 AND 60", name="ck_recall_recipient"),
        sa.CheckConstraint("length(round) = 36", name="ck_recall_round"),
        sa.CheckConstraint("length(until) = 10", name="ck_recall_until"),
        sa.ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_recall_client"
        ),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_recall_consent"
        ),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_recall"),
    )
    op.create_index("ix_recall_client", "recall", ["shard", "client", "recipient"], unique=False)
    op.create_index(
        "ix_recall_inbox", "recall", ["shard", "recipient", "made_at", "id"], unique=False
    )
    op.create_index("ix_recall_next", "recall", ["shard", "next_at"], unique=False)
    op.create_index(
        "ix_recall_outbox", "recall", ["shard", "controller", "made_at", "id"], unique=False
    )
    op.create_index(
        "uq_recall_round", "recall", ["shard", "round", "recipient", "purpose"], unique=True
    )
    op.create_table(
        "recall_round",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("grants", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=False),
        sa.Column("handovers_after", sa.String(), nullable=True),
        sa.Column("recipients_after", sa.String(), nullable=True),
        sa.CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_recall_round_client"),
        sa.CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_recall_round_consent"),
        sa.CheckConstraint(
            "length(controller) BETWEEN 1 AND 60", name="ck_recall_round_controller"
        ),
        sa.CheckConstraint("length(grants) <= 2000", name="ck_recall_round_grants"),
        sa.CheckConstraint("length(handovers_after) <= 36", name="ck_recall_round_handovers"),
        sa.CheckConstraint("length(id) = 36", name="ck_recall_round_id"),
        sa.CheckConstraint("length(recipients_after) <= 70", name="ck_recall_round_recipients"),
        sa.ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_recall_round_client"
        ),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_recall_round_consent"
        ),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_recall_round"),
    )
    op.create_index("ix_recall_round_client", "recall_round", ["shard", "client"], unique=False)
    op.create_index(
        "ix_recall_round_tried", "recall_round", ["shard", "tried_at", "id"], unique=False
    )
    op.create_table(
        "received",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_received_client"),
        sa.CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_received_consent"),
        sa.CheckConstraint("length(grant_id) BETWEEN 1 AND 20", name="ck_received_grant_id"),
        sa.CheckConstraint("length(purpose) BETWEEN 2 AND 4", name="ck_received_purpose"),
        sa.CheckConstraint("length(recipient) BETWEEN 1 AND 60", name="ck_received_recipient"),
        sa.ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_received_client"
        ),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_received_consent"
        ),
        sa.PrimaryKeyConstraint(
            "shard", "client", "recipient", "consent", "grant_id", name="pk_received"
        ),
    )
    op.create_index(
        "ix_received_consent", "received", ["shard", "consent", "recipient"], unique=False
    )
    op.create_table(
        "withdrawal_code",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_withdrawal_code_client"),
        sa.CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_withdrawal_code_consent"),
        sa.CheckConstraint(
            "length(controller) BETWEEN 1 AND 60", name="ck_withdrawal_code_controller"
        ),
        sa.CheckConstraint("length(digest) = 32", name="ck_withdrawal_code_digest"),
        sa.ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_withdrawal_code_client"
        ),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_withdrawal_code_consent"
        ),
        sa.PrimaryKeyConstraint("shard", "digest", name="pk_withdrawal_code"),
    )
    op.create_index(
        "ix_withdrawal_code_client", "withdrawal_code", ["shard", "client"], unique=False
    )
    op.create_table(
        "held_withdrawal",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("application", sa.String(), nullable=False),
        sa.Column("grants", sa.String(), nullable=True),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(application) BETWEEN 1 AND 60", name="ck_held_withdrawal_app"),
        sa.CheckConstraint("length(grants) <= 2000", name="ck_held_withdrawal_grants"),
        sa.CheckConstraint("length(via) BETWEEN 1 AND 60", name="ck_held_withdrawal_via"),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_held_withdrawal_consent"
        ),
        sa.PrimaryKeyConstraint("shard", "consent", name="pk_held_withdrawal"),
    )
    op.create_index(
        "ix_held_withdrawal_tried", "held_withdrawal", ["shard", "tried_at"], unique=False
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        everybody = sa.text("SELECT set_config(:name, :whom, true)")
        connection.execute(everybody, {"name": tenancy.TENANT, "whom": tenancy.EVERYBODY})
    op.execute(_BEFORE)
    tenancy.put_up(connection, _NEW)


def downgrade() -> None:
    tenancy.take_down(op.get_bind(), _NEW)
    op.drop_index("ix_held_withdrawal_tried", table_name="held_withdrawal")
    op.drop_table("held_withdrawal")
    op.drop_index("ix_withdrawal_code_client", table_name="withdrawal_code")
    op.drop_table("withdrawal_code")
    op.drop_index("ix_received_consent", table_name="received")
    op.drop_table("received")
    op.drop_index("ix_recall_round_tried", table_name="recall_round")
    op.drop_index("ix_recall_round_client", table_name="recall_round")
    op.drop_table("recall_round")
    op.drop_index("uq_recall_round", table_name="recall")
    op.drop_index("ix_recall_outbox", table_name="recall")
    op.drop_index("ix_recall_next", table_name="recall")
    op.drop_index("ix_recall_inbox", table_name="recall")
    op.drop_index("ix_recall_client", table_name="recall")
    op.drop_table("recall")
