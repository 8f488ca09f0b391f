"""The place before which the log is pruned moves only when the log has said so.

Neither expands nor contracts: one guard asks for more. Code from before it wants its own guard
back, with `overdracht migrate --guards`.
"""

from alembic import op

from audit import guards

revision, down_revision = "0006_pruning", "0005_search"

_GUARD = "guard_state_update"


def upgrade() -> None:
    guards.put_up(op.get_bind(), (_GUARD,))


def downgrade() -> None:
    """The stricter guard refuses nothing that code from before it does."""
