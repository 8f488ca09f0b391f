"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


# How many rows one value of each column stands for, in a shard of a million. Without figures
# SQLite takes any index that begins with the shard for as good as any other.
STATISTICS = {
    "ix_handover_inbox": "1000000 1000000 50000 1 1",
    "ix_handover_outbox": "1000000 1000000 50000 1 1",
    "ix_handover_client": "1000000 1000000 2 1",
    "ix_handover_deadline": "1000000 1000000 200000 1",
    "uq_handover_key": "1000000 1000000 50000 1",
    "ix_consent_client": "1000000 1000000 2",
    "ix_audit_part_key_id": "5000000 5000000 30",
    "ix_audit_index_subject_blind": "5000000 5000000 10",
    "uq_audit_subject_blind": "1000000 1000000 1",
    "uq_known_as_client": "1000000 1000000 2 1",
}


def upgrade() -> None:
    op.create_table(
        "application",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "id", name=op.f("pk_application")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "idx", name=op.f("pk_audit_entry")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_index",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("t", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("consumer", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("application", sa.Text(), nullable=True),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("subject_blind", sa.LargeBinary(), nullable=True),
        sa.Column("actor_blind", sa.LargeBinary(), nullable=True),
        sa.Column("consent_blind", sa.LargeBinary(), nullable=True),
        sa.Column("event_id", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "idx", name=op.f("pk_audit_index")),
        sa.UniqueConstraint("shard", "event_id", name="uq_audit_index_event_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("audit_index", schema=None) as batch_op:
        batch_op.create_index(
            "ix_audit_index_subject_blind", ["shard", "subject_blind"], unique=False
        )

    op.create_table(
        "audit_part",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=True),
        sa.Column("ct", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "idx", "label", name=op.f("pk_audit_part")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("audit_part", schema=None) as batch_op:
        batch_op.create_index("ix_audit_part_key_id", ["shard", "key_id"], unique=False)

    op.create_table(
        "audit_state",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("last_t", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "min_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_audit_state")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_subject",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "n_delayed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("shard", "key_id", name=op.f("pk_audit_subject")),
        sa.UniqueConstraint("shard", "blind", name="uq_audit_subject_blind"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_tile",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "level", "n", name=op.f("pk_audit_tile")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "client",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("summary_version", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name=op.f("pk_client")),
    )
    op.create_table(
        "commitment",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "value", name=op.f("pk_commitment")),
    )
    op.create_table(
        "consent",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("renewed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state IN ('given', 'renewed', 'narrowed', 'requested', 'deferred', 'refused', 'withdrawn', 'expired', 'invalidated', 'revoked_by_other', 'unknown')",
            name=op.f("ck_consent_state"),
        ),
        sa.CheckConstraint("length(client) BETWEEN 1 AND 60", name=op.f("ck_consent_client")),
        sa.CheckConstraint(
            "length(controller) BETWEEN 1 AND 60", name=op.f("ck_consent_controller")
        ),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 60", name=op.f("ck_consent_id")),
        sa.CheckConstraint("length(sealed) <= 65536", name=op.f("ck_consent_sealed")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_consent_version")),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_consent"),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index("ix_consent_client", ["shard", "client"], unique=False)

    op.create_table(
        "directory_entry",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "kind", "id", name=op.f("pk_directory_entry")),
    )
    op.create_table(
        "directory_state",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_directory_state")),
    )
    op.create_table(
        "handover",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("masked", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("first_contact_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("erasure_asked", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('offered', 'accepted', 'first_contact', 'declined', 'expired', 'revoked', 'closed')",
            name=op.f("ck_handover_state"),
        ),
        sa.PrimaryKeyConstraint("shard", "id", name=op.f("pk_handover")),
    )
    with op.batch_alter_table("handover", schema=None) as batch_op:
        batch_op.create_index("ix_handover_client", ["shard", "client", "recipient"], unique=False)
        batch_op.create_index(
            "ix_handover_deadline", ["shard", "state", "deadline_at"], unique=False
        )
        batch_op.create_index(
            "ix_handover_inbox", ["shard", "recipient", "offered_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_handover_outbox", ["shard", "sender", "offered_at", "id"], unique=False
        )
        batch_op.create_index(
            "uq_handover_key", ["shard", "sender", "idempotency_key"], unique=True
        )

    op.create_table(
        "handover_event",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("handover", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_org", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "handover", "sequence", name=op.f("pk_handover_event")),
    )
    op.create_table(
        "known_as",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.CheckConstraint("length(handle) = 26", name=op.f("ck_known_as_handle")),
        sa.PrimaryKeyConstraint("shard", "organisation", "handle", name=op.f("pk_known_as")),
    )
    with op.batch_alter_table("known_as", schema=None) as batch_op:
        batch_op.create_index(
            "uq_known_as_client", ["shard", "client", "organisation"], unique=True
        )

    op.create_table(
        "member",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("roles", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "organisation", "id", name=op.f("pk_member")),
    )
    op.create_table(
        "notice",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("lang", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("substantive", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 60", name=op.f("ck_notice_id")),
        sa.CheckConstraint("length(lang) BETWEEN 2 AND 20", name=op.f("ck_notice_lang")),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_notice_sha256")),
        sa.CheckConstraint("length(text) <= 100000", name=op.f("ck_notice_text")),
        sa.CheckConstraint("length(version) BETWEEN 1 AND 20", name=op.f("ck_notice_version")),
        sa.PrimaryKeyConstraint("shard", "id", "version", "lang", name="pk_notice"),
    )
    op.create_table(
        "replay",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "token", name=op.f("pk_replay")),
    )
    with op.batch_alter_table("replay", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_replay_until"), ["until"], unique=False)

    op.create_table(
        "summary_section",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("section", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("scanned", sa.String(), nullable=False),
        sa.Column("deposited_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "client", "section", name=op.f("pk_summary_section")),
    )
    op.create_table(
        "consent_change",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("via", sa.String(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state IN ('given', 'renewed', 'narrowed', 'requested', 'deferred', 'refused', 'withdrawn', 'expired', 'invalidated', 'revoked_by_other', 'unknown')",
            name=op.f("ck_consent_change_state"),
        ),
        sa.CheckConstraint("length(sealed) <= 65536", name=op.f("ck_consent_change_sealed")),
        sa.CheckConstraint("length(via) <= 40", name=op.f("ck_consent_change_via")),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_consent_change_consent"
        ),
        sa.PrimaryKeyConstraint("shard", "consent", "version", name="pk_consent_change"),
    )
    op.create_table(
        "grant_use",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.CheckConstraint("length(grant_id) BETWEEN 1 AND 20", name=op.f("ck_grant_use_grant_id")),
        sa.CheckConstraint("uses >= 1", name=op.f("ck_grant_use_uses")),
        sa.ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_grant_use_consent"
        ),
        sa.PrimaryKeyConstraint("shard", "consent", "grant_id", name="pk_grant_use"),
    )
    if op.get_bind().dialect.name == "sqlite":
        seed_statistics(op.get_bind())
    else:
        # Apart from the log, so that no dump of the log holds a key.
        op.execute("CREATE SCHEMA overdracht_keys")
        op.create_table(
            "audit_key_store",
            sa.Column("shard", sa.BigInteger(), nullable=False),
            sa.Column("key_id", sa.LargeBinary(), nullable=False),
            sa.Column("wrapped", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("shard", "key_id", name="pk_audit_key_store"),
            schema="overdracht_keys",
        )


def seed_statistics(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ANALYZE")
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    tables = sa.inspect(connection).get_table_names()
    for table in tables:
        for _, name, unique, *_ in connection.exec_driver_sql(f"PRAGMA index_list({table})").all():
            columns = len(connection.exec_driver_sql(f"PRAGMA index_info({name})").all())
            last = "1" if unique else "10"
            general = " ".join(
                ["1000000", "1000000", *["1000"] * (columns - 2), last][: columns + 1]
            )
            row = (table, name, STATISTICS.get(name, general))
            connection.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", row)
    # This connection would go on without the figures: they are read when it opens, or now.
    connection.exec_driver_sql("ANALYZE sqlite_schema")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("audit_key_store", schema="overdracht_keys")
        op.execute("DROP SCHEMA overdracht_keys")
    op.drop_table("grant_use")
    op.drop_table("consent_change")
    op.drop_table("summary_section")
    with op.batch_alter_table("replay", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_replay_until"))

    op.drop_table("replay")
    op.drop_table("notice")
    op.drop_table("member")
    with op.batch_alter_table("known_as", schema=None) as batch_op:
        batch_op.drop_index("uq_known_as_client")

    op.drop_table("known_as")
    op.drop_table("handover_event")
    with op.batch_alter_table("handover", schema=None) as batch_op:
        batch_op.drop_index("uq_handover_key")
        batch_op.drop_index("ix_handover_outbox")
        batch_op.drop_index("ix_handover_inbox")
        batch_op.drop_index("ix_handover_deadline")
        batch_op.drop_index("ix_handover_client")

    op.drop_table("handover")
    op.drop_table("directory_state")
    op.drop_table("directory_entry")
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.drop_index("ix_consent_client")

    op.drop_table("consent")
    op.drop_table("commitment")
    op.drop_table("client")
    op.drop_table("audit_tile")
    op.drop_table("audit_subject")
    op.drop_table("audit_state")
    with op.batch_alter_table("audit_part", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_part_key_id")

    op.drop_table("audit_part")
    with op.batch_alter_table("audit_index", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_index_subject_blind")

    op.drop_table("audit_index")
    op.drop_table("audit_entry")
    op.drop_table("application")
