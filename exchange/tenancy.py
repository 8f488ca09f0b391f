"""The second net under the queries: on PostgreSQL the database itself shows a tenant its own rows.

Each transaction says for whom it looks; one that says nothing sees no row of any client. What
this stops, and what it can not, stands in docs/decisions/0022. SQLite has nothing of the kind:
there the functions of `records.py`, which take the organisation, are the one net.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

TENANT: Final = "overdracht.tenant"
"""The setting of a transaction that names its organisation."""

EVERYBODY: Final = "*"
"""For the writer, whose commands take their caller, and for the operator. No organisation's id."""

NOBODY: Final = ""

_ME = f"current_setting('{TENANT}', true)"


def _where(table: str, of: str, whole: str, more: str = "") -> str:
    """Shown where the row that it hangs on is."""
    hangs = f"{whole}.shard = {table}.shard AND {whole}.id = {table}.{of}{more}"
    return f"EXISTS (SELECT 1 FROM {whole} WHERE {hangs})"  # noqa: S608 - names of tables of ours


_HELD = f" AND client.holder = {_ME}"
_KNOWN = f"known_as.shard = client.shard AND known_as.client = client.id AND organisation = {_ME}"

OWN: Mapping[str, str] = {
    "client": f"holder = {_ME} OR EXISTS (SELECT 1 FROM known_as WHERE {_KNOWN})",  # noqa: S608 - as above
    "known_as": f"organisation = {_ME}",
    "commitment": _where("commitment", "client", "client", _HELD),
    "summary_section": _where("summary_section", "client", "client", _HELD),
    "consent": f"controller = {_ME}",
    "consent_change": _where("consent_change", "consent", "consent"),
    "grant_use": _where("grant_use", "consent", "consent"),
    "consent_evidence": _where("consent_evidence", "consent", "consent"),
    "consent_confirmation": _where("consent_confirmation", "consent", "consent"),
    "consent_request": f"requester = {_ME} OR holder = {_ME}",
    "handover": f"sender = {_ME} OR recipient = {_ME}",
    "handover_event": _where("handover_event", "handover", "handover"),
    "received": f"recipient = {_ME} OR {_where('received', 'consent', 'consent')}",
    "recall": f"controller = {_ME} OR recipient = {_ME}",
    "recall_round": f"controller = {_ME}",
    "withdrawal_code": f"controller = {_ME}",
    "alert": f"organisation = {_ME}",
    "field_tally": f"recipient = {_ME}",
    "refusal_tally": f"recipient = {_ME}",
    "held_withdrawal": _where("held_withdrawal", "consent", "consent"),
}
"""Every table that holds clients' data, and which of its rows are the tenant's."""

_STAND = """
SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity
GROUP BY c.relname HAVING array_agg(p.polname::text ORDER BY p.polname) = ARRAY['everybody', 'own']
"""


def put_up(connection: Connection, tables: Sequence[str] = tuple(OWN)) -> None:
    """Give these tables their policies anew. Nothing where the database has no such thing."""
    if connection.dialect.name != "postgresql":
        return
    take_down(connection, tables)
    for table in tables:
        for statement in (
            f"CREATE POLICY everybody ON {table} USING ({_ME} = '{EVERYBODY}')",
            f"CREATE POLICY own ON {table} FOR SELECT USING ({OWN[table]})",
            # Forced: the service owns its tables, and an owner is exempt otherwise.
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        ):
            connection.exec_driver_sql(statement)


def take_down(connection: Connection, tables: Sequence[str] = tuple(OWN)) -> None:
    """Leave these tables without any policy, ours or another's."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        found = f"SELECT quote_ident(polname) FROM pg_policy WHERE polrelid = '{table}'::regclass"  # noqa: S608 - as above
        for name in connection.exec_driver_sql(found).scalars().all():
            connection.exec_driver_sql(f"DROP POLICY {name} ON {table}")
        connection.exec_driver_sql(
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
        )


def missing(connection: Connection) -> list[str]:
    """The tables whose policies are gone, added to or switched off. What they say: see `shown`."""
    if connection.dialect.name != "postgresql":
        return []
    stand = set(connection.exec_driver_sql(_STAND).scalars())
    return [table for table in OWN if table not in stand]


def shown(connection: Connection) -> list[str]:
    """The tables of which this transaction sees something."""
    asked = {table: f"SELECT EXISTS (SELECT 1 FROM {table})" for table in OWN}  # noqa: S608 - as above
    return [table for table, text in asked.items() if connection.exec_driver_sql(text).scalar()]


def exempt(connection: Connection) -> bool:
    """Whether PostgreSQL asks none of this of the role we come in as."""
    if connection.dialect.name != "postgresql":
        return False
    asked = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    return bool(connection.exec_driver_sql(asked).scalar())
