"""The role that the service works as on PostgreSQL: what was logged, it can only add to.

Triggers stop a mistake; a role that was never granted the verb can not switch them off
(audit-log.md, sections 5 and 13). The owner migrates, prunes, and restores after a loss.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import exchange.tables  # noqa: F401 - so that every table is known to the metadata
from exchange.key_shelves import SCHEMA

PARTLY: Mapping[str, str] = {
    "audit_entry": "",
    "audit_checkpoint": "",
    "audit_tile": "data",
    "audit_part": "ct, key_id, state",
    "audit_state": "size, compact, last_t",
    "audit_index": "subject_blind, actor_blind, consent_blind, provider",
    "audit_cosig": "at, line",
    "audit_signer_key": "to_size",
    "agreement_version": "",
    "agreement_step": "",
}
"""Tables of the log and of agreements that are added to, and what of their rows may change:
tombstones, growth, ends. Where a beginning is pruned up to is not among it."""
_EXISTS = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
_REWRITES = text(
    "SELECT rolsuper OR has_column_privilege('audit_state', 'min_index', 'UPDATE') OR "  # noqa: S608 - our names
    + " OR ".join(f"has_table_privilege('{each}', 'UPDATE, DELETE, TRUNCATE')" for each in PARTLY)
    + " FROM pg_roles WHERE rolname = current_user"
)


def grant(connection: Connection, role: str) -> None:
    """Give `role` what the service needs and no more; made when there is none of that name.

    A role that is made can log in and has no password yet. Run it again after a migration.
    """
    name = connection.dialect.identifier_preparer.quote_identifier(role)
    run = connection.exec_driver_sql
    if connection.scalar(_EXISTS, {"role": role}) is None:
        run(f"CREATE ROLE {name} LOGIN")
    for schema in ("public", SCHEMA):
        run(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}")
        run(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    run(f"GRANT SELECT ON alembic_version TO {name}")
    run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {name}")
    for table in SQLModel.metadata.tables:
        columns = PARTLY.get(table)
        verbs = "SELECT, INSERT" if columns is not None else "SELECT, INSERT, UPDATE, DELETE"
        run(f"GRANT {verbs} ON {table} TO {name}")
        if columns:
            run(f"GRANT UPDATE ({columns}) ON {table} TO {name}")


def may_rewrite(connection: Connection) -> bool:
    """Whether who is connected may change what was written to the log."""
    return bool(connection.scalar(_REWRITES))
