"""On PostgreSQL a transaction sees the rows of the tenant that it names.

Code of before names none: from here on it sees no client, so it is stopped before this runs.
"""

from alembic import op

from exchange import tenancy

revision, down_revision = "0009_tenants", "0008_door"

TABLES = (
    "client",
    "known_as",
    "commitment",
    "summary_section",
    "consent",
    "consent_change",
    "grant_use",
    "handover",
    "handover_event",
)
"""Those that there were; a later one brings its policies along."""


def upgrade() -> None:
    tenancy.put_up(op.get_bind(), TABLES)


def downgrade() -> None:
    tenancy.take_down(op.get_bind(), TABLES)
