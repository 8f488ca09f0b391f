"""Guards in the database: what was written stays as it was (audit-log.md, section 5).

They stop mistakes, not whoever owns the database: for that there is the tree. On PostgreSQL
they are ENABLE ALWAYS, since otherwise `session_replication_role = replica` walks past them.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

KEPT = ("audit_entry", "audit_tile", "audit_part", "audit_checkpoint", "audit_state")
"""The tables of which nothing may be emptied."""

_MIN = "(SELECT min_index FROM audit_state WHERE shard = OLD.shard)"
_NEVER = "1 = 1"
# Who lets entries go must have said so in the log before: with an entry that begins like this.
_UNSAID = (
    "NOT EXISTS (SELECT 1 FROM audit_index i JOIN audit_entry e ON e.shard = i.shard"
    " AND e.idx = i.idx WHERE i.shard = NEW.shard AND i.idx >= NEW.min_index"
    " AND i.kind = 'log.pruned' AND substr(e.leaf, 1, length({said})) = {said})"
)
# When a change is refused, by table and verb. A tombstone is the one change of a part, growing
# that of a tile; rows go when their prefix was pruned.
_REFUSED = {
    ("audit_entry", "UPDATE"): _NEVER,
    ("audit_entry", "DELETE"): f"OLD.idx >= {_MIN}",
    ("audit_part", "UPDATE"): (
        "NOT (OLD.state = 0 AND NEW.state IN (1, 2, 3) AND NEW.ct IS NULL AND NEW.key_id IS NULL"
        " AND NEW.shard = OLD.shard AND NEW.idx = OLD.idx AND NEW.label = OLD.label)"
    ),
    ("audit_part", "DELETE"): f"OLD.idx >= {_MIN}",
    ("audit_tile", "UPDATE"): (
        "NOT (NEW.shard = OLD.shard AND NEW.level = OLD.level AND NEW.n = OLD.n AND OLD.level > 0"
        " AND {head} = OLD.data)"
    ),
    ("audit_tile", "DELETE"): f"OLD.level > 0 OR (OLD.n + 1) * 256 > {_MIN}",
    ("audit_checkpoint", "UPDATE"): _NEVER,
    ("audit_checkpoint", "DELETE"): _NEVER,
    ("audit_state", "UPDATE"): (
        "NEW.size < OLD.size OR NEW.min_index < OLD.min_index"
        f" OR (NEW.min_index > OLD.min_index AND {_UNSAID})"
    ),
    ("audit_state", "DELETE"): _NEVER,
}
_BEGINS = """'{"e":{"min":' || NEW.min_index || ',"policy":'"""
_WORDS = {
    "sqlite": {
        "{head}": "CAST(substr(NEW.data, 1, length(OLD.data)) AS BLOB)",
        "{said}": f"CAST({_BEGINS} AS BLOB)",
    },
    "postgresql": {
        "{head}": "substr(NEW.data, 1, length(OLD.data))",
        "{said}": f"convert_to({_BEGINS}, 'UTF8')",
    },
}
# The definition comes back in the server's own words; only its condition is none of ours.
_STAND = """
  SELECT c.relname, t.tgname, t.tgenabled::text, p.proname, p.prosrc, l.lanname,
    pg_get_triggerdef(t.oid)
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    JOIN pg_language l ON l.oid = p.prolang
  WHERE NOT t.tgisinternal AND c.relnamespace = to_regnamespace('public')"""
_DENSE_NAME = "guard_entry_dense"
_DENSE = """
  IF EXISTS (
    SELECT FROM (SELECT shard, min(idx) low, max(idx) high, count(*) n FROM added GROUP BY shard) a
    WHERE n <> high - low + 1 OR NOT (low = 0 OR EXISTS (
      SELECT FROM audit_entry e WHERE e.shard = a.shard AND e.idx = a.low - 1)))
  THEN RAISE EXCEPTION 'the log has no gaps'; END IF;
  RETURN NULL;"""


def definitions(dialect: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every guard by its name: the table it stands on, and the statements that make it."""
    refused = dict(_REFUSED)
    for word, said in _WORDS[dialect].items():
        refused = {each: when.replace(word, said) for each, when in refused.items()}
    if dialect == "sqlite":
        return {_name(*each): (each[0], (_sqlite(*each, when),)) for each, when in refused.items()}
    made = {_name(*each): (each[0], _postgresql(*each, when)) for each, when in refused.items()}
    for table in KEPT:
        made[_name(table, "TRUNCATE")] = table, _postgresql(table, "TRUNCATE", _NEVER)
    on = "AFTER INSERT ON audit_entry REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
    made[_DENSE_NAME] = "audit_entry", _trigger(_DENSE_NAME, "audit_entry", on, _DENSE)
    return made


def missing(connection: Connection) -> Sequence[str]:
    """The guards that are not there, are switched off, or are not as they were made."""
    dialect = connection.dialect.name
    wanted = definitions(dialect)
    if dialect == "sqlite":
        rows = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger'"
        )
        stand = {name: (sql,) for name, sql in rows}
        return [name for name, (_, made) in wanted.items() if stand.get(name) != made]
    rows = connection.exec_driver_sql(_STAND)
    found = {(table, name): (*seen, " ".join(made.split())) for table, name, *seen, made in rows}
    return [
        name
        for name, (table, made) in wanted.items()
        if found.get((table, name)) != _standing(name, made)
    ]


def _standing(name: str, made: Sequence[str]) -> tuple[str, ...]:
    """What PostgreSQL's catalogue says of a guard that stands as it was made."""
    function, trigger = made[0].split("$$")[1], made[1]
    public = trigger.replace(" ON ", " ON public.", 1)
    return ("A", name, function, "plpgsql", public)


def put_up(connection: Connection, names: Sequence[str] | None = None) -> None:
    """Make these guards anew; without names, all of them."""
    dialect = connection.dialect.name
    for name, (_, made) in definitions(dialect).items():
        if names is None or name in names:
            take_down(connection, (name,))
            for statement in made:
                connection.exec_driver_sql(statement)


def take_down(connection: Connection, names: Sequence[str] | None = None) -> None:
    """Remove these guards, or all: for a migration, and for whoever plays the attacker."""
    dialect = connection.dialect.name
    for name, (table, _) in definitions(dialect).items():
        if names is not None and name not in names:
            continue
        if dialect == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}()")


def _name(table: str, verb: str) -> str:
    return f"guard_{table.removeprefix('audit_')}_{verb.lower()}"


def _sqlite(table: str, verb: str, when: str) -> str:
    return (
        f"CREATE TRIGGER {_name(table, verb)} BEFORE {verb} ON {table} WHEN {when}"
        f" BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END"
    )


def _postgresql(table: str, verb: str, when: str) -> tuple[str, ...]:
    name, each = _name(table, verb), "STATEMENT" if verb == "TRUNCATE" else "ROW"
    row = {"UPDATE": "NEW", "DELETE": "OLD", "TRUNCATE": "NULL"}[verb]
    body = (
        f"\n  IF {when} THEN RAISE EXCEPTION 'the log is only added to'; END IF;\n  RETURN {row};"
    )
    return _trigger(name, table, f"BEFORE {verb} ON {table} FOR EACH {each}", body)


def _trigger(name: str, table: str, on: str, body: str) -> tuple[str, ...]:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN{body}\nEND $$",
        f"CREATE TRIGGER {name} {on} EXECUTE FUNCTION {name}()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
    )
