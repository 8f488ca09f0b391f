"""Who read before recalls were kept, for several purposes, is asked for each of them.

One row stood for all that a recipient had read under a consent, with the first of its purposes.
"""

import sqlalchemy as sa
from alembic import op

from exchange import tenancy

revision, down_revision = "0025_received", "0024_field_tallies"

OTHERS = """
INSERT INTO received (shard, client, recipient, consent, grant_id, purpose, first_at)
SELECT h.shard, h.client, h.recipient, r.consent, '*' || h.purpose, h.purpose, min(h.read_at)
FROM received r
JOIN handover h ON h.shard = r.shard AND h.client = r.client AND h.recipient = r.recipient
JOIN consent c ON c.shard = r.shard AND c.id = r.consent
WHERE r.grant_id = '*' AND h.purpose <> r.purpose
  AND h.read_at IS NOT NULL AND c.given_at <= h.read_at
GROUP BY h.shard, h.client, h.recipient, r.consent, h.purpose
"""


def upgrade() -> None:
    _everybody()
    op.execute(OTHERS)


def downgrade() -> None:
    _everybody()
    op.execute("DELETE FROM received WHERE grant_id LIKE '*P%'")


def _everybody() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        everybody = sa.text("SELECT set_config(:name, :whom, true)")
        connection.execute(everybody, {"name": tenancy.TENANT, "whom": tenancy.EVERYBODY})
